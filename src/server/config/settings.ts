/**
 * Everything that can be set about a server: one table for flags, environment, the configuration file and the
 * help.
 * @module
 */

import { MODEL_HELP } from "../../hub/named_models.ts";
import { boolean, integer, list, number, text, type ValueOf } from "../../protocol/options/kind.ts";
import { LOAD, type LoadOptions, PREFIX_STORE_BYTES } from "../../protocol/options/load.ts";
import { docOf, settableBy, settingName } from "../../protocol/options/option.ts";
import { KEY_SETTINGS } from "../accounts/rules.ts";
import { BATCH_DEFAULTS } from "../batches/defaults.ts";
import { GATE_LIMITS } from "../gate/limits.ts";
import { HEADER_LIMITS } from "../guard/headers.ts";
import { BODY_LIMITS } from "../guard/json_body.ts";
import { SERVE_DEFAULTS } from "../options.ts";
import { STREAM_LIMITS } from "../sse.ts";
import { ROUTING_SETTINGS, UPSTREAM_SETTINGS } from "../upstreams/options.ts";
import { MODEL_SETTINGS, SEVERAL } from "./model_settings.ts";
import type { Setting } from "./setting.ts";

export { isFileOnly, type Setting } from "./setting.ts";

const PATH_MAX = 4096;
/** Of all models together. */
const SPECS_MAX = 65_536;
const NAME_MAX = 256;
export const KILOBYTE = 2 ** 10;
export const MEGABYTE = 2 ** 20;

const names = list(text(1, NAME_MAX), 0, 64, "a list of strings");
const path = text(1, PATH_MAX);
const name = text(1, NAME_MAX);
/** Seconds in which something must have happened. */
const seconds = (max: number) => number(0.05, max);

/** The load options that whoever runs a server may set: latency classes stand at the end. */
const { classes, ...LOADING } = Object.fromEntries(
  settableBy("operator", LOAD).map((option) => [
    settingName(option),
    {
      kind: option.kind,
      fallback: option.default,
      value: option.flag?.value,
      alias: option.flag?.alias,
      read: option.flag?.read,
      help: docOf(option, "operator"),
    } satisfies Setting,
  ]),
);

const SERVING = {
  model: {
    kind: text(1, SPECS_MAX),
    value: "[NAME=]MODEL",
    alias: "m",
    isList: SEVERAL,
    help:
      `${MODEL_HELP} (default ${SERVE_DEFAULTS.model}); may be given several times: then each is loaded when it is asked for`,
  },
  ...MODEL_SETTINGS,
  host: {
    kind: name,
    fallback: SERVE_DEFAULTS.hostname,
    value: "ADDRESS",
    help: "address to listen on; 0.0.0.0 for all, which needs API keys",
  },
  port: {
    kind: integer(0, 65_535),
    fallback: SERVE_DEFAULTS.port,
    value: "N",
    alias: "p",
    help: "0: any that is free",
  },
  apiKeys: {
    kind: path,
    value: "FILE",
    help: "file with API keys, one a line; KUMI_API_KEYS has the keys themselves, with commas between",
  },
  usageFile: {
    kind: path,
    value: "FILE",
    help: "keep there what API keys have used, so that days and their limits go on after a restart",
  },
  insecure: { kind: boolean, help: "listen beyond this machine without API keys" },
  allowHost: {
    kind: names,
    value: "NAMES",
    help:
      "without API keys: names in the Host header to answer to, beside localhost and addresses; * for any",
  },
  cors: { kind: names, value: "ORIGINS", help: "origins whose web pages may use the server" },
  lenient: {
    kind: boolean,
    help: "ignore fields of requests that are not known instead of refusing them",
  },
  accessLog: {
    kind: boolean,
    help: "a line of JSON on stdout for each request, without its text",
  },
  record: {
    kind: path,
    value: "FILE",
    help: "record the traffic, without its text: times, lengths, what prompts share; added to the file",
  },
  recordMegabytes: {
    needs: "record",
    kind: number(0.001, 1e6),
    fallback: 256,
    value: "N",
    help: "a recording of this size is renamed to FILE.1, in place of an earlier one, and begun anew",
  },
  prefixStore: {
    kind: path,
    value: "DIR",
    help:
      "keep what was computed for prompts there, and read it back after a restart; default: nothing is kept",
  },
  prefixStoreMegabytes: {
    needs: "prefixStore",
    kind: number(0.001, 1e9),
    fallback: PREFIX_STORE_BYTES / MEGABYTE,
    value: "N",
    help: "most that these files take",
  },
  prefixStoreKey: {
    needs: "prefixStore",
    kind: path,
    value: "FILE",
    help: "encrypt them with the key of the file, as keygen --for prefixes writes it; default: not encrypted",
  },
  receiptKey: {
    kind: path,
    value: "FILE",
    help: "signs receipts with the Ed25519 key of the file, as keygen writes it; default: no signatures",
  },
  audit: {
    kind: path,
    value: "DIR",
    help: "keep the receipt of each answer there, in lines of JSON without text; default: none is kept",
  },
  auditText: {
    needs: "audit",
    kind: boolean,
    help: "keep requests and the texts of answers, too",
  },
  auditMegabytes: {
    needs: "audit",
    kind: number(0.001, 1e6),
    fallback: 256,
    value: "N",
    help: "a file of receipts of this size gets the time to its name, and another is begun",
  },
  batchDir: {
    kind: path,
    value: "DIR",
    help: "keep files there and do batches (/v1/files, /v1/batches); default: neither",
  },
  batchMegabytes: {
    needs: "batchDir",
    kind: number(0.001, 1e9),
    fallback: BATCH_DEFAULTS.bytesMax / MEGABYTE,
    value: "N",
    help: "most that the files of a key take",
  },
  batchFiles: {
    needs: "batchDir",
    kind: integer(1, 1_000_000),
    fallback: BATCH_DEFAULTS.filesMax,
    value: "N",
    help: "most files of a key, and most batches",
  },
  batchDays: {
    needs: "batchDir",
    kind: number(0.001, 10_000),
    fallback: BATCH_DEFAULTS.days,
    value: "N",
    help: "how long files, and batches that ended, are kept",
  },
  supervise: {
    kind: boolean,
    help: "run the engine in a process of its own, and start it again if it crashes: no request is lost",
  },
  drainSeconds: {
    kind: number(0, 86_400),
    fallback: SERVE_DEFAULTS.drainSeconds,
    value: "S",
    help: "how long running requests may go on after SIGTERM",
  },
  exitWithParent: {
    kind: boolean,
    help: "end as after SIGTERM once the process that started the server has gone",
  },
  canarySeconds: {
    kind: number(0, 86_400),
    fallback: SERVE_DEFAULTS.canaryMs / 1000,
    value: "S",
    help: "time between test requests; 0: only one at the start",
  },
} as const satisfies Record<string, Setting>;

