/** The HTTP interface as a handler for Deno.serve. @module */

import { DEFAULT_CLASSES, type LatencyClass } from "../../scheduler/mod.ts";
import { checkOptions, wrongType } from "../protocol/arguments.ts";
import type { LoadProgress } from "../protocol/options/load.ts";
import type { Model } from "../client/model.ts";
import { Accounts } from "./accounts/accounts.ts";
import type { KnownNames } from "./accounts/rules.ts";
import { Usage } from "./accounts/usage.ts";
import { keepUsage } from "./accounts/usage_file.ts";
import { Batches } from "./batches/batches.ts";
import { batchRoutes } from "./batches/routes.ts";
import { ENDPOINTS } from "./dialects/endpoints.ts";
import { Front } from "./front.ts";
import { BODY_LIMITS } from "./guard/json_body.ts";
import { ModelHost, type Readiness } from "./model_host.ts";
import { FixedModels, type Models } from "./models.ts";
import { CHANGES_CHECKS, HANDLER_CHECKS } from "./option_checks.ts";
import { type HandlerChanges, type HandlerOptions, SERVE_DEFAULTS } from "./options.ts";
import type { SharedModels } from "./residency/shared_models.ts";
import { Service } from "./service.ts";
import { ReceiptOffice } from "./receipts/office.ts";
import { Routing } from "./upstreams/routing.ts";
import { type Watch, watch, type WatcherOptions } from "./watch.ts";
import { watchShared } from "./watch_shared.ts";
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
  /** Changes what can change while it answers. Throws a TypeError or RangeError for what cannot be, and changes nothing then. */
  update(changes: HandlerChanges): void;
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
export function handlerOf(
  model: Model | Promise<Model>,
  options: HandlerOptions,
  aliases: readonly string[] = [],
): Handler {
  const host = new ModelHost(model, options.canaryMs ?? SERVE_DEFAULTS.canaryMs);
  const modelName = options.modelName ?? "kumi";
  const classes = options.classes ?? DEFAULT_CLASSES;
  const routing = options.routing && new Routing(options.routing, { classesOf: () => classes });
  const { handle, service, own } = assemble(new FixedModels([{ name: modelName, host }], aliases), options, {
    watch: (figures) =>
      watch({
        ...options,
        ...figures,
        ...watching(options, routing),
        modelName,
        source: () => host.loaded,
      }),
    settled: host.settled,
    routing,
    classes,
  });
  return Object.assign(handle, {
    readiness: () => service.readiness(),
    noteProgress: (progress: LoadProgress) => {
      host.progress = progress;
    },
    settled: host.settled,
    drain: own.drain,
    update: own.update,
    close: () => {
      own.close();
      host.close();
      routing?.close();
    },
  });
}

/** What answers requests for models that share the memory. */
export interface SharedHandler extends Pick<Handler, "drain" | "close" | "update"> {
  (request: Request): Promise<Response>;
}

/** A handler for models that come and go. They stay their owner's. */
export function sharedHandlerOf(models: SharedModels, options: HandlerOptions): SharedHandler {
  const classesOf = (name: string) =>
    models.served(name) !== undefined ? models.classesOf(name) : models.classes;
  const routing = options.routing && new Routing(options.routing, { classesOf });
  const { handle, own } = assemble(models, options, {
    watch: (figures) => watchShared(models, { ...options, ...figures, ...watching(options, routing) }),
    settled: Promise.resolve(),
    routing,
    classes: models.known().flatMap(({ name }) => models.classesOf(name)),
  });
  return Object.assign(handle, {
    drain: own.drain,
    update: own.update,
    close: () => {
      own.close();
      routing?.close();
    },
  });
}

/** Who else hears of requests, and what is told of where they go. */
function watching({ observer }: HandlerOptions, routing: Routing | undefined) {
  const observers = [observer, routing?.observer].filter((each) => each !== undefined);
  return { observers, routes: routing?.metrics };
}

/** What makes a server of models. */
interface Sources {
  readonly watch: (figures: Pick<WatcherOptions, "batchFigures" | "usage">) => Watch;
  /** Resolves when batches may be begun. */
  readonly settled: Promise<void>;
  /** Other servers, where there are any. */
  readonly routing?: Routing;
  /** The latency classes of all models. */
  readonly classes: readonly LatencyClass[];
}

/** What rules of keys may name. */
function namesOf(models: Models, { routing, classes }: Pick<Sources, "routing" | "classes">): KnownNames {
  const elsewhere = new Set(routing?.policy.models.map(({ name }) => name));
  return {
    classes: [...new Set(classes.map(({ name }) => name))],
    hasModel: (name) => models.served(name) !== undefined || elsewhere.has(name),
    mayGrow: models.mayGrow,
  };
}

/** Changes all or nothing: only keys can be refused, and they come first. */
function changer(service: Service, front: Front, routing?: Routing): Handler["update"] {
  return (changes) => {
    checkOptions("update()", changes, CHANGES_CHECKS);
    const { apiKeys, keys, keyData, allowHosts, cors, bodyLimits, streamLimits } = changes;
    service.accounts.replace({ apiKeys, keys });
    if (keyData !== undefined) routing?.relabel(keyData, (tenant) => service.accounts.knows(tenant));
    front.admit({ allowHosts, cors });
    service.bodies.limits = { ...service.bodies.limits, ...bodyLimits };
    service.streamLimits = { ...STREAM_LIMITS, ...service.streamLimits, ...streamLimits };
  };
}

function assemble(models: Models, options: HandlerOptions, sources: Sources) {
  const { watch, settled, routing } = sources;
  // What was made ends again where something below cannot be.
  using made = new DisposableStack();
  const usage = new Usage(
    new Accounts(options, namesOf(models, sources)),
    models.isShared ? {} : { model: models.first },
  );
  if (options.usageFile !== undefined) {
    made.adopt(keepUsage(usage, options.usageFile), (file) => file.close());
  }
  const watched = made.adopt(
    watch({ batchFigures: () => batches?.figures, usage }),
    (watched) => watched.close(),
  );
  const service = new Service({
    models,
    usage,
    observer: watched.observer,
    onBody: options.onBody,
    lenient: options.lenient,
    receipts: new ReceiptOffice(options.receipts, () => watched.observer.receiptLost?.()),
    routing,
    bodyLimits: { ...BODY_LIMITS, ...options.bodyLimits },
    streamLimits: { ...STREAM_LIMITS, ...options.streamLimits },
  });
  const { batches: kept, classes } = options;
  const batches: Batches | undefined = kept === undefined ? undefined : made.adopt(
    new Batches(kept, service, { endpoints: ENDPOINTS, classes, settled }),
    (batches) => void batches.stop(),
  );
  const routes = [...watched.routes, ...batchRoutes(service, batches), ...options.routes ?? []];
  const front = new Front(service, { ...options, endpoints: ENDPOINTS, routes });
  const all = made.move();
  return {
    handle: (request: Request) => front.handle(request),
    service,
    own: {
      update: changer(service, front, routing),
      drain: async (ms: number) => {
        // What is left of them is for the next server.
        const stopped = batches?.stop();
        await service.drain(ms);
        await stopped;
      },
      close: () => all.dispose(),
    },
  };
}
