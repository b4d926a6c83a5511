/** Everything that can be set about a server: one table for flags, environment, the configuration file and the help. @module */

import { kvFormatNames } from "../../gguf/kv_format.ts";
import { LOAD_BOUNDS } from "../../protocol/load_bounds.ts";
import type { Field, Fields } from "../api/field.ts";

/** One setting. Its name in the table is its name in the configuration file. */
export interface Setting {
  readonly field: Field;
  /** Name of the flag's argument; none: a switch. */
  readonly value?: string;
  readonly alias?: string;
  readonly help: string;
  /** Only in the file: too much for a flag. */
  readonly isFileOnly?: true;
}

const PATH_MAX = 4096;
const NAME_MAX = 256;

const names: Field = { type: "list", min: 0, max: 64, of: { type: "string", min: 1, max: NAME_MAX } };
const count = (min: number, max: number): Field => ({ type: "integer", min, max });
const within = ({ min, max }: { readonly min: number; readonly max: number }) => count(min, max);

const LATENCY_CLASS = {
  name: { type: "string", min: 1, max: 64, required: true },
  priority: { type: "number", min: -1e6, max: 1e6, required: true },
  maxBatch: { type: "integer", min: 1, max: 65_536, required: true },
  maxWaitMs: { type: "number", min: 0, max: 86_400_000, required: true },
  ttftSloMs: { type: "number", min: 1, max: 86_400_000 },
  itlSloMs: { type: "number", min: 1, max: 86_400_000 },
  queueLimit: {
    type: "object",
    required: true,
    fields: {
      requests: { type: "integer", min: 1, max: 2 ** 20, required: true },
      tokens: { type: "integer", min: 1, max: 2 ** 40, required: true },
    },
  },
  preemptible: { type: "boolean", required: true },
} as const satisfies Fields;

/** In the order of the help text. */
export const SETTINGS = {
  model: {
    field: { type: "string", min: 1, max: PATH_MAX, fallback: "demo" },
    value: "PATH|hf:…",
    alias: "m",
    help: "GGUF file, hf:owner/repo/file.gguf, or demo",
  },
  modelName: {
    field: { type: "string", min: 1, max: NAME_MAX },
    value: "NAME",
    help: "its name in the API; default: the file's",
  },
  host: {
    field: { type: "string", min: 1, max: NAME_MAX, fallback: "127.0.0.1" },
    value: "ADDRESS",
    help: "address to listen on; 0.0.0.0 for all, which needs API keys",
  },
  port: {
    field: { ...count(0, 65_535), fallback: 8080 },
    value: "N",
    alias: "p",
    help: "0: any that is free",
  },
  apiKeys: {
    field: { type: "string", min: 1, max: PATH_MAX },
    value: "FILE",
    help: "file with API keys, one a line; KUMI_API_KEYS has the keys themselves, with commas between",
  },
  insecure: { field: { type: "boolean" }, help: "listen beyond this machine without API keys" },
  allowHost: {
    field: names,
    value: "NAMES",
    help:
      "without API keys: names in the Host header to answer to, beside localhost and addresses; * for any",
  },
  cors: { field: names, value: "ORIGINS", help: "origins whose web pages may use the server" },
  lenient: {
    field: { type: "boolean" },
    help: "ignore fields of requests that are not known instead of refusing them",
  },
  accessLog: {
    field: { type: "boolean" },
    help: "a line of JSON on stdout for each request, without its text",
  },
  drainSeconds: {
    field: { type: "number", min: 0, max: 86_400, fallback: 30 },
    value: "S",
    help: "how long running requests may go on after SIGTERM",
  },
  exitWithParent: {
    field: { type: "boolean" },
    help: "end as after SIGTERM once the process that started the server has gone",
  },
  canarySeconds: {
    field: { type: "number", min: 0, max: 86_400, fallback: 60 },
    value: "S",
    help: "time between test requests; 0: only one at the start",
  },
  threads: {
    field: within(LOAD_BOUNDS.threads),
    value: "N",
    alias: "t",
    help: "threads of each worker; default: its cores",
  },
  workers: {
    field: within(LOAD_BOUNDS.workers),
    value: "N",
    help: "engine workers; default: one for each memory node",
  },
  cpus: { field: { type: "string", min: 1, max: 4096 }, value: "LIST", help: "CPUs to use, such as 0-3,8" },
  context: {
    field: within(LOAD_BOUNDS.contextLength),
    value: "N",
    alias: "c",
    help: "longest request, prompt and answer; default: the model's",
  },
  kvTokens: {
    field: within(LOAD_BOUNDS.kvTokens),
    value: "N",
    help: "tokens of KV cache for all requests of a worker",
  },
  kv: {
    field: { type: "string", max: 8, values: kvFormatNames, fallback: kvFormatNames[0] },
    value: kvFormatNames.join("|"),
    help: "format of the KV cache",
  },
  prefault: { field: { type: "boolean" }, help: "commit the KV cache's memory while loading" },
  hugePages: { field: { type: "boolean" }, help: "ask for huge pages for the KV cache" },
  sequencesMax: {
    field: within(LOAD_BOUNDS.sequencesMax),
    value: "N",
    help: "most requests computed together by a worker; default 32",
  },
  batchTokens: {
    field: within(LOAD_BOUNDS.batchTokensMax),
    value: "N",
    help: "most tokens in a step; default 512",
  },
  headerSeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: 10 },
    value: "S",
    help: "time for the headers of a request to arrive",
  },
  headerKilobytes: {
    field: { type: "number", min: 1, max: 1024, fallback: 16 },
    value: "N",
    help: "largest headers of a request",
  },
  idleSeconds: {
    field: { type: "number", min: 0.05, max: 86_400, fallback: 60 },
    value: "S",
    help: "how long a connection may stay open between requests",
  },
  connectionsMax: { field: { ...count(1, 1_000_000), fallback: 1024 }, value: "N", help: "most connections" },
  connectionsPerAddress: {
    field: count(1, 1_000_000),
    value: "N",
    help: "most connections from one address; default: 64, without limit where only this machine can connect",
  },
  noGate: {
    field: { type: "boolean" },
    help: "no limits on headers' time, idle connections and their number; clients that leave go unnoticed",
  },
  bodyMegabytes: {
    field: { type: "number", min: 0.001, max: 64, fallback: 4 },
    value: "N",
    help: "largest request body",
  },
  bodySeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: 30 },
    value: "S",
    help: "time for a request body to arrive",
  },
  stalledSeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: 30 },
    value: "S",
    help: "how long a client may leave its stream unread",
  },
  classes: {
    field: { type: "list", min: 1, max: 16, of: { type: "object", fields: LATENCY_CLASS } },
    help: "latency classes instead of interactive and batch",
    isFileOnly: true,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The fields of a configuration file. */
export const CONFIG_FIELDS: Fields = Object.fromEntries(
  Object.entries(SETTINGS as Record<string, Setting>).map((
    [name, { field, help }],
  ) => [name, { ...field, help }]),
);

/** `drainSeconds` is --drain-seconds. */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `drainSeconds` is KUMI_DRAIN_SECONDS. */
export function variableOf(name: string): string {
  // KUMI_API_KEYS has keys, not the name of a file.
  const own = name === "apiKeys" ? "apiKeysFile" : name;
  return `KUMI_${own.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
