/** What a server tells of its requests, for metrics. Times are in ms. */
export interface RequestObserver {
  /** The engine has taken a request. `id`: unique among those under way. */
  accepted(request: { id: string; class: string; promptTokens?: number }): void;
  /** `ttftMs`: since the request came. */
  firstToken(id: string, ttftMs: number): void;
  /** `itlMs`: for each token but the first of the answer, the time since the one before. */
  tokens(id: string, count: number, itlMs: number[]): void;
  /** An accepted request has ended. `reason`: the engine's finish reason, "error" where it failed. */
  finished(
    id: string,
    end: {
      reason: string;
      status: number;
      promptTokens: number;
      cachedTokens: number;
      completionTokens: number;
      /** From the call to the first step that computed some of it. */
      queueMs?: number;
      e2eMs: number;
    },
  ): void;
  /** A request was not taken. `reason`: the engine's refusal reason, or the error's code. */
  refused(refusal: { class: string; reason: string; status: number }): void;
}
