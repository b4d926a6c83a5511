/**
 * Signals that come within so many ms are one, passed on by every process on the way from a terminal or a
 * supervisor.
 */
const ECHO_MS = 1000;

/**
 * Counts how often a program was asked to end. A Ctrl-C, or a SIGTERM to a process group, reaches a program
 * directly and once more through each process that started it and passes signals on (`npx`, `deno task`):
 * what comes within a second counts once.
 */
export class SignalCount {
  readonly #now: () => number;
  #count = 0;
  #countedAt = -Infinity;

  /** `now`: a clock in ms that never goes back. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Notes a signal. Gives how many have counted by now, or null where this one is an echo of the last that
   * did.
   */
  note(): number | null {
    const now = this.#now();
    if (now - this.#countedAt < ECHO_MS) return null;
    this.#countedAt = now;
    return ++this.#count;
  }
}
