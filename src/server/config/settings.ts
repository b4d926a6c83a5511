/** Everything that can be set about a server: one table for flags, environment, the configuration file and the help. @module */

import type { Kind } from "../../protocol/options/kind.ts";
import { LOAD } from "../../protocol/options/load.ts";
import { docOf, settableBy, settingName } from "../../protocol/options/option.ts";
import type { Field, Fields } from "../api/field.ts";
import { GATE_LIMITS } from "../gate/limits.ts";
import { HEADER_LIMITS } from "../guard/headers.ts";
import { BODY_LIMITS } from "../guard/json_body.ts";
import { SERVE_DEFAULTS } from "../options.ts";
import { STREAM_LIMITS } from "../sse.ts";

/** One setting. Its name in the table is its name in the configuration file. */
export interface Setting {
  readonly field: Field;
  /** Name of the flag's argument. */
  readonly value?: string;
  readonly alias?: string;
  readonly help: string;
  /** Throws for a text that cannot be its value. */
  readonly read?: (text: string) => unknown;
}

/** A setting without a word for its argument is a switch, or too much for a flag. */
export function isFileOnly({ field, value }: Setting): boolean {
  return value === undefined && field.type !== "boolean";
}

const PATH_MAX = 4096;
const NAME_MAX = 256;
export const KILOBYTE = 2 ** 10;
export const MEGABYTE = 2 ** 20;

const names: Field = { type: "list", min: 0, max: 64, of: { type: "string", min: 1, max: NAME_MAX } };
const count = (min: number, max: number): Field => ({ type: "integer", min, max });

/** How a JSON document writes the value of an option. */
function fieldOf(kind: Kind): Field {
  switch (kind.type) {
    case "number":
    case "integer":
      return { type: kind.type, min: kind.min, max: kind.max };
    case "list": {
      const { type, min, max, of } = kind;
      return { type, min, max, of: fieldOf(of) };
    }
    case "choice":
      return { type: "choice", of: kind.of.map(fieldOf) };
    case "record":
      return { ...kind, of: fieldOf(kind.of) };
    case "object":
      return {
        type: "object",
        fields: Object.fromEntries(
          Object.entries(kind.fields).map(([name, { kind, required }]) => [
            name,
            { ...fieldOf(kind), ...required ? { required } : {} },
          ]),
        ),
      };
    case "own":
      return { type: "string", min: 1, max: PATH_MAX };
    case "string": {
      const { type, min, max, values } = kind;
      return { type, max, ...values === undefined ? { min } : { values } };
    }
    case "boolean":
      return kind;
  }
}

/** The load options that whoever runs a server may set: latency classes stand at the end. */
const { classes, ...LOADING } = Object.fromEntries(
  settableBy("operator", LOAD).map((option) => [
    settingName(option),
    {
      field: {
        ...fieldOf(option.kind),
        ...option.default === undefined ? {} : { fallback: option.default },
      },
      value: option.flag?.value,
      alias: option.flag?.alias,
      read: option.flag?.read,
      help: docOf(option, "operator"),
    } satisfies Setting,
  ]),
);

/** In the order of the help text. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  model: {
    field: { type: "string", min: 1, max: PATH_MAX, fallback: SERVE_DEFAULTS.model },
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
    field: { type: "string", min: 1, max: NAME_MAX, fallback: SERVE_DEFAULTS.hostname },
    value: "ADDRESS",
    help: "address to listen on; 0.0.0.0 for all, which needs API keys",
  },
  port: {
    field: { ...count(0, 65_535), fallback: SERVE_DEFAULTS.port },
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
    field: { type: "number", min: 0, max: 86_400, fallback: SERVE_DEFAULTS.drainSeconds },
    value: "S",
    help: "how long running requests may go on after SIGTERM",
  },
  exitWithParent: {
    field: { type: "boolean" },
    help: "end as after SIGTERM once the process that started the server has gone",
  },
  canarySeconds: {
    field: { type: "number", min: 0, max: 86_400, fallback: SERVE_DEFAULTS.canaryMs / 1000 },
    value: "S",
    help: "time between test requests; 0: only one at the start",
  },
  ...LOADING,
  headerSeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: GATE_LIMITS.headMs / 1000 },
    value: "S",
    help: "time for the headers of a request to arrive",
  },
  headerKilobytes: {
    field: { type: "number", min: 1, max: 1024, fallback: HEADER_LIMITS.bytes / KILOBYTE },
    value: "N",
    help: "largest headers of a request",
  },
  idleSeconds: {
    field: { type: "number", min: 0.05, max: 86_400, fallback: GATE_LIMITS.idleMs / 1000 },
    value: "S",
    help: "how long a connection may stay open between requests",
  },
  connectionsMax: {
    field: { ...count(1, 1_000_000), fallback: GATE_LIMITS.connectionsMax },
    value: "N",
    help: "most connections",
  },
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
    field: { type: "number", min: 0.001, max: 64, fallback: BODY_LIMITS.bytesMax / MEGABYTE },
    value: "N",
    help: "largest request body",
  },
  bodySeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: BODY_LIMITS.timeMs / 1000 },
    value: "S",
    help: "time for a request body to arrive",
  },
  stalledSeconds: {
    field: { type: "number", min: 0.05, max: 3600, fallback: STREAM_LIMITS.stalledMs / 1000 },
    value: "S",
    help: "how long a client may leave its stream unread",
  },
  classes,
};

/** The fields of a configuration file. */
export const CONFIG_FIELDS: Fields = Object.fromEntries(
  Object.entries(SETTINGS).map((
    [name, { field, help }],
  ) => [name, { ...field, help }]),
);

/** `drainSeconds` is KUMI_DRAIN_SECONDS. */
export function variableOf(name: string): string {
  // KUMI_API_KEYS has keys, not the name of a file.
  const own = name === "apiKeys" ? "apiKeysFile" : name;
  return `KUMI_${own.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