const LIMITS = {
  headerSeconds: {
    kind: seconds(3600),
    fallback: GATE_LIMITS.headMs / 1000,
    value: "S",
    help: "time for the headers of a request to arrive",
  },
  headerKilobytes: {
    kind: number(1, 1024),
    fallback: HEADER_LIMITS.bytes / KILOBYTE,
    value: "N",
    help: "largest headers of a request",
  },
  idleSeconds: {
    kind: seconds(86_400),
    fallback: GATE_LIMITS.idleMs / 1000,
    value: "S",
    help: "how long a connection may stay open between requests",
  },
  connectionsMax: {
    kind: integer(1, 1_000_000),
    fallback: GATE_LIMITS.connectionsMax,
    value: "N",
    help: "most connections",
  },
  connectionsPerAddress: {
    kind: integer(1, 1_000_000),
    value: "N",
    help: "most connections from one address; default: 64, without limit where only this machine can connect",
  },
  noGate: {
    kind: boolean,
    help: "no limits on headers' time, idle connections and their number; clients that leave go unnoticed",
  },
  bodyMegabytes: {
    kind: number(0.001, 64),
    fallback: BODY_LIMITS.bytesMax / MEGABYTE,
    value: "N",
    help: "largest request body",
  },
  bodySeconds: {
    kind: seconds(3600),
    fallback: BODY_LIMITS.timeMs / 1000,
    value: "S",
    help: "time for a request body to arrive",
  },
  stalledSeconds: {
    kind: seconds(3600),
    fallback: STREAM_LIMITS.stalledMs / 1000,
    value: "S",
    help: "how long a client may leave its stream unread",
  },
} as const satisfies Record<string, Setting>;

/** Switches that turn off what is on. */
const WITHOUT = {
  noUi: {
    kind: boolean,
    help: "show browsers no page: neither the chat nor what the machine does",
  },
  noPrefixCache: {
    kind: boolean,
    help: "compute every prompt from its first token, though others began alike",
  },
} as const satisfies Record<string, Setting>;

/** More than a flag can say. */
const ELSEWHERE = {
  keys: { kind: KEY_SETTINGS, help: "what API keys may do, and how much, by their names" },
  upstreams: { kind: UPSTREAM_SETTINGS, help: "other servers that may answer requests" },
  routing: { kind: ROUTING_SETTINGS, help: "which requests they answer" },
} as const satisfies Record<string, Setting>;

/** In the order of the help text. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  ...SERVING,
  ...LOADING,
  ...WITHOUT,
  ...LIMITS,
  ...ELSEWHERE,
  classes,
};

/** The values of settings; undefined where nobody set one that has no default. */
type ValuesOf<T extends Readonly<Record<string, Setting>>> =
  & { readonly [K in keyof T as T[K] extends { fallback: unknown } ? K : never]: ValueOf<T[K]["kind"]> }
  & { readonly [K in keyof T as T[K] extends { fallback: unknown } ? never : K]?: ValueOf<T[K]["kind"]> };

/** All settings by name, those of loading by their names in the library. */
export type Settings =
  & ValuesOf<typeof SERVING>
  & ValuesOf<typeof WITHOUT>
  & ValuesOf<typeof LIMITS>
  & ValuesOf<typeof ELSEWHERE>
  & { readonly load: LoadOptions };

/** `drainSeconds` is KUMI_DRAIN_SECONDS. */
export function variableOf(name: string): string {
  // KUMI_API_KEYS has keys, not the name of a file.
  const own = name === "apiKeys" ? "apiKeysFile" : name;
  return `KUMI_${own.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
