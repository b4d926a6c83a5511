/** When an upstream that fails is asked again. @module */

/** So many failures in a row open the circuit. */
const FAILURES_MAX = 3;
/** Of the last so many requests, … */
const WINDOW = 20;
/** … this share failed: that opens it, too. */
const FAILED_SHARE = 0.5;
const FIRST_PAUSE_MS = 2000;
const PAUSE_MAX_MS = 60_000;
/** Longest time for which an upstream's own word is taken that it is full. */
const BUSY_MAX_MS = 120_000;

/** "closed": requests go through; "open": none does; "half-open": one may try. */
export type BreakerState = "closed" | "open" | "half-open";

/**
 * A circuit breaker. After failures it lets nothing through for a while, then a single request, and with its success all
 * again; with its failure it waits twice as long. `now`: ms of a clock that is not set.
 */
export class CircuitBreaker {
  #row = 0;
  /** Of the last requests, whether each failed. */
  readonly #last: boolean[] = [];
  #pauseMs = 0;
  #openUntil = -Infinity;
  #isOpen = false;
  #isTrying = false;
  #busyUntil = -Infinity;
  #opened = 0;

  /** How often it has opened. */
  get opened(): number {
    return this.#opened;
  }

  stateAt(now: number): BreakerState {
    if (!this.#isOpen) return "closed";
    return now >= this.#openUntil ? "half-open" : "open";
  }

  /** Whether a request may be sent. */
  allows(now: number): boolean {
    if (now < this.#busyUntil) return false;
    const state = this.stateAt(now);
    return state === "closed" || state === "half-open" && !this.#isTrying;
  }

  /** Ms until a request may be sent, as far as time decides. */
  waitMs(now: number): number {
    const open = this.#isOpen ? this.#openUntil : -Infinity;
    return Math.max(0, open - now, this.#busyUntil - now);
  }

  /** A request is sent. */
  begin(now: number): void {
    if (this.stateAt(now) === "half-open") this.#isTrying = true;
  }

  /** A request was answered, or a test of its health. */
  succeed(): void {
    this.#row = 0;
    this.#note(false);
    this.#close();
  }

  /** A request ended without telling anything: its client left. */
  forget(): void {
    this.#isTrying = false;
  }

  /** A request failed for a reason of the upstream's. */
  fail(now: number): void {
    this.#row++;
    this.#note(true);
    const failed = this.#last.filter(Boolean).length;
    const isOften = this.#last.length === WINDOW && failed >= FAILED_SHARE * WINDOW;
    if (this.#isOpen ? now >= this.#openUntil : this.#row >= FAILURES_MAX || isOften) this.#open(now);
  }

  /** It says that it is full, and when to come again. That is no failure. */
  beBusy(ms: number, now: number): void {
    this.#isTrying = false;
    this.#busyUntil = Math.max(this.#busyUntil, now + Math.min(Math.max(ms, 0), BUSY_MAX_MS));
  }

  #note(hasFailed: boolean): void {
    this.#last.push(hasFailed);
    if (this.#last.length > WINDOW) this.#last.shift();
  }

  #open(now: number): void {
    this.#pauseMs = Math.min(this.#pauseMs === 0 ? FIRST_PAUSE_MS : 2 * this.#pauseMs, PAUSE_MAX_MS);
    this.#openUntil = now + this.#pauseMs;
    this.#isOpen = true;
    this.#isTrying = false;
    this.#opened++;
  }

  #close(): void {
    this.#isTrying = false;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#pauseMs = 0;
    this.#last.length = 0;
  }
}
