/** The HTTP interface as a handler for Deno.serve. @module */

import { DEFAULT_CLASSES } from "../../scheduler/mod.ts";
import { checkOptions, wrongType } from "../protocol/arguments.ts";
import type { LoadProgress } from "../protocol/options/load.ts";
import type { Model } from "../client/model.ts";
import { Batches } from "./batches/batches.ts";
import { batchRoutes } from "./batches/routes.ts";
import { ENDPOINTS } from "./dialects/endpoints.ts";
import { Front } from "./front.ts";
import { BODY_LIMITS } from "./guard/json_body.ts";
import { ModelHost, type Readiness } from "./model_host.ts";
import { Models } from "./models.ts";
import { HANDLER_CHECKS } from "./option_checks.ts";
import { type HandlerOptions, SERVE_DEFAULTS } from "./options.ts";
import { Service } from "./service.ts";
import { ReceiptOffice } from "./receipts/office.ts";
import { Routing } from "./upstreams/routing.ts";
import { watch } from "./watch.ts";
import { STREAM_LIMITS } from "./sse.ts";

/** Answers requests; also tells how it is and lets go of them. */
export interface Handler {
  (request: Request): Promise<Response>;
  /** Whether it would take requests, and if not why. */
  readiness(): Readiness;
  /** How far loading has come, for /readyz. */
  noteProgress(progress: LoadProgress): void;
  /** Resolves when the model is there and tested, or is not to be had. */
  readonly settled: Promise<void>;
  /** Refuses new requests, waits for those under way, and after `ms` ends them with an error. */
  drain(ms: number): Promise<void>;
  /** Ends its timers. The model stays open. */
  close(): void;
}

/**
 * A handler for a program's own server. `model` may still be loading: until it is there, requests are refused
 * with 503.
 *
 * Of a request without `stream` Deno.serve does not tell that its client has left (as of 2.9; its signal
 * stays silent where the body came after the headers): its answer is computed to its end. `serve()` sees it,
 * since its gate does; so does a handler whose `clientLeft` is told by whoever has the connection.
 *
 * ```ts
 * import { loadModel } from "@kumi/kumi";
 *
 * await using model = await loadModel("demo");
 * const handler = createHandler(model);
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0 }, handler); // 0: any port that is free
 * const { port } = server.addr;
 * const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
 * console.log(await answer.text());
 * handler.close();
 * ```
 *
 * Throws a TypeError or RangeError for arguments that cannot be.
 */
export function createHandler(model: Model | Promise<Model>, options: HandlerOptions = {}): Handler {
  if (typeof model !== "object" || model === null) {
    throw wrongType("model", "a loaded model or a promise of one", model);
  }
  checkOptions("createHandler()", options, HANDLER_CHECKS);
  return handlerOf(model, options);
}

/** {@linkcode createHandler} for options that were checked, and may have others beside them. */
export function handlerOf(model: Model | Promise<Model>, options: HandlerOptions): Handler {
  const host = new ModelHost(model, options.canaryMs ?? SERVE_DEFAULTS.canaryMs);
  const modelName = options.modelName ?? "kumi";
  const routing = options.routing &&
    new Routing(options.routing, { classes: options.classes ?? DEFAULT_CLASSES });
  const watched = watch({
    ...options,
    observers: [options.observer, routing?.observer].filter((each) => each !== undefined),
    routes: routing?.metrics,
    modelName,
    source: () => host.loaded,
    batchFigures: () => batches?.figures,
  });
  const service = new Service({
    models: new Models({ name: modelName, host }),
    observer: watched.observer,
    onBody: options.onBody,
    lenient: options.lenient,
    receipts: new ReceiptOffice(options.receipts, () => watched.observer.receiptLost?.()),
    routing,
    bodyLimits: { ...BODY_LIMITS, ...options.bodyLimits },
    streamLimits: { ...STREAM_LIMITS, ...options.streamLimits },
  });
  const { batches: kept, classes } = options;
  const batches = kept === undefined
    ? undefined
    : new Batches(kept, service, { endpoints: ENDPOINTS, classes });
  const routes = [...watched.routes, ...batchRoutes(service, batches), ...options.routes ?? []];
  const front = new Front(service, { ...options, endpoints: ENDPOINTS, routes });
  return Object.assign((request: Request) => front.handle(request), {
    readiness: () => service.models.readiness(),
    noteProgress: (progress: LoadProgress) => {
      host.progress = progress;
    },
    settled: host.settled,
    drain: async (ms: number) => {
      // What is left of them is for the next server.
      const stopped = batches?.stop();
      await service.drain(ms);
      await stopped;
    },
    close: () => {
      watched.close();
      host.close();
      routing?.close();
      void batches?.stop();
    },
  });
}
