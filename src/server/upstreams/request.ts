/** A request as routing sees it, whatever its dialect. @module */

import { type DataLabel, strictest } from "../../routing/data_label.ts";
import { roughTokens } from "../../routing/rough_tokens.ts";
import { badField } from "../api_error.ts";
import { OWN_ROUTED_FIELD } from "../dialects/own.ts";
import { readValue } from "../schema/read.ts";

/** A body as it came, an object. */
export type Body = Readonly<Record<string, unknown>>;

/** What only this server knows: another one would refuse it, or take it for something else. */
const OWN = ["class", "deadline_ms", "priority", "cache_salt", "kumi"] as const;
/** Fields that are tokens of the model here: elsewhere they would be others. */
const TOKEN_FIELDS = ["logit_bias", "stop_token_ids"] as const;
/** Limits of the answer, by all their names. */
const LIMITS = ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"] as const;

export const DATA_HEADER = "x-kumi-data";
/** Set where another kumi has sent a request here: it goes no further. */
export const HOP_HEADER = "x-kumi-hop";
/** The servers that have sent a request on, by names that each makes for itself: none sends it on twice. */
export const VIA_HEADER = "x-kumi-via";

/** Whether a server has sent this request on before. */
export function hasPassed(headers: Headers, server: string): boolean {
  return (headers.get(VIA_HEADER) ?? "").split(",").some((each) => each.trim() === server);
}

/** Its way, with this server. */
export function viaOf(headers: Headers, server: string): string {
  const before = headers.get(VIA_HEADER);
  return before === null ? server : `${before}, ${server}`;
}

/** Throws an ApiError, 400, for what is no object. */
export function bodyOf(value: unknown): Body {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Body;
  throw badField("", "The body must be an object");
}

/**
 * The label of a request: the strictest of what its body and its header say and of what its key may have at least;
 * `fallback` where nobody says anything. Throws an ApiError, 400, for a label that is none: it must not be passed over.
 */
export function labelOf(
  body: Body,
  headers: Headers,
  { key, fallback }: { key?: DataLabel; fallback: DataLabel },
): DataLabel {
  const header = headers.get(DATA_HEADER);
  const own = body.kumi ?? undefined;
  const field = typeof own === "object" ? (own as Body).data ?? undefined : undefined;
  const read = (value: unknown, name: string) =>
    value === undefined ? undefined : readValue(OWN_ROUTED_FIELD, value, name) as DataLabel;
  const said = [
    read(field, "kumi.data"),
    read(header?.trim().toLowerCase(), DATA_HEADER),
    key,
  ];
  return strictest(said) ?? fallback;
}

/** Tokens of its prompt, about: of all texts that it has, and those that it gives as tokens. */
export function promptTokensOf(body: Body): number {
  const { model: _, kumi: __, ...rest } = body;
  return Math.ceil(tokensIn(rest));
}

function tokensIn(value: unknown): number {
  if (typeof value === "string") return roughTokens(value);
  if (Array.isArray(value)) {
    if (typeof value[0] === "number") return value.length;
    return value.reduce((sum: number, each) => sum + tokensIn(each), 0);
  }
  if (typeof value !== "object" || value === null) return 0;
  let sum = 0;
  for (const name in value) sum += tokensIn((value as Body)[name]);
  return sum;
}

/** Most tokens of its answers together; undefined where it does not say. */
export function maxTokensOf(body: Body): number | undefined {
  const options = typeof body.options === "object" && body.options !== null ? body.options as Body : {};
  const given = [...LIMITS.map((name) => body[name]), options.num_predict].filter((each) =>
    typeof each === "number" && each >= 0
  ) as number[];
  if (given.length === 0) return undefined;
  const { n = 1 } = body;
  return Math.min(...given) * (typeof n === "number" && n >= 1 ? n : 1);
}

/** Whether it says something in tokens of the model here, which mean nothing elsewhere. */
export function isInTokens(body: Body): boolean {
  const { prompt, input } = body;
  const inTokens = (value: unknown) => Array.isArray(value) && value.some((each) => typeof each !== "string");
  const isFilled = (value: unknown) =>
    typeof value === "object" && value !== null && Object.keys(value).length > 0;
  return inTokens(prompt) || inTokens(input) && !isItems(input) ||
    TOKEN_FIELDS.some((name) => isFilled(body[name]));
}

/** Items of a conversation are objects. */
function isItems(input: unknown): boolean {
  return (input as unknown[]).every((each) =>
    typeof each === "string" || typeof each === "object" && each !== null && !Array.isArray(each)
  );
}

/** Whether its answer has to be proven: by the model here. */
export function wantsReceipt({ kumi }: Body): boolean {
  return typeof kumi === "object" && kumi !== null && (kumi as Body).receipt === true;
}

/** The body for an upstream: its own name of the model; without what only this server knows, unless it is another kumi. */
export function bodyFor(body: Body, model: string, isKumi: boolean): Record<string, unknown> {
  const own = isKumi ? [] : OWN;
  const kept = Object.entries(body).filter(([name]) => !(own as readonly string[]).includes(name));
  return { ...Object.fromEntries(kept), model };
}
