/** Which models a server has, as flags, environment and configuration file say it. @module */

import { boolean, type FieldOfKind, list, number, object, text } from "../../protocol/options/kind.ts";
import { parseDuration } from "../../protocol/duration.ts";
import { LOAD } from "../../protocol/options/load.ts";
import { docOf, settableBy, settingName } from "../../protocol/options/option.ts";
import { MODEL_NAME_MAX } from "../residency/entry.ts";
import type { Setting } from "./setting.ts";

/** Between several values of one setting, each of which may have commas. */
export const SEVERAL = "\n";

const PATH_MAX = 4096;
const NAMES_MAX = 64;
const MODELS_MAX = 256;

const name = text(1, MODEL_NAME_MAX);
const duration = text(1, 64);

/** The settings for loading that each model may have of its own. */
export const OWN_OPTIONS = settableBy("operator", LOAD);

const ENTRY: Readonly<Record<string, FieldOfKind>> = {
  name: { kind: name, required: true, doc: "its name in the API" },
  model: { kind: text(1, PATH_MAX), required: true, doc: "as the setting model" },
  aliases: { kind: list(name, 0, NAMES_MAX, "a list of names"), doc: "other names for it in the API" },
  keepAlive: { kind: duration, doc: "as the setting keepAlive" },
  noPrefixCache: { kind: boolean, doc: "as the setting noPrefixCache" },
  ...Object.fromEntries(
    OWN_OPTIONS.map((option) => [settingName(option), { kind: option.kind, doc: docOf(option, "operator") }]),
  ),
};

/** One of several models in a configuration file. */
export interface Entry extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly model: string;
  readonly aliases?: readonly string[];
  readonly keepAlive?: string;
  readonly noPrefixCache?: boolean;
}

/** The settings that say which models there are. */
export const MODEL_SETTINGS = {
  modelName: {
    kind: name,
    value: "NAME",
    help: "its name in the API; default: the file's",
  },
  alias: {
    kind: list(text(1, 2 * MODEL_NAME_MAX), 0, NAMES_MAX, "a list such as gpt-4o=small"),
    value: "NAME=MODEL",
    isList: true,
    help: "another name for a model in the API; may be given several times",
  },
  modelsDir: {
    kind: text(1, PATH_MAX),
    value: "DIR",
    help: "serve the GGUF files of a folder, and its folders of safetensors, under their names",
  },
  models: {
    kind: list(object<Entry>(ENTRY), 0, MODELS_MAX, "a list of models"),
    help: "models by name, each with what is its own of the settings for loading",
  },
  keepAlive: {
    kind: duration,
    value: "DURATION",
    read: parseDuration,
    help:
      "unload a model after so long without requests, such as 5m; default: when another one needs its memory",
  },
  memoryMegabytes: {
    kind: number(1, 1e9),
    value: "N",
    help: "memory that several models may take together; default: what this process may use",
  },
  loadWaitSeconds: {
    kind: number(0, 86_400),
    value: "S",
    help:
      "how long a request waits for its model to be loaded where neither a deadline nor its class says it (default 300)",
  },
} as const satisfies Record<string, Setting>;
