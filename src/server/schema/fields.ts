/**
 * What a field of a request may be: zod's schemas with this server's words for what is wrong. Of them checks,
 * types, the OpenAPI document and the documentation page are made.
 *
 * @module
 */

import * as z from "zod";
import { quote, show, wanted } from "./words.ts";

export type Schema = z.ZodType;
export type Shape = Readonly<Record<string, Schema>>;
/** A body, or an object within one. */
export type ObjectSchema = z.ZodObject;

/** What the documents say of a field. */
export interface About {
  readonly help?: string;
  /** What counts where it is left out; written into the documents, whoever uses the value fills it in. */
  readonly fallback?: unknown;
}

/** What the server does not do, and what of it asks for nothing. */
export interface Unsupported {
  /** The beginning of a sentence that says so. */
  readonly what: string;
  /** Values that ask for nothing. */
  readonly values: readonly (string | number | boolean)[];
  /** Whether an empty text, list or object asks for nothing, too. */
  readonly empty: boolean;
}

/** The schemas of what the server does not do. */
export const UNSUPPORTED = z.registry<Unsupported, z.core.$ZodType>();

/** How many entries lists have. */
export const LENGTHS = z.registry<{ readonly min: number; readonly max: number }, z.core.$ZodType>();

/** Objects with keys that clients choose. */
export const RECORDS = z.registry<{ readonly by: string; readonly max: number }, z.core.$ZodType>();

function told<S extends Schema>(schema: S, { help, fallback }: About): S {
  if (help === undefined && fallback === undefined) return schema;
  return schema.meta({
    ...help === undefined ? {} : { description: help },
    ...fallback === undefined ? {} : { default: fallback },
  });
}

/** Numbers from `min` to `max`. */
export function number(min: number, max: number, about: About = {}): z.ZodNumber {
  const error = wanted(`a number from ${min} to ${max}`);
  return told(z.number({ error }).min(min, { error, abort: true }).max(max, { error, abort: true }), about);
}

/** Whole numbers from `min` to `max`. */
export function integer(min: number, max: number, about: About = {}): z.ZodInt {
  const error = wanted(`an integer from ${min} to ${max}`);
  return told(z.int({ error }).min(min, { error, abort: true }).max(max, { error, abort: true }), about);
}

/** Texts of `min` to `max` characters. */
export function text(
  max: number,
  { min = 0, ...about }: About & { readonly min?: number } = {},
): z.ZodString {
  const error = wanted("a string");
  const length: z.core.$ZodErrorMap = ({ input }) =>
    `must have ${min} to ${max} characters, current length is ${(input as string).length}`;
  const bounded = z.string({ error }).max(max, { error: length, abort: true });
  return told(min === 0 ? bounded : bounded.min(min, { error: length, abort: true }), about);
}

/** One of some words. */
export function word<const T extends readonly string[]>(values: T, about: About = {}): z.ZodType<T[number]> {
  return told(z.enum(values, { error: wanted(`one of ${values.map(quote).join(", ")}`) }), about);
}

/** true or false. */
export function flag(help?: string, fallback?: boolean): z.ZodBoolean {
  return told(z.boolean({ error: wanted("true or false") }), { help, fallback });
}

/** Lists of `min` to `max` entries; the number is looked at first. */
export function list<S extends Schema>(of: S, min: number, max: number, about: About = {}): z.ZodArray<S> {
  const length: z.core.$ZodErrorMap = ({ input }) =>
    `must have ${min} to ${max} entries, it has ${(input as unknown[]).length}`;
  const bounded = z.array(of, { error: wanted("a list") }).max(max, { error: length, abort: true });
  const schema = told(min === 0 ? bounded : bounded.min(min, { error: length, abort: true }), about);
  LENGTHS.add(schema, { min, max });
  return schema;
}

type Optional<S extends Shape> = { [K in keyof S]: z.ZodOptional<z.ZodNullable<S[K]>> };

/**
 * Objects with all fields of `required`, and some of `optional`; null says nothing, as clients write it.
 * `others`: optional fields that nobody reads, since they change nothing or are refused.
 */
