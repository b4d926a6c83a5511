/** What the options of loading a model are of. @module */

import {
  anyOf,
  type Check,
  fieldsOf,
  isBoolean,
  isFunction,
  isNumber,
  isSignal,
  isString,
  isTokens,
  listOf,
  numberIn,
  oneOf,
} from "../protocol/arguments.ts";
import { kvFormatNames } from "../gguf/kv_format.ts";
import type { LatencyClass } from "../../scheduler/mod.ts";
import type { KvOptions } from "../protocol/engine_options.ts";
import { LOAD_BOUNDS } from "../protocol/load_bounds.ts";
import type { LoadOptions } from "./model.ts";

const CLASS_CHECKS: Readonly<Record<keyof LatencyClass, Check>> = {
  name: isString,
  priority: isNumber,
  maxBatch: isNumber,
  maxWaitMs: isNumber,
  ttftSloMs: isNumber,
  itlSloMs: isNumber,
  queueLimit: fieldsOf({ requests: isNumber, tokens: isNumber }, ["requests", "tokens"]),
  preemptible: isBoolean,
};

/** Latency classes; their numbers are checked by the scheduler. */
export const isClasses: Check = listOf(
  fieldsOf(CLASS_CHECKS, ["name", "priority", "maxBatch", "maxWaitMs", "queueLimit", "preemptible"]),
  "a list of latency classes",
);

const KV_CHECKS: Readonly<Record<keyof KvOptions, Check>> = {
  prefault: isBoolean,
  hugePages: isBoolean,
  giveBackBlocks: numberIn({ min: 1, max: Infinity }),
  overcommit: isBoolean,
};

/** Numbers without a range here are checked where the range is known: the machine's, the model's. */
export const LOAD_CHECKS: Readonly<Record<keyof LoadOptions, Check>> = {
  workers: numberIn(LOAD_BOUNDS.workers),
  threads: numberIn(LOAD_BOUNDS.threads),
  cpus: anyOf(
    'a list such as "0-3,8" or of numbers',
    (value) => typeof value === "string" ? isString : null,
    (value) => typeof value === "object" && value !== null ? isTokens : null,
  ),
  shareWeights: oneOf([true, false, "all"]),
  isa: isString,
  contextLength: isNumber,
  kvTokens: isNumber,
  kvFormat: oneOf(kvFormatNames),
  kv: fieldsOf(KV_CHECKS),
  sequencesMax: numberIn(LOAD_BOUNDS.sequencesMax),
  classes: isClasses,
  ageingMs: numberIn({ min: 0, max: Infinity }),
  prefixCache: isBoolean,
  batchTokensMax: isNumber,
  libraryPath: isString,
  onStuck: isFunction,
  overrule: fieldsOf({ share: numberIn({ min: 0, max: 1 }), seed: isNumber }, ["share"]),
  progress: isFunction,
  onWait: isFunction,
  signal: isSignal,
};
