import type { LatencyClass } from "./latency_class.ts";
import { OutputLengths } from "./output_lengths.ts";
import type { Sequence } from "./sequence.ts";

/**
 * Before any answer has ended, one is expected to have at most so many tokens more, however long the context
 * is.
 */
const UNKNOWN_OUTPUT_MAX = 2048;

/** The requests of one latency class. */
export class ClassQueue {
  readonly config: LatencyClass;
  /** All that have not ended, in order of arrival. */
  readonly members = new Map<number, Sequence>();
  /** Those with KV blocks, in order of arrival. */
  readonly running: Sequence[] = [];
  /** The others: higher priority first, then in order of arrival. */
  readonly waiting: Sequence[] = [];
  /** Lengths of its answers. */
  readonly lengths = new OutputLengths();
  /** Tokens that are missing in the waiting sequences. */
  waitingTokens = 0;
  /**
   * When a step last computed something for the class, or when it last had nothing that could be computed.
   */
  servedAt = 0;

  constructor(config: LatencyClass) {
    this.config = config;
  }

  /** Takes a new request. */
  add(sequence: Sequence): void {
    if (this.members.size === 0) this.servedAt = sequence.arrivedAt;
    this.members.set(sequence.id, sequence);
    this.#wait(sequence);
  }

  /** Forgets a request that has ended. */
  remove(sequence: Sequence): void {
    this.members.delete(sequence.id);
    if (sequence.isRunning) this.#stopRunning(sequence);
    else this.#stopWaiting(sequence);
  }

  /** Moves a sequence from waiting to running. */
  start(sequence: Sequence): void {
    this.#stopWaiting(sequence);
    sequence.isRunning = sequence.hasStarted = true;
    insertSorted(this.running, sequence, (a, b) => a.order - b.order);
  }

  /** Moves a sequence, which has no blocks any more, from running to waiting. */
  stop(sequence: Sequence): void {
    this.#stopRunning(sequence);
    this.#wait(sequence);
  }

  #wait(sequence: Sequence): void {
    insertSorted(this.waiting, sequence, (a, b) => b.priority - a.priority || a.order - b.order);
    this.waitingTokens += sequence.tokens.length;
  }

  #stopRunning(sequence: Sequence): void {
    sequence.isRunning = false;
    this.running.splice(this.running.indexOf(sequence), 1);
  }

  #stopWaiting(sequence: Sequence): void {
    this.waiting.splice(this.waiting.indexOf(sequence), 1);
    this.waitingTokens -= sequence.tokens.length;
  }

  /** Whether no more may run. Those that are paused give their places up. */
  get isFull(): boolean {
    let active = 0;
    for (const { isPaused } of this.running) if (!isPaused) active++;
    return active >= this.config.maxBatch;
  }

  /** The oldest request that can go on. */
  get oldest(): Sequence | null {
    for (const sequence of this.members.values()) if (!sequence.isPaused) return sequence;
    return null;
  }

  /** The oldest request, once it has been there for `ageingMs`: it goes before all others of its class. */
  champion(now: number, ageingMs: number): Sequence | null {
    const { oldest } = this;
    return oldest !== null && now - oldest.arrivedAt >= ageingMs ? oldest : null;
  }

  /** The request that starts next. */
  head(now: number, ageingMs: number): Sequence | null {
    const champion = this.champion(now, ageingMs);
    if (champion !== null && !champion.isRunning) return champion;
    return this.waiting.find((sequence) => !sequence.isPaused) ?? null;
  }

  /**
   * Ms until waiting requests may start: 0 when enough of them are there, when the oldest has waited long
   * enough, when others of the class are running anyway, or when one of them has run before. Infinity when
   * none is waiting.
   */
  opensIn(now: number): number {
    let oldestAt = Infinity;
    let ready = 0;
    for (const sequence of this.waiting) {
      if (sequence.isPaused) continue;
      if (this.running.length > 0 || sequence.hasStarted) return 0;
      if (++ready >= this.config.maxBatch) return 0;
      oldestAt = Math.min(oldestAt, sequence.arrivedAt);
    }
    return Math.max(0, oldestAt + this.config.maxWaitMs - now);
  }

  /** Notes that an answer has one more token. */
  noteToken({ tokens, promptTokens }: Sequence): void {
    this.lengths.pass(tokens.length - promptTokens);
  }

  /**
   * Notes how long an answer was that has ended. `isCut`: not by itself, which says that it would have been
   * longer.
   */
  noteOutput(sequence: Sequence, isCut = sequence.tokens.length >= sequence.tokensMax): void {
    const tokens = sequence.tokens.length - sequence.promptTokens;
    if (tokens > 0) this.lengths.add(tokens, isCut);
  }

  /** Tokens that a sequence will probably still generate. */
  expectedTokens({ tokens, promptTokens, tokensMax }: Sequence): number {
    // A request without a limit of its own may go on to the end of the context, and hardly ever does.
    if (this.lengths.isEmpty) return Math.min((tokensMax - tokens.length) / 2, UNKNOWN_OUTPUT_MAX);
    return this.lengths.remaining(tokens.length - promptTokens, tokensMax - promptTokens);
  }
}

function insertSorted(
  list: Sequence[],
  sequence: Sequence,
  compare: (a: Sequence, b: Sequence) => number,
): void {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(list[middle], sequence) < 0) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, sequence);
}
