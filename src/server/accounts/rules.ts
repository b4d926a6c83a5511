/** What a key may do, and how much: the rules that an operator gives for keys by their names. @module */

import {
  boolean,
  type FieldOfKind,
  integer,
  list,
  type ListKind,
  object,
  type ObjectKind,
  text,
} from "../../protocol/options/kind.ts";

/** An API key, and whose it is. */
export interface ApiKey {
  readonly key: string;
  /** For metrics and rules; no secret. Several keys may have one name: they share its limits. */
  readonly name?: string;
}

/** Most of something in a time; what is not said has no limit. */
export interface KeyLimits {
  readonly requestsPerMinute?: number;
  readonly requestsPerDay?: number;
  /** Tokens of prompts and answers together. */
  readonly tokensPerMinute?: number;
  readonly tokensPerDay?: number;
}

/** The rules for the keys of a name. */
export interface KeyRules extends KeyLimits {
  /** Or "*": all keys that have no rules of their own. */
  readonly name: string;
  /** May load and unload models, drain and end the server, and see what all keys have used. Default false. */
  readonly admin?: boolean;
  /** May see what all keys have used, and no more than that: for who collects metrics. Default: as `admin`. */
  readonly usage?: boolean;
  /** Names of the latency classes that its requests may have; the first is theirs where they name none. Default: all. */
  readonly classes?: readonly string[];
  /** Names of the models that it may ask. Default: all. */
  readonly models?: readonly string[];
}

/** What there is to open the server with. */
export interface KeyOptions {
  /** Keys of which each request must have one; default: none, open to all who reach it. */
  readonly apiKeys?: readonly (string | ApiKey)[];
  /** What keys may do, by their names; default: everything but an administrator's work. */
  readonly keys?: readonly KeyRules[];
}

/** The name of rules for all keys that have none of their own. */
export const OTHERS = "*";
const COUNT_MAX = 1e12;
const NAME_MAX = 256, NAMES_MAX = 1024;
const names = (what: string) => list(text(1, NAME_MAX), 1, NAMES_MAX, what);
const limit = integer(1, COUNT_MAX);

const RULES = {
  name: { kind: text(1, NAME_MAX), required: true, doc: "of the key in the key file; * for all others" },
  admin: { kind: boolean, doc: "may load, unload and drain, and see what all keys have used" },
  usage: { kind: boolean, doc: "may see what all keys have used, as in the metrics" },
  requestsPerMinute: { kind: limit, doc: "most requests in any minute" },
  requestsPerDay: { kind: limit, doc: "most requests in any 24 hours" },
  tokensPerMinute: { kind: limit, doc: "most tokens of prompts and answers in any minute" },
  tokensPerDay: { kind: limit, doc: "most tokens in any 24 hours" },
  classes: { kind: names("a list of class names"), doc: "classes it may use; the first is its default" },
  models: { kind: names("a list of model names"), doc: "models it may ask" },
} as const satisfies Record<keyof KeyRules, FieldOfKind>;

/** The rules in a configuration file. */
export const KEY_SETTINGS: ListKind<ObjectKind<KeyRules>> = list(
  object<KeyRules>(RULES),
  0,
  NAMES_MAX,
  "a list of rules for keys",
);

/** Names that rules may have. */
export interface KnownNames {
  /** Of latency classes. */
  readonly classes: readonly string[];
  /** Whether requests may name a model so. */
  readonly hasModel: (name: string) => boolean;
  /** Whether models may come that are not there yet. */
  readonly mayGrow: boolean;
}

/**
 * Throws a RangeError for rules with classes or models that there are not: nobody would notice. Gives a sentence for each model
 * that may still come.
 */
export function checkRuleNames(
  keys: readonly KeyRules[],
  { classes: known, hasModel, mayGrow }: KnownNames,
): string[] {
  const notes: string[] = [];
  for (const { name, classes = [], models = [] } of keys) {
    const where = `keys, ${JSON.stringify(name)}`;
    const none = classes.find((each) => !known.includes(each));
    if (none !== undefined) {
      throw new RangeError(
        `${where}: there is no class ${JSON.stringify(none)}; there is ${known.join(", ")}`,
      );
    }
    for (const model of models.filter((each) => !hasModel(each))) {
      const message = `${where}: there is no model ${JSON.stringify(model)}`;
      if (!mayGrow) throw new RangeError(message);
      notes.push(`${message} yet`);
    }
  }
  return notes;
}

/** The key with its name, if it has one. */
export function asApiKey(key: string | ApiKey): ApiKey {
  return typeof key === "string" ? { key } : key;
}

/**
 * Throws a RangeError for rules that two times are of one name, or of a name that no key has: they would be of no effect; and for
 * a key that is there twice: it would have one of its names.
 */
export function checkKeyRules({ apiKeys = [], keys = [] }: KeyOptions): void {
  const places = new Map<string, number>();
  for (const [i, { key }] of apiKeys.map(asApiKey).entries()) {
    if (places.has(key)) throw new RangeError(`API key ${i + 1} is API key ${places.get(key)! + 1} again`);
    places.set(key, i);
  }
  const known = new Set([OTHERS, ...apiKeys.flatMap((each) => asApiKey(each).name ?? [])]);
  const seen = new Set<string>();
  for (const { name } of keys) {
    if (!known.has(name)) throw new RangeError(`keys: no API key is called ${JSON.stringify(name)}`);
    if (seen.has(name)) throw new RangeError(`keys: ${JSON.stringify(name)} has rules twice`);
    seen.add(name);
  }
}
