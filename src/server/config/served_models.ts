/** From settings to the models of a server. @module */

import { parseDuration } from "../../protocol/duration.ts";
import { collect, settingName } from "../../protocol/options/option.ts";
import { SERVE_DEFAULTS, type ServeModelsOptions } from "../options.ts";
import { nameProblem, type SharedModel } from "../residency/entry.ts";
import { type Entry, OWN_OPTIONS, SEVERAL } from "./model_settings.ts";
import type { Settings } from "./settings.ts";

/** What a server is to serve: one model that stays, or several that share the memory. */
export type ServedModels =
  | {
    readonly isShared: false;
    readonly model: string;
    readonly modelName?: string;
    readonly aliases: string[];
  }
  | ({ readonly isShared: true } & Shared);

type Shared =
  & Required<Pick<ServeModelsOptions, "models" | "aliases">>
  & Pick<ServeModelsOptions, "modelsDir" | "keepAliveMs" | "memoryBytes" | "loadWaitMs">;

/** A name before a model, which no path has: one with "=" in it is written with "./" before it. */
const NAMED = /^([^\s./\\=][^/\\=]*)=(.+)$/s;

/** A name without a model, or a model without its name. */
const HALF = /^=|^[^/\\=]+=$/;

/** Throws a RangeError for settings that contradict each other. */
export function servedModels(settings: Settings, defaultName: (model: string) => string): ServedModels {
  const { modelsDir, models = [], keepAlive, memoryMegabytes, loadWaitSeconds, alias = [] } = settings;
  const given = settings.model === undefined
    ? []
    : settings.model.split(SEVERAL).filter((each) => each !== "");
  // With one that shall not stay there is no other to be had than the one by default.
  if (given.length === 0 && models.length === 0 && modelsDir === undefined) given.push(SERVE_DEFAULTS.model);
  const flagged = given.map(readModel);
  const aliases = new Map(alias.map(readAlias));
  const isShared = flagged.length > 1 || models.length > 0 || modelsDir !== undefined ||
    keepAlive !== undefined;
  if (!isShared) {
    if (loadWaitSeconds !== undefined) {
      throw new RangeError(
        "--load-wait-seconds is for models that come and go: one model is loaded when the server starts, and requests are refused until then",
      );
    }
    if (memoryMegabytes !== undefined) {
      throw new RangeError(
        "--memory-megabytes is what several models share: with one model, --context and --kv-tokens say what it takes",
      );
    }
    const { model, name } = flagged[0] ?? { model: SERVE_DEFAULTS.model };
    const modelName = settings.modelName ?? name;
    const own = modelName ?? defaultName(model);
    const other = aliases.entries().find(([, of]) => of !== own);
    if (other !== undefined) {
      throw new RangeError(
        `--alias: ${other[0]} is to be another name of ${other[1]}, which is no model here`,
      );
    }
    return { isShared, model, modelName, aliases: [...aliases.keys()] };
  }
  if (settings.modelName !== undefined && flagged.length !== 1) {
    throw new RangeError("--model-name names one model: of several write --model NAME=MODEL");
  }
  const named = flagged.map(({ name, model }): SharedModel => {
    return { name: settings.modelName ?? name ?? defaultName(model), model };
  });
  return {
    isShared,
    models: [...named, ...(models as readonly Entry[]).map(modelOf)],
    modelsDir,
    aliases: Object.fromEntries(aliases),
    keepAliveMs: keepAlive === undefined ? undefined : parseDuration(keepAlive),
    memoryBytes: memoryMegabytes === undefined ? undefined : Math.round(memoryMegabytes * 2 ** 20),
    loadWaitMs: loadWaitSeconds === undefined ? undefined : loadWaitSeconds * 1000,
  };
}

function readModel(text: string): { readonly name?: string; readonly model: string } {
  const [, name, model] = NAMED.exec(text) ?? [];
  if (model !== undefined) return { name, model };
  if (!HALF.test(text)) return { model: text };
  throw new RangeError(`--model must be MODEL or NAME=MODEL, current value is ${text}`);
}

function readAlias(text: string): [alias: string, name: string] {
  const at = text.indexOf("=");
  const [alias, name] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && name !== "" && nameProblem(alias) === null) return [alias, name];
  throw new RangeError(`--alias must be NAME=MODEL, current value is ${text}`);
}

function modelOf({ name, model, aliases, keepAlive, noPrefixCache, ...own }: Entry): SharedModel {
  return {
    ...collect(OWN_OPTIONS, (option) => own[settingName(option)]),
    name,
    model,
    ...aliases === undefined ? {} : { aliases },
    ...keepAlive === undefined ? {} : { keepAliveMs: parseDuration(keepAlive) },
    ...noPrefixCache ? { prefixCache: false } : {},
  };
}
