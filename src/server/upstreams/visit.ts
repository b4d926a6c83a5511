import type { Passage, RouteRequest } from "../../routing/route_policy.ts";
import { ApiError } from "../api_error.ts";
import type { RouteMetrics } from "../metrics/route_metrics.ts";
import type { UpstreamConnection } from "./connection.ts";
import { UpstreamFailure } from "./failure.ts";
import { Meter, type Metered } from "./meter.ts";
import { UPSTREAM_DEFAULTS } from "./options.ts";
import { Patience } from "./patience.ts";

/** How a visit ended, for those who log it. */
export interface VisitEnd {
  readonly cost: number;
  readonly metered: Metered;
  /** Why it did not end well. */
  readonly error?: unknown;
}

/** What a visit is made of. */
export interface VisitParts {
  readonly connection: UpstreamConnection;
  readonly passage: Passage;
  readonly metrics: RouteMetrics;
  readonly request: RouteRequest;
  /** Ms in which the answer has to be there. */
  readonly deadlineMs?: number;
  readonly onEnd: (end: VisitEnd) => void;
}

/** A request at an upstream: how long it may take, what passes, what it has cost. */
export class Visit {
  readonly connection: UpstreamConnection;
  readonly patience: Patience;
  readonly meter: Meter;
  readonly #parts: VisitParts;
  readonly #sentAt = performance.now();
  readonly #deadline: ReturnType<typeof setTimeout> | undefined;
  #hasPassed = false;
  #isOver = false;

  constructor(parts: VisitParts) {
    const { connection, request, deadlineMs } = parts;
    this.#parts = parts;
    this.connection = connection;
    this.patience = new Patience(connection.options.totalMs ?? UPSTREAM_DEFAULTS.totalMs);
    this.meter = new Meter(request.promptTokens);
    if (deadlineMs === undefined) return;
    this.#deadline = setTimeout(() => {
      const message = `The request did not meet its deadline of ${deadlineMs} ms`;
      this.patience.cancel(new ApiError(429, message, { code: "deadline_missed" }));
    }, deadlineMs);
  }

  /** How its stream is watched. */
  get watching() {
    const { stalledMs = UPSTREAM_DEFAULTS.stalledMs } = this.connection.options;
    return { patience: this.patience, meter: this.meter, stalledMs };
  }

  /** It is sent, and asks for a stream: the time to its first token begins. */
  awaitFirstToken(): void {
    this.patience.expect(
      "the first token",
      this.connection.options.firstTokenMs ?? UPSTREAM_DEFAULTS.firstTokenMs,
    );
  }

  /** The first text has come. */
  noteFirstToken(): void {
    if (this.#hasPassed) return;
    this.#hasPassed = true;
    const now = performance.now();
    this.#parts.passage.noteFirstToken(now);
    this.#parts.metrics.firstToken(this.connection.options.name, now - this.#sentAt);
  }

  /** It has ended, with an error or whole. Counts once. */
  end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    // Whatever still comes of it is of no use.
    if (error === undefined) this.patience.end();
    else this.patience.cancel(error);
    const { passage, metrics, onEnd } = this.#parts;
    const { name } = this.connection.options;
    const metered = this.meter.result;
    const cost = passage.end(this.#endOf(error, metered), performance.now());
    if (error instanceof UpstreamFailure) metrics.failed(name, error.kind);
    if (error === undefined || this.#hasPassed) {
      metrics.passed(name, metered.counted, metered.told, metered.isDoubted);
    }
    metrics.cost(name, cost);
    onEnd({ cost, metered, error });
  }

  #endOf(error: unknown, { promptTokens, answerTokens }: Metered): Parameters<Passage["end"]>[0] {
    const tokens = { promptTokens, answerTokens };
    if (error === undefined) return { outcome: "answered", ...tokens };
    if (error instanceof UpstreamFailure) {
      if (error.kind === "busy" && !this.#hasPassed) {
        return { outcome: "busy", retryAfterMs: error.retryAfterMs ?? 0 };
      }
      return { outcome: "failed", ...this.#hasPassed ? tokens : {} };
    }
    // A request that was wrong is not computed; one whose client left is, as far as anybody knows.
    const isRefused = error instanceof ApiError && error.status < 429;
    return { outcome: "dropped", ...isRefused && !this.#hasPassed ? {} : tokens };
  }
}
