/** What an operator says about where requests go: plain data, checked, with its defaults. @module */

import { type Clearance, CLEARANCES, DATA_LABELS, type DataLabel } from "./data_label.ts";

/** What tokens cost, in any currency, as long as it is the same everywhere. */
export interface Price {
  /** Of a million tokens of prompts. */
  readonly promptPerMillion: number;
  /** Of a million tokens of answers. */
  readonly answerPerMillion: number;
}

/** The most that may be spent. */
export interface SpendCaps {
  /** In any hour. */
  readonly perHour?: number;
  /** In any 24 hours. */
  readonly perDay?: number;
}

/** A model of an upstream. */
export interface UpstreamModel {
  /** As requests here name it. */
  readonly name: string;
  /** As the upstream names it; default: the same. */
  readonly there?: string;
}

/** An upstream as far as decisions depend on it. */
export interface UpstreamRules {
  readonly name: string;
  readonly models: readonly UpstreamModel[];
  /** The strictest label of data that may go there. */
  readonly data: Clearance;
  /** Most requests at a time. Default 32. */
  readonly capacity?: number;
  /** Default: nothing. */
  readonly price?: Price;
  readonly caps?: SpendCaps;
}

/**
 * Where requests go: always here, always to an upstream as long as one can take them, to an upstream when it
 * takes too long here, or to wherever the first token is expected sooner.
 */
export const WAYS = ["here", "there", "overflow", "fastest"] as const;
export type Way = typeof WAYS[number];

/** What applies to some requests; whatever it does not say is as for all others. */
export interface RouteRule {
  /** Only to requests of these latency classes. */
  readonly classes?: readonly string[];
  /** … for these models. */
  readonly models?: readonly string[];
  /** … with these labels. */
  readonly data?: readonly DataLabel[];
  /** … with prompts of at least, and of at most, so many tokens, about. */
  readonly promptTokensMin?: number;
  readonly promptTokensMax?: number;
  readonly way?: Way;
  /** Only these upstreams. */
  readonly upstreams?: readonly string[];
  /** A first token that is expected here later than this is too late, in ms; see {@linkcode RoutingRules.waitMs}. */
  readonly waitMs?: number;
}

/** All that decides where requests go. */
export interface RoutingRules {
  readonly upstreams: readonly UpstreamRules[];
  /** The first one that fits a request applies to it. */
  readonly rules?: readonly RouteRule[];
  /** For requests without a rule of their own. Default "overflow". */
  readonly way?: Way;
  /**
   * A first token that is expected here later than this is too late, in ms. Default: 0.8 times what the
   * request's class promises; a class that promises nothing can wait.
   */
  readonly waitMs?: number;
  /** A place must be faster than the present one by this share of its time for traffic to move. Default 0.2. */
  readonly margin?: number;
  /** Traffic that has moved stays for so many ms. Default 5,000. */
  readonly holdMs?: number;
  /** Of all upstreams together. */
  readonly caps?: SpendCaps;
}

export const ROUTING_DEFAULTS = {
  capacity: 32,
  price: { promptPerMillion: 0, answerPerMillion: 0 },
  way: "overflow",
  margin: 0.2,
  holdMs: 5000,
  /** Of what a class promises. */
  waitShare: 0.8,
  /** Traffic comes back when the wait here is this share of what was too long. */
  returnShare: 0.5,
} as const;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** What answers a request where no upstream does. */
export const HERE = "here";

/** Throws a RangeError that names the upstream or the rule which cannot be. */
export function checkRouting({ upstreams, rules = [], caps, margin, holdMs, waitMs }: RoutingRules): void {
  const names = new Set<string>();
  for (const upstream of upstreams) {
    const { name } = upstream;
    if (!NAME.test(name) || name === HERE) {
      throw new RangeError(
        `An upstream's name must have 1 to 64 letters, digits, ".", "_" and "-", and not be "${HERE}", current value is ${
          JSON.stringify(name)
        }`,
      );
    }
    if (names.has(name)) throw new RangeError(`Two upstreams are called "${name}"`);
    names.add(name);
    checkUpstream(upstream);
  }
  checkCaps("routing", caps, upstreams.some(({ price }) => price !== undefined));
  atLeast("routing", { margin, holdMs, waitMs });
  const models = new Set(upstreams.flatMap((each) => each.models.map(({ name }) => name)));
  rules.forEach((rule, i) => checkRule(rule, `rules[${i}]`, { upstreams: names, models }));
}

