import type { ConnectionFigures } from "../metrics/server_metrics.ts";

/** A socket with an HTTP server behind it. */
export interface Listening {
  readonly addr: Deno.NetAddr;
  /** Of its gate, if it has one. */
  readonly figures?: ConnectionFigures;
  /** The body of a request has been read. */
  arrive?(request: Request): void;
  /** Aborts when the client of a request has left; reason HALF_CLOSED: it may still read. */
  left?(request: Request): AbortSignal | undefined;
  /** Takes no more connections and resolves when those that are open have ended. */
  shutdown(): Promise<void>;
  /** Closes all connections at once. */
  cut(): void;
}
