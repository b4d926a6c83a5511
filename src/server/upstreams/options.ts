/** The options of upstreams: what a program hands over, and the settings of a configuration file. @module */

import { type Check, fieldsOf, isString, listOf } from "../../protocol/arguments.ts";
import {
  checkOf,
  type FieldOfKind,
  integer,
  list,
  type ListKind,
  number,
  object,
  type ObjectKind,
  text,
  words,
} from "../../protocol/options/kind.ts";
import { CLEARANCES, DATA_LABELS, type DataLabel } from "../../routing/data_label.ts";
import { type RoutingRules, type UpstreamRules, WAYS } from "../../routing/rules.ts";

/** What an upstream speaks beside OpenAI's interface: another kumi also takes classes, deadlines and labels. */
export const UPSTREAM_KINDS = ["openai", "kumi"] as const;
export type UpstreamKind = typeof UPSTREAM_KINDS[number];

/** Where an upstream is, and how long it may take. All times in ms. */
export interface UpstreamPlace {
  /** Where its interface begins, such as `https://gpu.example.org/v1`. */
  readonly url: string;
  /** Default "openai". */
  readonly kind?: UpstreamKind;
  /** Behind the URL, what is asked whether it is well. Default "/models". */
  readonly healthPath?: string;
  /** Between two looks at its health; 0: none. Default 10,000. */
  readonly healthMs?: number;
  /** Until the first token of a stream. Default 30,000. */
  readonly firstTokenMs?: number;
  /** Between two parts of a stream. Default 30,000. */
  readonly stalledMs?: number;
  /** Until the end of an answer. Default 600,000. */
  readonly totalMs?: number;
}

/** An upstream: a server that speaks OpenAI's interface. */
export interface UpstreamOptions extends UpstreamRules, UpstreamPlace {
  /** Its API key. */
  readonly key?: string;
}

/** Where requests go that need not be answered here. */
export interface RoutingOptions extends Omit<RoutingRules, "upstreams"> {
  readonly upstreams: readonly UpstreamOptions[];
  /** The label of requests that have none. Default "internal". */
  readonly data?: DataLabel;
  /** The file that keeps what was spent, so that caps outlive the server. Default: none. */
  readonly spendFile?: string;
  /** The least strict label that requests with an API key can have. */
  readonly keyData?: readonly { readonly key: string; readonly data: DataLabel }[];
}

export const UPSTREAM_DEFAULTS = {
  kind: "openai",
  healthPath: "/models",
  healthMs: 10_000,
  firstTokenMs: 30_000,
  stalledMs: 30_000,
  totalMs: 600_000,
  data: "internal",
} as const;

/** Most that prices, caps and waits may be. */
const AMOUNT_MAX = 1e12, DAY_MS = 86_400_000;
const name = text(1, 256);
const names = (what: string) => list(name, 1, 64, what);
const amount = number(0, AMOUNT_MAX);
const ms = number(0, DAY_MS);
const tokens = integer(0, 2 ** 40);

const caps = {
  kind: object({ perHour: { kind: amount }, perDay: { kind: amount } }),
  doc: "most that may be spent in any hour, and in any 24 hours",
} as const;

const RULES = {
  name: { kind: text(1, 64), required: true, doc: "its name in metrics and logs" },
  models: {
    kind: list(
      object({ name: { kind: name, required: true }, there: { kind: name } }),
      1,
      1024,
      "a list of models",
    ),
    required: true,
    doc: "its models: the name that requests have for each, and the upstream's own",
  },
  data: { kind: words(CLEARANCES), required: true, doc: "the strictest label of data that may go there" },
  capacity: { kind: integer(1, 65_536), doc: "most requests at a time" },
  price: {
    kind: object({
      promptPerMillion: { kind: amount, required: true },
      answerPerMillion: { kind: amount, required: true },
    }),
    doc: "of a million tokens of prompts, and of answers",
  },
  caps,
} as const satisfies Record<keyof UpstreamRules, FieldOfKind>;