function checkUpstream({ name, models, data, capacity, price, caps }: UpstreamRules): void {
  const where = `Upstream "${name}"`;
  if (models.length === 0) throw new RangeError(`${where} has no models`);
  const known = new Set<string>();
  for (const model of models) {
    if (model.name === "") throw new RangeError(`${where} has a model without a name`);
    if (known.has(model.name)) throw new RangeError(`${where} has two models called "${model.name}"`);
    known.add(model.name);
  }
  if (!CLEARANCES.includes(data)) {
    throw new RangeError(
      `${where}: "data" must be one of ${
        CLEARANCES.join(", ")
      }, current value is ${data}; what is private never leaves`,
    );
  }
  if (capacity !== undefined && !(Number.isInteger(capacity) && capacity > 0)) {
    throw new RangeError(`${where}: "capacity" must be a positive integer, current value is ${capacity}`);
  }
  atLeast(where, { ...price });
  checkCaps(where, caps, price !== undefined);
}

/** Throws a RangeError for classes that no request has. */
export function checkRuleClasses(
  { rules = [] }: Pick<RoutingRules, "rules">,
  known: ReadonlySet<string>,
): void {
  for (const [i, { classes = [] }] of rules.entries()) {
    const unknown = classes.find((name) => !known.has(name));
    if (unknown === undefined) continue;
    throw new RangeError(
      `rules[${i}]: there is no class ${JSON.stringify(unknown)}; there is ${[...known].join(", ")}`,
    );
  }
}

/** Names of what there is. */
interface Known {
  readonly upstreams: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
}

function checkRule(rule: RouteRule, where: string, { upstreams, models }: Known): void {
  const unknown = rule.upstreams?.find((name) => !upstreams.has(name));
  if (unknown !== undefined) throw new RangeError(`${where}: there is no upstream "${unknown}"`);
  const model = rule.models?.find((name) => !models.has(name));
  if (model !== undefined) {
    throw new RangeError(`${where}: no upstream has a model ${JSON.stringify(model)}`);
  }
  if (rule.way !== undefined && !WAYS.includes(rule.way)) {
    throw new RangeError(`${where}: "way" must be one of ${WAYS.join(", ")}, current value is ${rule.way}`);
  }
  const label = rule.data?.find((each) => !DATA_LABELS.includes(each));
  if (label !== undefined) {
    throw new RangeError(
      `${where}: "data" must be of ${DATA_LABELS.join(", ")}, one is ${JSON.stringify(label)}`,
    );
  }
  const { promptTokensMin, promptTokensMax, waitMs } = rule;
  atLeast(where, { promptTokensMin, promptTokensMax, waitMs });
  if ((promptTokensMin ?? 0) > (promptTokensMax ?? Infinity)) {
    throw new RangeError(
      `${where}: "promptTokensMin" must be at most "promptTokensMax", current values are ${promptTokensMin} and ${promptTokensMax}`,
    );
  }
}

/** What costs nothing never comes to a cap. */
function checkCaps(where: string, caps: SpendCaps | undefined, hasPrice: boolean): void {
  if (caps === undefined) return;
  atLeast(where, { perHour: caps.perHour, perDay: caps.perDay });
  if (!hasPrice) throw new RangeError(`${where}: "caps" need a "price"`);
}

function atLeast(where: string, values: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && !(value >= 0)) {
      throw new RangeError(`${where}: "${name}" must be at least 0, current value is ${value}`);
    }
  }
}
