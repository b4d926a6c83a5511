import type { RefusedRequest, RequestObserver } from "../observer.ts";

/** Hears all, but keeps refusals to itself: another place may still take the request. */
export class HeldObserver implements RequestObserver {
  readonly #inner: RequestObserver;
  readonly #refused: RefusedRequest[] = [];

  constructor(inner: RequestObserver) {
    this.#inner = inner;
  }

  /** No other place takes it: it was refused. */
  release(): void {
    for (const request of this.#refused.splice(0)) this.#inner.refused(request);
  }

  accepted(...of: Parameters<RequestObserver["accepted"]>): void {
    this.#inner.accepted(...of);
  }

  firstToken(...of: Parameters<RequestObserver["firstToken"]>): void {
    this.#inner.firstToken(...of);
  }

  tokens(...of: Parameters<RequestObserver["tokens"]>): void {
    this.#inner.tokens(...of);
  }

  finished(...of: Parameters<RequestObserver["finished"]>): void {
    this.#inner.finished(...of);
  }

  refused(request: RefusedRequest): void {
    this.#refused.push(request);
  }
}
