import type { RequestObserver } from "../observer.ts";
import type { Metered } from "./meter.ts";

/** Of which request observers are told. */
export interface ToldRequest {
  readonly id: string;
  readonly class: string;
  readonly tenant: string;
  /** When it came, in ms of performance.now(). */
  readonly startedAt: number;
  readonly promptTokens: number;
  /** As the request names its model. */
  readonly modelElsewhere: string;
  readonly isEmbedding?: boolean;
}

/** The reasons that observers know; upstreams have others. */
const REASONS: ReadonlySet<string | undefined> = new Set(["stop", "length"]);

/** Tells observers of an answer that is not computed here. */
export class Told {
  readonly #observer: RequestObserver;
  readonly #request: ToldRequest;
  #lastAt = 0;
  #isAccepted = false;

  constructor(observer: RequestObserver, request: ToldRequest) {
    this.#observer = observer;
    this.#request = request;
  }

  /** An upstream answers it. */
  accept(): void {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    this.#observer.accepted(this.#request);
  }

  /** So many tokens have passed, about. */
  tokens(count: number): void {
    if (count === 0) return;
    const now = performance.now();
    const { id, startedAt } = this.#request;
    const itlMs = new Array<number>(count - 1).fill(0);
    if (this.#lastAt === 0) this.#observer.firstToken(id, now - startedAt);
    else itlMs.unshift(now - this.#lastAt);
    this.#observer.tokens(id, count, itlMs);
    this.#lastAt = now;
  }

  /** `reason`: why the upstream says that it ended. */
  end(reason: string | undefined, status: number, metered: Metered): void {
    if (!this.#isAccepted) return;
    const { promptTokens, cachedTokens, answerTokens } = metered;
    this.#observer.finished(this.#request.id, {
      reason: status >= 500 ? "error" : status === 499 ? "abort" : REASONS.has(reason) ? reason! : "stop",
      status,
      promptTokens,
      cachedTokens,
      completionTokens: answerTokens,
      isEmbedding: this.#request.isEmbedding,
      e2eMs: performance.now() - this.#request.startedAt,
    });
  }
}
