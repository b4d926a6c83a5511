import { type RequestObserver, SILENT_OBSERVER } from "./observer.ts";
import { Accounts } from "./accounts/accounts.ts";
import { Usage } from "./accounts/usage.ts";
import { ApiError, type ErrorShape } from "./api_error.ts";
import { type BodyLimits, BodyReader } from "./guard/json_body.ts";
import type { Readiness } from "./model_host.ts";
import type { Models } from "./models.ts";
import type { Presence } from "./presence.ts";
import { ReceiptOffice } from "./receipts/office.ts";
import type { StreamLimits } from "./sse.ts";
import type { Dialect } from "./dialects/dialect.ts";
import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";

/** Who asks, and whether they are still there. */
export interface Caller {
  readonly client: Presence;
  /** The server's own id of the request. */
  readonly id: string;
  /** Hash of the caller's key; "" where no keys are asked for. */
  readonly tenant: string;
  /** When the request came, in ms of performance.now(). */
  readonly startedAt: number;
  /** Who hears of its answers; default: who hears of all. */
  readonly observer?: RequestObserver;
}

/** One HTTP request on its way through the server. */
export interface Exchange extends Caller {
  readonly request: Request;
  readonly url: URL;
}

/** A request to a dialect, wherever it comes from. */
export interface Call extends Caller {
  readonly headers: Headers;
  /** The endpoint's path, whatever name it was asked by. */
  readonly endpoint: string;
  /** The value of its body. Throws an ApiError. */
  body(): Promise<unknown>;
}

/** What the server answers at a path. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** The path, or a prefix that ends with `/*`. */
  readonly path: string;
  /** Another path at which it answers, too. */
  readonly alias?: string;
  /** Answers without an API key. */
  readonly isPublic?: boolean;
  /** Answers whatever name it is asked by: those who watch a server use names of their own. */
  readonly isProbe?: boolean;
  /** Headers in which clients of this path send their key, beside those that count everywhere. */
  readonly keyHeaders?: readonly string[];
  /** How its errors are written; default: as OpenAI's clients know them. */
  readonly errors?: () => Promise<ErrorShape | undefined>;
  /** May throw an ApiError, or what the engine throws. */
  handle(exchange: Exchange): Response | Promise<Response>;
}

/** An answer on its way. */
export interface UnderWay {
  /** Settles with its end. */
  readonly results: Promise<unknown>;
  /** Ends it with an error. */
  fail(error: ApiError): void;
}

/** Sends requests of dialects to where they are answered. */
export interface Routing {
  /** `here`: answers with a model of this server. */
  answer(
    service: Service,
    dialect: Dialect,
    call: Call,
    here: (call: Call) => Promise<Response>,
  ): Promise<Response>;
  /** Models that are elsewhere alone; `here`: names of those that are not. */
  modelsBeside(here: readonly string[]): readonly { readonly name: string; readonly upstream: string }[];
}

export interface ServiceOptions {
  readonly models: Models;
  /** Who may ask, and what they have used. Default: everybody. */
  readonly usage?: Usage;
  readonly observer?: RequestObserver;
  readonly bodyLimits?: BodyLimits;
  /** Told when the body of a request has been read. */
  readonly onBody?: (request: Request) => void;
  readonly streamLimits?: StreamLimits;
  /** Whether fields that are not known are ignored. */
  readonly lenient?: boolean;
  /** Default: receipts for who asks for them, without a signature. */
  readonly receipts?: ReceiptOffice;
  /** Where requests are answered, where that can be elsewhere. */
  readonly routing?: Routing;
}

/** Names of unknown fields that are told of. Clients choose them, so there are bounds. */
const UNKNOWN_TOLD_MAX = 256;

/** What the routes share: the models, the limits, and what is under way. */
export class Service {
  readonly models: Models;
  readonly usage: Usage;
  readonly observer: RequestObserver;
  readonly bodies: BodyReader;
  /** They count from the next stream on. */
  streamLimits?: StreamLimits;
  readonly receipts: ReceiptOffice;
  readonly routing?: Routing;
  /** Ignores an unknown field and tells of it once; undefined where such fields are refused. */
  readonly onUnknown?: (param: string) => void;
  /** Seconds since 1970. */
  readonly createdAt = Math.floor(Date.now() / 1000);
  readonly #runs = new Set<UnderWay>();
  #isDraining = false;
  #isPaused = false;
  #idle: (() => void) | null = null;

  constructor(options: ServiceOptions) {
    this.models = options.models;
    this.usage = options.usage ?? new Usage(new Accounts());
    this.observer = options.observer ?? SILENT_OBSERVER;
    this.bodies = new BodyReader(options.bodyLimits, options.onBody);
    this.streamLimits = options.streamLimits;
    this.receipts = options.receipts ?? new ReceiptOffice();
    this.routing = options.routing;
    if (options.lenient) this.onUnknown = ignoreAloud((field) => this.observer.ignored?.(field));
  }

  get accounts(): Accounts {
    return this.usage.accounts;
  }

  /** Remembers a run until it has ended, and lets go of its model then. */
  track(run: UnderWay, lease?: Disposable): void {
    this.#runs.add(run);
    const forget = () => {
      lease?.[Symbol.dispose]();
      this.#runs.delete(run);
      if (this.#runs.size === 0) this.#idle?.();
    };
    run.results.then(forget, forget);
  }

  /** Throws an ApiError, 503, once the server is to end, and while it takes nothing. */
  throwIfDraining(): void {
    if (this.#isDraining) throw draining();
    if (this.#isPaused) throw draining("The server takes no new requests for now");
  }

  /** Whether requests are taken, and if not why. */
  readiness(): Readiness {
    return this.#isPaused ? { ready: false, state: "draining" } : this.models.readiness();
  }

  /** Takes nothing more until `resume()`; what is under way goes on. Gives how much that is. */
  pause(): { readonly state: string; readonly running: number } {
    this.#isPaused = true;
    return this.#state;
  }

  /** Takes requests again, unless the server is to end. */
  resume(): { readonly state: string; readonly running: number } {
    this.#isPaused = false;
    return this.#state;
  }

  get #state() {
    return { state: this.readiness().state, running: this.#runs.size };
  }

  /** Takes nothing more, lets what is under way end, and after `ms` ends it with an error. */
  async drain(ms: number): Promise<void> {
    this.#isDraining = true;
    this.models.drain();
    if (this.#runs.size === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle = resolve);
    const timer = setTimeout(() => this.failAll(), ms);
    await idle;
    clearTimeout(timer);
  }

  /** Ends all that is under way with an error. */
  failAll(): void {
    for (const run of [...this.#runs]) run.fail(draining());
  }
}

function draining(message = "The server is shutting down"): ApiError {
  return new ApiError(503, message, { code: "draining", retryAfterMs: 5000 });
}

/**
 * Counts each unknown field that was ignored, and says it once: who runs a server shall see what its clients ask for
 * in vain.
 */
function ignoreAloud(count: (field: string) => void): (param: string) => void {
  const told = new Set<string>();
  return (param) => {
    const name = param.replaceAll(/\[\d+\]/g, "[]");
    const isKnown = told.has(name);
    count(isKnown || told.size < UNKNOWN_TOLD_MAX ? name : "…");
    if (isKnown || told.size >= UNKNOWN_TOLD_MAX) return;
    told.add(name);
    // Quoted: a name may hold anything.
    printNote(
      `kumi: ignored a field that is not known, ${oneLine(JSON.stringify(name))} (said once for each)`,
    );
  };
}
