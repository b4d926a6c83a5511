/** A server of its own: listens, loads the model, ends in order. @module */

import { checkOptions } from "../protocol/arguments.ts";
import { loadModel, type Model } from "../client/model.ts";
import { LOAD, type LoadOptions } from "../protocol/options/load.ts";
import { DEFAULT_CLASSES, type LatencyClass } from "../../scheduler/mod.ts";
import { ServerEnergy } from "./energy.ts";
import { hostName, isLoopback } from "./guard/origin.ts";
import { type Handler, handlerOf } from "./handler.ts";
import { listen } from "./listening.ts";
import type { Listening } from "./gate/listening.ts";
import { defaultModelName } from "./model_name.ts";
import { CHANGES_CHECKS, SERVE_CHECKS } from "./option_checks.ts";
import { SERVE_DEFAULTS, type ServeOptions, type ServerChanges } from "./options.ts";

/** A server that listens, whatever it serves. */
export interface RunningServer extends AsyncDisposable {
  /** Such as http://127.0.0.1:8080. */
  readonly url: string;
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
  /**
   * Changes what can change while it runs: keys and their rules, names and pages that may ask, limits of bodies and streams,
   * `drainSeconds`. Requests under way go on as they began. Throws a TypeError or RangeError for what cannot be, such as no keys
   * where there were some, and changes nothing then.
   */
  update(changes: ServerChanges): void;
  /**
   * Refuses new requests, lets those under way end for `drainSeconds`, frees what it has loaded. May be called again.
   */
  shutdown(): Promise<void>;
}

/** A server with a model. */
export interface KumiServer extends RunningServer {
  /** The model, once it is loaded and tested. Rejects when it cannot be loaded; then the server has ended. */
  readonly ready: Promise<Model>;
}

/** After requests were ended with an error: for how long clients may still read it, in ms. */
const FLUSH_MS = 2000;

/**
 * Serves a model over HTTP, as OpenAI's clients expect it. It listens before the model is loaded and answers
 * 503 until then.
 *
 * ```ts
 * await using server = serve({ model: "demo", port: 0 }); // 0: any port that is free
 * await server.ready;
 * const answer = await fetch(`${server.url}/v1/completions`, {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ prompt: "Once upon a time", max_tokens: 8 }),
 * });
 * console.log((await answer.json()).choices[0].text);
 * ```
 *
 * Throws a TypeError or RangeError for options that cannot be, above all for a host beyond this machine
 * without API keys; Deno's errors where it cannot listen.
 */
export function serve(options: ServeOptions = {}): KumiServer {
  checkOptions("serve()", options, SERVE_CHECKS);
  const { drainSeconds, model: spec, aliases } = { ...SERVE_DEFAULTS, ...defined(options) };
  const abort = new AbortController();
  const { promise: loading, resolve: loaded, reject: failed } = Promise.withResolvers<Model>();
  loading.catch(() => {});
  const energy = new ServerEnergy();
  let handler: Handler | undefined;
  let server: Listening;
  try {
    server = listenFor(
      { ...options, energy: () => energy.figures },
      (more) =>
        handler = handlerOf(
          loading,
          {
            onShutdown: () => void running.shutdown(),
            ...more,
            modelName: options.modelName ?? defaultModelName(spec),
          },
          aliases,
        ),
    );
  } catch (error) {
    failed(error);
    handler?.close();
    throw error;
  }
  // Only now: an error above must leave no file half read.
  loadModel(spec, {
    ...loadOptions(options),
    signal: abort.signal,
    progress: (progress) => handler!.noteProgress(progress),
  }).then(loaded, failed);
  const running = new Running({
    server,
    handler: handler!,
    energy,
    stop: () => abort.abort(new DOMException("The server was shut down", "AbortError")),
    free: async () => {
      const model = await loading.catch(() => null);
      await model?.close();
    },
    drainSeconds,
    ownHosts: ownHosts(options),
  });
  const ready = readiness(loading, handler!, running, options.isolation === "process");
  ready.catch(() => {});
  options.onListen?.(running.url);
  return Object.assign(running, { ready });
}

