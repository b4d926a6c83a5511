/** The options of a server and of its handler. @module */

import type { LatencyClass } from "../../scheduler/mod.ts";
import type { LoadOptions } from "../protocol/options/load.ts";
import type { KeyOptions } from "./accounts/rules.ts";
import type { BatchOptions } from "./batches/batches.ts";
import type { DocumentAnswer } from "./documents.ts";
import type { EnergyFigures } from "./energy.ts";
import type { GateLimits } from "./gate/limits.ts";
import type { HeaderLimits } from "./guard/headers.ts";
import type { BodyLimits } from "./guard/json_body.ts";
import type { OriginRules } from "./guard/origin.ts";
import type { ConnectionFigures } from "./metrics/server_metrics.ts";
import type { RequestObserver } from "./observer.ts";
import type { ReceiptOptions } from "./receipts/office.ts";
import type { SharedModel } from "./residency/entry.ts";
import type { AdminActions } from "./routes/admin.ts";
import type { Route } from "./service.ts";
import type { StreamLimits } from "./sse.ts";
import type { RoutingOptions } from "./upstreams/options.ts";

/** How a handler answers. All optional. */
export interface HandlerOptions extends OriginRules, KeyOptions {
  /** The model's name in requests and responses. Default: "kumi". */
  readonly modelName?: string;
  /**
   * Ms between two requests that test whether the model still answers the same; 0: one at the start. Default
   * 60,000.
   */
  readonly canaryMs?: number;
  /**
   * The model's latency classes, for the metrics of how well their objectives are met; default: the default
   * ones.
   */
  readonly classes?: readonly LatencyClass[];
  /** How many connections there are, for the metrics, where somebody counts them. */
  readonly connections?: () => ConnectionFigures | undefined;
  /** What the machine takes, for the metrics and the page, where somebody counts it. */
  readonly energy?: () => EnergyFigures | undefined;
  /** Told when the body of a request has been read. */
  readonly onBody?: (request: Request) => void;
  /**
   * What aborts when the client of a request has left, where somebody knows more of its connection than the
   * request's own signal; reason `HALF_CLOSED`: it may still read, which a stream finds out.
   */
  readonly clientLeft?: (request: Request) => AbortSignal | undefined;
  /** Takes a line of JSON for each request, without text of prompts or answers. */
  readonly accessLog?: (line: string) => void;
  /** Hears what happens, beside the metrics. */
  readonly observer?: RequestObserver;
  readonly bodyLimits?: Partial<BodyLimits>;
  readonly streamLimits?: Partial<StreamLimits>;
  readonly headerLimits?: HeaderLimits;
  /**
   * Ignore fields of requests that are not known, and say so once for each on stderr; default: refuse them.
   */
  readonly lenient?: boolean;
  /** Keep files and do batches of requests; default: neither, and `/v1/files` and `/v1/batches` say so. */
  readonly batches?: BatchOptions;
  /** How receipts are given; default: to who asks for them, without a signature. */
  readonly receipts?: ReceiptOptions;
  /** Other servers that may answer requests, and which; default: all are answered here. */
  readonly routing?: RoutingOptions;
  /** Answers for `/docs` and `/openapi.json`; default: with the whole text, in its usual media type. */
  readonly documents?: DocumentAnswer;
  /** Shows browsers a page: a chat, what the machine does. Default true. */
  readonly page?: boolean;
  /** A file that keeps what keys have used, so that days and their limits go on after a restart. Default: none. */
  readonly usageFile?: string;
  /** Reads what has changed about the server, for `POST /admin/reload`; default: there is no such path. */
  readonly onReload?: AdminActions["onReload"];
  /** Begins to end the server, for `POST /admin/shutdown`; default: `serve()` does, of a handler there is no such path. */
  readonly onShutdown?: AdminActions["onShutdown"];
  /** Answers at more paths. They need a key unless they are public. */
  readonly routes?: readonly Route[];
}

/** How a server runs. All optional. */
export interface ServeOptions extends HandlerOptions, Omit<LoadOptions, "progress" | "signal" | "classes"> {
  /** A path to a GGUF file, `hf:owner/repo/file.gguf`, a name such as "smollm2", or "demo", the default. */
  readonly model?: string;
  /** Other names for the model in requests. */
  readonly aliases?: readonly string[];
  /** Where to listen. Default 127.0.0.1: only this machine reaches it. */
  readonly hostname?: string;
  /** Default 8080; 0: any that is free. */
  readonly port?: number;
  /** Listen beyond this machine without API keys. */
  readonly insecure?: boolean;
  /**
   * Limits of the gate that clients pass, for what Deno.serve does not limit: connections, and the time and
   * size of requests' heads. false: no gate; then requests without `stream` are computed to their ends when
   * their clients leave.
   */
  readonly gate?: Partial<GateLimits> | false;
  /** How long requests under way may go on once the server is to end, in s. Default 30. */
  readonly drainSeconds?: number;
  /** Called when the server listens. */
  readonly onListen?: (url: string) => void;
}

/** What can change about a handler while it answers. What is not given stays. */
export interface HandlerChanges
  extends OriginRules, KeyOptions, Pick<HandlerOptions, "bodyLimits" | "streamLimits"> {
  /** Of a server with upstreams: as in its options for routing. */
  readonly keyData?: RoutingOptions["keyData"];
}

/** What can change about a server while it runs. What is not given stays. */
export interface ServerChanges extends HandlerChanges, Pick<ServeOptions, "drainSeconds"> {}

/** How a server with several models runs. Options of loading are for all models that have none of their own. */
export interface ServeModelsOptions extends Omit<ServeOptions, "model" | "modelName" | "aliases"> {
  /** The models by their names. The first answers requests that choose none. */
  readonly models?: readonly SharedModel[];
  /** A folder whose GGUF files, and folders of safetensors, are models too, called as they are. It is looked into again. */
  readonly modelsDir?: string;
  /** Further names of models in requests: the model's name by each. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Ms after its last use at which a model leaves memory; default: when another one needs the room. */
  readonly keepAliveMs?: number;
  /** Bytes that all models together may take; default: what this process may use. */
  readonly memoryBytes?: number;
  /** Ms that a request waits for its model where neither it nor its class says how long. Default 300,000. */
  readonly loadWaitMs?: number;
  /** Told when a model was loaded, has left, or could not be loaded, in a sentence. */
  readonly onNote?: (text: string) => void;
}

/** What the options are that have one value by default. */
export const SERVE_DEFAULTS = {
  hostname: "127.0.0.1",
  port: 8080,
  drainSeconds: 30,
  model: "demo",
  canaryMs: 60_000,
} as const;
