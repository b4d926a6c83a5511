/** Whether the client of a request is still there. @module */

import { ApiError } from "./api_error.ts";

/** HTTP status under which an answer is counted whose client left. */
const CLIENT_LEFT = 499;

/** How a request ends whose client left; one that has only closed its side may still read it. */
export function clientLeft(): ApiError {
  return new ApiError(
    CLIENT_LEFT,
    "The client left: it closed its side of the connection before the answer",
    {
      code: "client_left",
    },
  );
}

/**
 * The reason of a signal where a client has closed its side of the connection: it has left, or it still
 * reads.
 */
export const HALF_CLOSED: DOMException = new DOMException(
  "The client has closed its side of the connection",
  "AbortError",
);

/** What tells that whoever asked has left: signals that abort then. */
export class Presence {
  readonly #signals: () => readonly AbortSignal[];

  /** `signals`: only looked up for requests that ask, most are answered at once. */
  constructor(signals: () => readonly AbortSignal[]) {
    this.#signals = signals;
  }

  /** Throws an ApiError, 499, where the client has left. */
  throwIfLeft(): void {
    if (this.#signals().some(({ aborted }) => aborted)) throw clientLeft();
  }

  /**
   * Calls `listener` when the client leaves, at once where it has left already, and once for each that tells;
   * `mayRead`: it has only closed its own side, as far as one can tell. Returns what ends that: a request's
   * own signal aborts after a response, too.
   */
  onLeft(listener: (mayRead: boolean) => void): () => void {
    const stop = new AbortController();
    for (const signal of this.#signals()) {
      const tell = () => listener(signal.reason === HALF_CLOSED);
      if (signal.aborted) tell();
      else signal.addEventListener("abort", tell, { once: true, signal: stop.signal });
    }
    return () => stop.abort();
  }
}

/**
 * Of a request over HTTP: its own signal, and whoever sees more of its connection than that.
 */
export function presenceOf(
  request: Request,
  clientLeft?: (request: Request) => AbortSignal | undefined,
): Presence {
  return new Presence(() => {
    const connection = clientLeft?.(request);
    return connection === undefined ? [request.signal] : [request.signal, connection];
  });
}
