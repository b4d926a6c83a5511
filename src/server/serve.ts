/** A server of its own: listens, loads the model, ends in order. @module */

import { checkOptions } from "../protocol/arguments.ts";
import { loadModel, type Model } from "../client/model.ts";
import { LOAD, type LoadOptions } from "../protocol/options/load.ts";
import { DEFAULT_CLASSES } from "../../scheduler/mod.ts";
import { ServerEnergy } from "./energy.ts";
import { ApiKeys } from "./guard/keys.ts";
import { hostName, isLoopback } from "./guard/origin.ts";
import { type Handler, handlerOf } from "./handler.ts";
import { listen } from "./listening.ts";
import type { Listening } from "./gate/listening.ts";
import { defaultModelName } from "./model_name.ts";
import { SERVE_CHECKS } from "./option_checks.ts";
import { SERVE_DEFAULTS, type ServeOptions } from "./options.ts";

/** A server that listens. */
export interface KumiServer {
  /** Such as http://127.0.0.1:8080. */
  readonly url: string;
  readonly port: number;
  /** The model, once it is loaded and tested. Rejects when it cannot be loaded; then the server has ended. */
  readonly ready: Promise<Model>;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
  /**
   * Refuses new requests, lets those under way end for `drainSeconds`, frees the model. May be called again.
   */
  shutdown(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
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
  const { hostname, port, drainSeconds, model: spec } = { ...SERVE_DEFAULTS, ...defined(options) };
  checkExposure(hostname, options);
  const abort = new AbortController();
  let handler: Handler | undefined;
  const loading = loadModel(spec, {
    ...loadOptions(options),
    signal: abort.signal,
    progress: (progress) => handler?.noteProgress(progress),
  });
  loading.catch(() => {});
  const energy = new ServerEnergy();
  let server: Listening | undefined;
  try {
    handler = handlerOf(loading, {
      ...options,
      connections: () => server?.figures,
      energy: () => energy.figures,
      onBody: (request) => server?.arrive?.(request),
      clientLeft: (request) => server?.left?.(request),
      modelName: options.modelName ?? defaultModelName(spec),
      allowHosts: [...options.allowHosts ?? [], ...hostName(hostname) === null ? [] : [hostName(hostname)!]],
    });
    server = listen({ hostname, port }, options.gate ?? {}, handler);
  } catch (error) {
    abort.abort(error);
    throw error;
  }
  const drainMs = drainSeconds * 1000, isIsolated = options.isolation === "process";
  const running = new Running({ server, handler, energy, loading, isIsolated, abort, drainMs });
  options.onListen?.(running.url);
  return running;
}

/** What a running server is made of. */
interface Parts {
  readonly server: Listening;
  readonly handler: Handler;
  readonly energy: ServerEnergy;
  readonly loading: Promise<Model>;
  /** Whether the engine has a process of its own. */
  readonly isIsolated: boolean;
  /** Stops loading. */
  readonly abort: AbortController;
  readonly drainMs: number;
}

class Running implements KumiServer {
  readonly url: string;
  readonly port: number;
  readonly ready: Promise<Model>;
  readonly finished: Promise<void>;
  readonly #finished = Promise.withResolvers<void>();
  readonly #parts: Parts;
  #ending: Promise<void> | null = null;

  constructor(parts: Parts) {
    const { server } = parts;
    const { hostname, port } = server.addr;
    this.url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    this.port = port;
    this.finished = this.#finished.promise;
    this.#parts = parts;
    this.ready = this.#load();
    this.ready.catch(() => {});
  }

  async #load(): Promise<Model> {
    try {
      const model = await this.#parts.loading;
      // A server that is to survive native code has none in its own process.
      if (this.#ending === null && !this.#parts.isIsolated) this.#parts.energy.start();
      await this.#parts.handler.settled;
      return model;
    } catch (error) {
      await this.shutdown();
      throw error;
    }
  }

  shutdown(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    const { server, handler, energy, loading, abort, drainMs } = this.#parts;
    abort.abort(new DOMException("The server was shut down", "AbortError"));
    await handler.drain(drainMs);
    handler.close();
    energy[Symbol.dispose]();
    // Clients that do not read the end of their answers must not keep the server.
    const timer = setTimeout(() => server.cut(), FLUSH_MS);
    await server.shutdown();
    clearTimeout(timer);
    const model = await loading.catch(() => null);
    await model?.close();
    this.#finished.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}

/** Throws a RangeError where anybody on the network could use the server. */
function checkExposure(hostname: string, { apiKeys = [], insecure = false }: ServeOptions): void {
  if (isLoopback(hostname) || insecure || !new ApiKeys(apiKeys).isOpen) return;
  throw new RangeError(
    `Listening on ${hostname} opens the server to other machines: give it API keys (--api-keys FILE, KUMI_API_KEYS), ` +
      "or --insecure if everybody who reaches it may use it",
  );
}

/** The part of the options that loading takes. A server may refuse, so its classes do by default. */
function loadOptions(options: ServeOptions): LoadOptions {
  const given = Object.entries(options).filter(([name, value]) =>
    Object.hasOwn(LOAD, name) && value !== undefined
  );
  return { classes: DEFAULT_CLASSES, ...Object.fromEntries(given) };
}

function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