const PLACE = {
  url: { kind: text(1, 2048), required: true, doc: "where its interface begins, such as https://host/v1" },
  kind: { kind: words(UPSTREAM_KINDS), doc: "kumi: it takes classes, deadlines and labels, too" },
  healthPath: { kind: text(1, 256), doc: "what is asked whether it is well" },
  healthMs: { kind: ms, doc: "between two looks at its health; 0: none" },
  firstTokenMs: { kind: number(1, DAY_MS), doc: "until the first token of a stream" },
  stalledMs: { kind: number(1, DAY_MS), doc: "between two parts of a stream" },
  totalMs: { kind: number(1, DAY_MS), doc: "until the end of an answer" },
} as const satisfies Record<keyof UpstreamPlace, FieldOfKind>;

const ROUTING = {
  rules: {
    kind: list(
      object({
        classes: { kind: names("a list of class names") },
        models: { kind: names("a list of model names") },
        data: { kind: list(words(DATA_LABELS), 1, DATA_LABELS.length, "a list of labels") },
        promptTokensMin: { kind: tokens },
        promptTokensMax: { kind: tokens },
        way: { kind: words(WAYS) },
        upstreams: { kind: names("a list of upstreams") },
        waitMs: { kind: ms },
      }),
      0,
      256,
      "a list of rules",
    ),
    doc: "what applies to some requests: the first one that fits",
  },
  way: { kind: words(WAYS), doc: "where requests go without a rule of their own" },
  waitMs: { kind: ms, doc: "a first token that is expected here later than this is too late" },
  margin: {
    kind: number(0, 10),
    doc: "share of the time by which a place must be faster for traffic to move",
  },
  holdMs: { kind: ms, doc: "how long traffic stays that has moved" },
  caps,
} as const satisfies Record<keyof Omit<RoutingRules, "upstreams">, FieldOfKind>;

/** An upstream in a configuration file: its key lies elsewhere. */
export type UpstreamSettings = Omit<UpstreamOptions, "key"> & {
  readonly keyFile?: string;
  readonly keyEnv?: string;
};

export const UPSTREAM_SETTINGS: ListKind<ObjectKind<UpstreamSettings>> = list(
  object<UpstreamSettings>({
    ...RULES,
    ...PLACE,
    keyFile: { kind: text(1, 4096), doc: "a file with its API key" },
    keyEnv: { kind: text(1, 256), doc: "the environment variable that has its API key" },
  }),
  0,
  64,
  "a list of upstreams",
);

/** Routing in a configuration file: keys go by the names that the key file has for them. */
export type RoutingSettings = Omit<RoutingOptions, "upstreams" | "keyData"> & {
  readonly keys?: readonly { readonly name: string; readonly data: DataLabel }[];
};

const spendFile = {
  kind: text(1, 4096),
  doc: "keep there what was spent, so that caps hold beyond a start of the server",
} as const;
const label = { kind: words(DATA_LABELS), doc: "the label of requests that have none" } as const;

export const ROUTING_SETTINGS: ObjectKind<RoutingSettings> = object<RoutingSettings>({
  ...ROUTING,
  data: label,
  spendFile,
  keys: {
    kind: list(
      object({ name: { kind: name, required: true }, data: { kind: words(DATA_LABELS), required: true } }),
      0,
      1024,
      "a list of keys",
    ),
    doc: "the least strict label of requests with the key of this name",
  },
});

/** What labels of keys are of. */
export const isKeyData: Check = listOf(
  fieldsOf({ key: isString, data: checkOf(label.kind) }, ["key", "data"]),
  "a list of keys",
);

/** What the option of a handler is of; the rules are checked where they are used. */
export const isRouting: Check = (() => {
  const upstream = fieldsOf({ ...checks(RULES), ...checks(PLACE), key: isString }, [
    ...required(RULES),
    ...required(PLACE),
  ]);
  return fieldsOf({
    ...checks(ROUTING),
    upstreams: listOf(upstream, "a list of upstreams"),
    data: checkOf(label.kind),
    spendFile: isString,
    keyData: isKeyData,
  }, ["upstreams"]);
})();

function checks<K extends string>(fields: Readonly<Record<K, FieldOfKind>>): Record<K, Check> {
  return Object.fromEntries(
    Object.entries<FieldOfKind>(fields).map(([field, { kind }]) => [field, checkOf(kind)]),
  ) as Record<K, Check>;
}

function required(fields: Readonly<Record<string, FieldOfKind>>): string[] {
  return Object.keys(fields).filter((field) => fields[field].required);
}
