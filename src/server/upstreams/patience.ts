import { UpstreamFailure } from "./failure.ts";

/** Ends a request to an upstream when it takes too long, or when nobody wants its answer any more. */
export class Patience {
  readonly #abort = new AbortController();
  readonly #total: ReturnType<typeof setTimeout>;
  #next: ReturnType<typeof setTimeout> | undefined;

  /** `totalMs`: until the end of the answer. */
  constructor(totalMs: number) {
    this.#total = setTimeout(() => this.#late("the whole answer", totalMs), totalMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Waits for what is called so, at most so many ms from now; it takes the place of what was waited for before. */
  expect(what: string, ms: number): void {
    clearTimeout(this.#next);
    this.#next = setTimeout(() => this.#late(what, ms), ms);
  }

  /** Nothing is waited for until it is said again: whoever reads is behind. */
  rest(): void {
    clearTimeout(this.#next);
  }

  /** Nobody waits any more: for this reason. */
  cancel(reason: unknown): void {
    this.#abort.abort(reason);
    this.end();
  }

  end(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#next);
  }

  #late(what: string, ms: number): void {
    this.cancel(new UpstreamFailure("slow", `${what} did not come within ${ms / 1000} s`));
  }
}