async function readiness(
  loading: Promise<Model>,
  handler: Handler,
  running: Running,
  isIsolated: boolean,
): Promise<Model> {
  try {
    const model = await loading;
    // A server that is to survive native code has none in its own process.
    if (!isIsolated) running.countEnergy();
    await handler.settled;
    return model;
  } catch (error) {
    await running.shutdown();
    throw error;
  }
}

/**
 * Listens with the handler that `create` makes, which is told what only the listening socket knows. Throws as
 * {@linkcode serve}.
 */
export function listenFor(
  options: ServeOptions,
  create: (options: ServeOptions) => (request: Request) => Promise<Response>,
): Listening {
  const { hostname, port } = { ...SERVE_DEFAULTS, ...defined(options) };
  checkExposure(hostname, options);
  let server: Listening | undefined;
  const handler = create({
    ...options,
    connections: () => server?.figures,
    onBody: (request) => server?.arrive?.(request),
    clientLeft: (request) => server?.left?.(request),
    allowHosts: [...options.allowHosts ?? [], ...ownHosts(options)],
  });
  return server = listen({ hostname, port }, options.gate ?? {}, handler);
}

/** The name by which a server listens: it answers to it. */
export function ownHosts(options: Pick<ServeOptions, "hostname">): string[] {
  const name = hostName({ ...SERVE_DEFAULTS, ...defined(options) }.hostname);
  return name === null ? [] : [name];
}

/** What a running server is made of. */
interface Parts {
  readonly server: Listening;
  readonly handler: Pick<Handler, "drain" | "close" | "update">;
  readonly energy: ServerEnergy;
  /** Stops loading. */
  readonly stop: () => void;
  /** Frees what was loaded. */
  readonly free: () => Promise<void>;
  readonly drainSeconds: number;
  readonly ownHosts: readonly string[];
}

/** Ends a server in order. */
export class Running implements RunningServer {
  readonly url: string;
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #finished = Promise.withResolvers<void>();
  readonly #parts: Parts;
  #drainSeconds: number;
  #ending: Promise<void> | null = null;

  constructor(parts: Parts) {
    const { hostname, port } = parts.server.addr;
    this.url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    this.port = port;
    this.finished = this.#finished.promise;
    this.#parts = parts;
    this.#drainSeconds = parts.drainSeconds;
  }

  /** Counts what the machine takes from now on. The library must be there. */
  countEnergy(): void {
    if (this.#ending === null) this.#parts.energy.start();
  }

  update({ drainSeconds = this.#drainSeconds, ...changes }: ServerChanges): void {
    checkOptions("update()", { drainSeconds }, CHANGES_CHECKS);
    const { handler, ownHosts } = this.#parts;
    const { allowHosts } = changes;
    handler.update(
      allowHosts === undefined ? changes : { ...changes, allowHosts: [...allowHosts, ...ownHosts] },
    );
    this.#drainSeconds = drainSeconds;
  }

  shutdown(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    const { server, handler, energy, stop, free } = this.#parts;
    stop();
    await handler.drain(this.#drainSeconds * 1000);
    handler.close();
    energy[Symbol.dispose]();
    // Clients that do not read the end of their answers must not keep the server.
    const timer = setTimeout(() => server.cut(), FLUSH_MS);
    await server.shutdown();
    clearTimeout(timer);
    await free();
    this.#finished.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}

/** Throws a RangeError where anybody on the network could use the server. */
function checkExposure(hostname: string, { apiKeys = [], insecure = false }: ServeOptions): void {
  if (isLoopback(hostname) || insecure || apiKeys.length > 0) return;
  throw new RangeError(
    `Listening on ${hostname} opens the server to other machines: give it API keys (--api-keys FILE, KUMI_API_KEYS), ` +
      "or --insecure if everybody who reaches it may use it",
  );
}

/** The part of the options that loading takes. A server may refuse, so its classes do by default. */
export function loadOptions(
  options: ServeOptions,
): LoadOptions & { readonly classes: readonly LatencyClass[] } {
  const given = Object.entries(options).filter(([name, value]) =>
    Object.hasOwn(LOAD, name) && value !== undefined
  );
  return { classes: DEFAULT_CLASSES, ...Object.fromEntries(given) };
}

/** The options that are set. */
export function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
