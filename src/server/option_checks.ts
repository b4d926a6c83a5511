/** What the options of a server and of its handler are of. @module */

import {
  anyOf,
  type Check,
  fieldsOf,
  isBoolean,
  isFunction,
  isRecord,
  isString,
  listOf,
  numberIn,
  recordOf,
} from "../protocol/arguments.ts";
import { checkOf } from "../protocol/options/kind.ts";
import { LOAD_CHECKS } from "../protocol/options/load.ts";
import { KEY_SETTINGS } from "./accounts/rules.ts";
import type { BatchOptions } from "./batches/batches.ts";
import type { GateLimits } from "./gate/limits.ts";
import type { HeaderLimits } from "./guard/headers.ts";
import type { BodyLimits } from "./guard/json_body.ts";
import type { HandlerOptions, ServeModelsOptions, ServeOptions, ServerChanges } from "./options.ts";
import type { ReceiptOptions } from "./receipts/office.ts";
import type { SharedModel } from "./residency/entry.ts";
import type { StreamLimits } from "./sse.ts";
import { isKeyData, isRouting } from "./upstreams/options.ts";

/** Of sizes, counts and ms. */
const isLimit = numberIn({ min: 0, max: Infinity });
const isNames = listOf(isString, "a list of strings");

/** A key, or a key with a name. */
const isApiKey = anyOf(
  "an API key or an object with one",
  (value) => typeof value === "string" ? isString : null,
  (value) =>
    typeof value === "object" && value !== null ? fieldsOf({ key: isString, name: isString }, ["key"]) : null,
);

const BODY_CHECKS: Readonly<Record<keyof BodyLimits, Check>> = {
  bytesMax: isLimit,
  timeMs: isLimit,
  totalBytesMax: isLimit,
};
const STREAM_CHECKS: Readonly<Record<keyof StreamLimits, Check>> = {
  bufferBytes: isLimit,
  stalledMs: isLimit,
  keepAliveMs: isLimit,
};
const HEADER_CHECKS: Readonly<Record<keyof HeaderLimits, Check>> = { count: isLimit, bytes: isLimit };
const GATE_CHECKS: Readonly<Record<keyof GateLimits, Check>> = {
  headMs: isLimit,
  headBytes: isLimit,
  idleMs: isLimit,
  stalledMs: isLimit,
  connectionsMax: isLimit,
  connectionsPerAddress: isLimit,
};

const BATCH_CHECKS: Readonly<Record<keyof BatchOptions, Check>> = {
  dir: isString,
  bytesMax: isLimit,
  filesMax: isLimit,
  days: isLimit,
};

const RECEIPT_CHECKS: Readonly<Record<keyof ReceiptOptions, Check>> = {
  key: isRecord,
  audit: isFunction,
  auditText: isBoolean,
};

export const HANDLER_CHECKS: Readonly<Record<keyof HandlerOptions, Check>> = {
  modelName: isString,
  apiKeys: listOf(isApiKey, "a list of API keys"),
  keys: checkOf(KEY_SETTINGS),
  canaryMs: isLimit,
  classes: LOAD_CHECKS.classes,
  connections: isFunction,
  energy: isFunction,
  onBody: isFunction,
  clientLeft: isFunction,
  accessLog: isFunction,
  observer: isRecord,
  bodyLimits: fieldsOf(BODY_CHECKS),
  streamLimits: fieldsOf(STREAM_CHECKS),
  headerLimits: fieldsOf(HEADER_CHECKS, ["count", "bytes"]),
  lenient: isBoolean,
  batches: fieldsOf(BATCH_CHECKS, ["dir"]),
  receipts: fieldsOf(RECEIPT_CHECKS),
  routing: isRouting,
  documents: isFunction,
  page: isBoolean,
  usageFile: isString,
  onReload: isFunction,
  onShutdown: isFunction,
  routes: listOf(isRecord, "a list of routes"),
  allowHosts: isNames,
  cors: isNames,
};

const { apiKeys, keys, allowHosts, cors, bodyLimits, streamLimits } = HANDLER_CHECKS;

/** What can change while a server runs. */
export const CHANGES_CHECKS: Readonly<Record<keyof ServerChanges, Check>> = {
  ...{ apiKeys, keys, allowHosts, cors, bodyLimits, streamLimits },
  keyData: isKeyData,
  drainSeconds: isLimit,
};

const { progress: _, signal: __, ...LOADING } = LOAD_CHECKS;

export const SERVE_CHECKS: Readonly<Record<keyof ServeOptions, Check>> = {
  ...LOADING,
  ...HANDLER_CHECKS,
  model: isString,
  aliases: isNames,
  hostname: isString,
  port: numberIn({ min: 0, max: 65_535, integer: true }),
  insecure: isBoolean,
  gate: anyOf(
    "an object of limits or false",
    (value) => value === false ? isBoolean : null,
    (value) => typeof value === "object" && value !== null ? fieldsOf(GATE_CHECKS) : null,
  ),
  drainSeconds: isLimit,
  onListen: isFunction,
};

const { libraryPath: ___, onStuck: ____, onWait: _____, label: ______, ...OWN } = LOADING;

const SHARED_MODEL_CHECKS: Readonly<Record<keyof SharedModel, Check>> = {
  ...OWN,
  name: isString,
  model: isString,
  aliases: isNames,
  keepAliveMs: isLimit,
};

const { model: _______, modelName: ________, ...SERVING } = SERVE_CHECKS;

export const SERVE_MODELS_CHECKS: Readonly<Record<keyof ServeModelsOptions, Check>> = {
  ...SERVING,
  models: listOf(fieldsOf(SHARED_MODEL_CHECKS, ["name", "model"]), "a list of models"),
  modelsDir: isString,
  aliases: recordOf(isString, "the names of models by others"),
  keepAliveMs: isLimit,
  memoryBytes: numberIn({ min: 1, max: Infinity }),
  loadWaitMs: isLimit,
  onNote: isFunction,
};
