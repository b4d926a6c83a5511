import type { LoadProgress } from "../protocol/options/load.ts";
import type { Health } from "../client/client.ts";
import type { Model } from "../client/model.ts";
import { Canary } from "./canary.ts";
import { ApiError } from "./api_error.ts";

/** What /readyz says. */
export interface Readiness {
  readonly ready: boolean;
  readonly state: "loading" | "failed" | "unhealthy" | "draining" | "ready";
  readonly reason?: string;
  readonly progress?: LoadProgress;
}

const RETRY_MS = 5000;

/** Ms until the next worker is started where all of them ended too soon and wait for that; else null. */
function backOffMs(workers: Health["workers"]): number | null {
  const waits = workers.map(({ restartInMs = null }) => restartInMs);
  return waits.length === 0 || waits.includes(null) ? null : Math.min(...waits as number[]);
}
/** A canary that has not answered for so long beyond its interval is dead. */
const CANARY_GRACE_MS = 60_000;

/** The model behind a server: on its way, there, or not to be had; and whether it is in order. */
export class ModelHost {
  readonly #canaryMs: number;
  #model: Model | null = null;
  #canary: Canary | null = null;
  #classes: ReadonlySet<string> = new Set();
  #timer?: ReturnType<typeof setTimeout>;
  #error: Error | null = null;
  #isDraining = false;
  #isClosed = false;
  /** How far loading has come. */
  progress?: LoadProgress;
  /** Settles when the model is there and has answered once, or is not to be had. Never rejects. */
  readonly settled: Promise<void>;

  /** `canaryMs`: between two test requests; 0: one at the start alone. */
  constructor(model: Model | Promise<Model>, canaryMs: number) {
    this.#canaryMs = canaryMs;
    this.settled = this.#take(model);
  }

  /** The model. Throws an ApiError, 503, where it cannot take requests. */
  get model(): Model {
    const waitMs = this.#model === null ? null : backOffMs(this.#model.health().workers);
    if (waitMs !== null && this.takesRequests) {
      throw new ApiError(503, "The engine ends again and again", {
        code: "engine_restarting",
        retryAfterMs: waitMs,
      });
    }
    if (!this.takesRequests) {
      const { state } = this.readiness();
      const what =
        { loading: "The model is loading", draining: "The server is shutting down" }[state as string];
      throw new ApiError(503, what ?? "The model could not be loaded", {
        code: state,
        retryAfterMs: RETRY_MS,
      });
    }
    return this.#model!;
  }

  /** Whether `model` can be had. */
  get takesRequests(): boolean {
    const { state } = this.readiness();
    return this.#model !== null && state !== "loading" && state !== "draining";
  }

  /** The model, whether it takes requests or not; null until it is there. */
  get loaded(): Model | null {
    return this.#model;
  }

  /** Why there is no model; null where there is one, or will be. */
  get error(): Error | null {
    return this.#error;
  }

  /** Whether there is a latency class of that name. */
  hasClass(name: string): boolean {
    return this.#classes.has(name);
  }

  get classes(): string[] {
    return [...this.#classes];
  }

  /** No requests are taken any more. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Stops asking the canary. The model stays its owner's. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  readiness(): Readiness {
    if (this.#isDraining) return { ready: false, state: "draining" };
    if (this.#error !== null) {
      return { ready: false, state: "failed", reason: "the model could not be loaded" };
    }
    if (this.#model === null || this.#canary === null) {
      return { ready: false, state: "loading", progress: this.progress };
    }
    const reason = this.#problem(this.#model, this.#canary);
    return reason === null ? { ready: true, state: "ready" } : { ready: false, state: "unhealthy", reason };
  }

  #problem(model: Model, canary: Canary): string | null {
    const { ready, workers } = model.health();
    if (!ready) {
      const waitMs = backOffMs(workers);
      if (waitMs === null) return "no engine worker is ready";
      return `the engine ends again and again; it is started next in ${Math.ceil(waitMs / 1000)} s`;
    }
    if (!canary.isRight) return "a test request was not answered right";
    if (this.#canaryMs > 0 && canary.ageMs > this.#canaryMs + CANARY_GRACE_MS) {
      return "a test request was not answered in time";
    }
    return null;
  }

  async #take(loading: Model | Promise<Model>): Promise<void> {
    try {
      const model = await loading;
      const { workers } = await model.stats();
      const classes = workers[0].classes.map(({ name }) => name);
      this.#classes = new Set(classes);
      const canary = new Canary(model, classes[0]);
      await canary.ask();
      this.#model = model;
      this.#canary = canary;
      this.#repeat(canary);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
    }
  }

  #repeat(canary: Canary): void {
    if (this.#canaryMs === 0 || this.#isClosed) return;
    this.#timer = setTimeout(async () => {
      await canary.ask();
      this.#repeat(canary);
    }, this.#canaryMs);
    // A program that has nothing else to do may end.
    Deno.unrefTimer(this.#timer);
  }
}
