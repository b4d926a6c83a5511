/** A server whose models share the memory. @module */

import { checkOptions } from "../protocol/arguments.ts";
import { loadModel } from "../client/model.ts";
import { checkThere, locateModel } from "../client/locate_model.ts";
import { ServerEnergy } from "./energy.ts";
import type { Listening } from "./gate/listening.ts";
import { type SharedHandler, sharedHandlerOf } from "./handler.ts";
import { SERVE_MODELS_CHECKS } from "./option_checks.ts";
import { SERVE_DEFAULTS, type ServeModelsOptions } from "./options.ts";
import { Catalog } from "./residency/catalog.ts";
import { measure, measuredOptions } from "./residency/measure.ts";
import { type Loader, SharedModels } from "./residency/shared_models.ts";
import { defined, listenFor, loadOptions, ownHosts, Running, type RunningServer } from "./serve.ts";

/** A server whose models come and go. */
export interface KumiModelsServer extends RunningServer {
  /** Resolves when requests are taken. Models are loaded when they are asked for. */
  readonly ready: Promise<void>;
}

/** Files from where they are, or where they are downloaded to; engines in workers. */
const LOADER: Loader = {
  async measure({ model }, options, limitBytes, signal) {
    const { progress, onWait, draft } = options;
    const locate = (spec: string) =>
      locateModel(spec, {
        signal,
        onWait,
        progress: (doneBytes, totalBytes) => progress?.({ phase: "download", doneBytes, totalBytes }),
      });
    const path = await locate(model);
    const draftPath = draft === undefined ? undefined : await locate(draft);
    const request = { path, draftPath, options: measuredOptions(options), limitBytes };
    return { path, ...await measure(request, signal) };
  },
  load: loadModel,
};

/**
 * Serves several models over HTTP. Each is loaded when it is first asked for, and stays until another one needs its room or
 * `keepAliveMs` have passed; all together never take more than `memoryBytes`.
 *
 * ```ts
 * const models = [{ name: "a", model: "demo" }, { name: "b", model: "demo", kvTokens: 1024 }];
 * await using server = serveModels({ models, port: 0 }); // 0: any port that is free
 * const answer = await fetch(`${server.url}/v1/completions`, {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ model: "b", prompt: "Once upon a time", max_tokens: 8 }),
 * });
 * console.log((await answer.json()).choices[0].text);
 * ```
 *
 * Throws a TypeError or RangeError for options that cannot be, such as two models of one name or one without a file; Deno's errors where it cannot
 * listen, or read the folder of models.
 */
export function serveModels(options: ServeModelsOptions): KumiModelsServer {
  checkOptions("serveModels()", options, SERVE_MODELS_CHECKS);
  const { models: named = [], modelsDir, aliases, keepAliveMs, memoryBytes, loadWaitMs, onNote, ...rest } =
    options;
  for (const { name, model } of named) checkFile(name, model);
  const { drainSeconds, canaryMs } = { ...SERVE_DEFAULTS, ...defined(rest) };
  const models = new SharedModels({
    catalog: new Catalog(named, modelsDir, aliases),
    loader: LOADER,
    load: loadOptions(rest),
    ...{ memoryBytes, keepAliveMs, loadWaitMs, canaryMs },
    note: onNote,
  });
  const energy = new ServerEnergy();
  let handler: SharedHandler | undefined;
  let server: Listening;
  try {
    server = listenFor(
      { ...rest, energy: () => energy.figures },
      (more) => handler = sharedHandlerOf(models, { onShutdown: () => void running.shutdown(), ...more }),
    );
  } catch (error) {
    handler?.close();
    void models.close();
    throw error;
  }
  const running = new Running({
    server,
    handler: handler!,
    energy,
    stop: () => models.drain(),
    free: () => models.close(),
    drainSeconds,
    ownHosts: ownHosts(options),
  });
  // A server that is to survive native code has none in its own process.
  if (rest.isolation !== "process") running.countEnergy();
  options.onListen?.(running.url);
  return Object.assign(running, { ready: Promise.resolve() });
}

/** A model that is not there is found now, and not by who asks for it. Throws a RangeError. */
function checkFile(name: string, model: string): void {
  try {
    checkThere(model);
  } catch (error) {
    throw new RangeError(`The model ${JSON.stringify(name)} cannot be served: ${(error as Error).message}`);
  }
}