export function object<R extends Shape, O extends Shape>(
  required: R,
  optional: O,
  { others = {}, ...about }: About & { readonly others?: Shape } = {},
): z.ZodObject<R & Optional<O>, z.core.$strict> {
  const nullish = Object.fromEntries(
    Object.entries({ ...optional, ...others }).map((
      [name, schema],
    ) => [name, z.optional(z.nullable(schema))]),
  );
  // For zod an object with unknown fields is no reason to look no further, and a list may have many of them.
  const schema = z.strictObject({ ...required, ...nullish }, { error: wanted("an object") })
    .refine(() => false, { when: ({ issues }) => issues.length > 0, abort: true });
  return told(schema, about) as unknown as z.ZodObject<R & Optional<O>, z.core.$strict>;
}

const KEYS = {
  tokens: { shape: /^\d{1,9}$/, what: "token ids" },
  names: { shape: /^[A-Za-z_][A-Za-z0-9_]{0,63}$/, what: "names" },
} as const;

/** Objects with any keys of a kind, token ids or names, at most `max`. */
export function record<S extends Schema>(
  keys: keyof typeof KEYS,
  of: S,
  max: number,
  about: About = {},
): z.ZodType<Record<string, z.output<S>>> {
  const { shape, what } = KEYS[keys];
  // Zod tells of each key that is wrong: how many there are is looked at first.
  const bounded = z.custom<Record<string, z.input<S>>>(
    (value) => typeof value !== "object" || value === null || Object.keys(value).length <= max,
    {
      error: ({ input }) => `must have at most ${max} entries, it has ${Object.keys(input as object).length}`,
    },
  );
  const entries = z.record(z.string().regex(shape), of, {
    error: (issue) =>
      issue.code === "invalid_key"
        ? `must have ${what} as keys, one is ${show(issue.input)}`
        : wanted("an object")(issue),
  });
  const schema = told(bounded.pipe(entries as never), about);
  RECORDS.add(schema, { by: keys === "tokens" ? "token id" : "name", max });
  return schema as unknown as z.ZodType<Record<string, z.output<S>>>;
}

/** One of several kinds of values; `what` they are together. */
export function choice<const T extends readonly Schema[]>(
  what: string,
  of: T,
  about: About = {},
): z.ZodUnion<T> {
  return told(z.union(of, { error: wanted(what) }), about);
}

/** Any value of JSON; who uses it says what is wrong with it. */
export function anything(about: About = {}): z.ZodUnknown {
  return told(z.unknown(), about);
}

/** Taken whatever it holds: it changes nothing in the answer. */
export const UNUSED: z.ZodUnknown = z.unknown();

/** Fields that are taken whatever they hold. */
export function unused(names: readonly string[]): Shape {
  return Object.fromEntries(names.map((name) => [name, UNUSED]));
}

/**
 * What the server does not do: taken where it asks for nothing. `values` and what is empty do not, where it
 * says so.
 */
export function unsupported(
  what: string,
  { values = [], empty = false }: Partial<Omit<Unsupported, "what">> = {},
): z.ZodType<unknown> {
  const schema = z.custom(
    (value) => values.includes(value as string) || (empty && isEmpty(value)),
    {
      error: what,
      params: { unsupported: "value" },
      abort: true,
    },
  );
  UNSUPPORTED.add(schema, { what, values, empty });
  return schema;
}

/**
 * A text that says what an object is, of which some are not taken: `values` are, `refusals` has a sentence
 * for each other one that clients know.
 */
export function tag<const T extends readonly string[]>(
  values: T,
  refusals: Readonly<Record<string, string>>,
  what: string,
): z.ZodType<T[number]> {
  const isKnown = (value: unknown) => typeof value === "string" && Object.hasOwn(refusals, value);
  const known = z.custom<T[number]>((value) => !isKnown(value), {
    error: ({ input }) => refusals[input as string],
    params: { unsupported: "kind" },
    abort: true,
  });
  const schema = known.pipe(z.enum(values, { error: wanted(values.map(quote).join(" or ")) }));
  UNSUPPORTED.add(schema, { what, values, empty: false });
  return schema as unknown as z.ZodType<T[number]>;
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value === "";
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}
