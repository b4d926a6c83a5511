/** What whoever watches the server is told: metrics, an access log. @module */

/** A request that the engine has taken. With `n` over 1, or several prompts, each answer is one. */
export interface AcceptedRequest {
  /** Names the answer in the events that follow. */
  readonly id: string;
  /** Name of its latency class. */
  readonly class: string;
  readonly promptTokens?: number;
  /** Hash of the caller's key; "" without keys. */
  readonly tenant?: string;
  /** When the request came, in ms of performance.now(). */
  readonly startedAt?: number;
  /** Name of its model, where the server has several. */
  readonly model?: string;
  /** Name of its model, where another server answers. */
  readonly modelElsewhere?: string;
  /** A keyed hash for each full block of its prompt, where the model was loaded with a key. */
  readonly prefixHashes?: readonly string[];
}

/** How an answer ended. Each accepted one ends once. */
export interface FinishedRequest {
  /** "stop", "length", "deadline", "abort", or "error". */
  readonly reason: string;
  /** Of the response that carries it; 499 where the client went away. */
  readonly status: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Whether an embedding was wanted, and is there. */
  readonly isEmbedding?: boolean;
  /** From the call to the first step that computed some of it, in ms. */
  readonly queueMs?: number;
  /** From the call to its end, in ms. */
  readonly e2eMs: number;
}

/** A generation that was not taken: refused by the engine, or wrong. */
export interface RefusedRequest {
  /** The server's own id of the HTTP request. */
  readonly id: string;
  /** Name of a class that exists, or "" where the request names none. */
  readonly class: string;
  /** The error's code, such as "queue_full". */
  readonly reason: string;
  readonly status: number;
  /** Name of its model, where the server has several and it is known. */
  readonly model?: string;
}

/** An HTTP request that was answered, whatever it was. */
export interface AnsweredRequest {
  /** The server's own id of the HTTP request. */
  readonly id: string;
  readonly method: string;
  /** The route's pattern, such as "/v1/models/*"; "" where there is none. Never what the client wrote. */
  readonly route: string;
  readonly status: number;
  readonly tenant: string;
  /** Until the head of the response, in ms. */
  readonly headMs: number;
  /** The code of the error that the response is, if it is one and has one. */
  readonly code?: string;
}

/** Where a request is answered, of a server that has upstreams. */
export interface RoutedRequest {
  /** The server's own id of the HTTP request. */
  readonly id: string;
  /** "here", or an upstream's name; null: nobody takes it. */
  readonly route: string | null;
  /** Why there, such as "late". */
  readonly reason: string;
  /** How far its data may travel; absent where that did not matter. */
  readonly data?: string;
  /** Places that failed before. */
  readonly failed: readonly string[];
  /** What it has cost, once that is known. */
  readonly cost?: number;
  /** Tokens that the upstream told of and that cannot be right, and those that were counted. */
  readonly doubted?: { readonly told: number; readonly counted: number };
}

/**
 * Hears what happens to requests. Called on the way of each token: it must be quick, and what it throws is a
 * bug.
 */
export interface RequestObserver {
  accepted(request: AcceptedRequest): void;
  /** `ttftMs`: from the call to the first token. */
  firstToken(id: string, ttftMs: number): void;
  /** New tokens of an answer, and the times before each in ms; the first token of an answer has none. */
  tokens(id: string, count: number, itlMs: number[]): void;
  finished(id: string, end: FinishedRequest): void;
  refused(request: RefusedRequest): void;
  answered?(request: AnsweredRequest): void;
  /** A request goes to a place, or has ended there. Told again where another place takes it. */
  routed?(request: RoutedRequest): void;
  /**
   * A lenient server ignored a field that is not known. `field`: its name without the places of lists in it, or "…"
   * for all further ones: clients choose names, and only so many are told.
   */
  ignored?(field: string): void;
  /** The audit had no room for the receipt of an answer that was given. */
  receiptLost?(): void;
}

/** The id of the HTTP request that an answer belongs to: it is called like that, with a number behind it where there are several. */
export function requestOf(answerId: string): string {
  return answerId.replace(/-\d+$/, "");
}

/** Hears nothing. */
export const SILENT_OBSERVER: RequestObserver = {
  accepted() {},
  firstToken() {},
  tokens() {},
  finished() {},
  refused() {},
};
