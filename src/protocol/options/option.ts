/**
 * An option is one row of a table. From it come the library's check, the command line's flag, the server's
 * setting and the request's field, each with its text.
 * @module
 */

import type { Check } from "../arguments.ts";
import { checkOf, type Kind, type ValueOf } from "./kind.ts";

/**
 * Who may set an option beside a program that calls the library: a user of `chat` and `run`, whoever runs a
 * server, its clients.
 */
export type Setter = "terminal" | "operator" | "client";

/** One option. Its name in the table is its name in the library. */
export interface Option {
  readonly kind: Kind;
  /** What it is without being set. */
  readonly default?: unknown;
  /** A sentence as help texts have it: small at the beginning, no full stop. */
  readonly doc: string;
  /** Where one of those who may set it needs other words; for clients whole sentences. */
  readonly docFor?: Partial<Readonly<Record<Setter, string>>>;
  /** Of its number: "tokens", "ms". */
  readonly unit?: string;
  /** Nobody: only programs. */
  readonly setBy?: readonly Setter[];
  /** Whether it means something to the caller's side alone, and does not travel to the engine. */
  readonly isCallers?: true;
  readonly flag?: FlagForm;
  readonly field?: FieldForm;
  /** The options that are its fields. */
  readonly table?: OptionTable;
}

/** How the command line and the server's settings write an option. */
export interface FlagForm {
  /**
   * In the server's configuration file; `kvTokens` is --kv-tokens and KUMI_KV_TOKENS. Default: the option's
   * name.
   */
  readonly name?: string;
  /** One letter. */
  readonly alias?: string;
  /** How help texts call the value; none: a switch. */
  readonly value?: string;
  /** Throws where a text cannot be the value; what it gives is the command line's value. */
  readonly read?: (text: string) => unknown;
}

/** How the body of a request writes an option, where that is more than its name with underscores. */
export interface FieldForm {
  readonly name?: string;
  /** Bounds other than the library's, where an interface that clients know has others. */
  readonly min?: number;
  readonly max?: number;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** The options that a table describes, all optional. */
export type OptionsOf<T extends OptionTable> = { -readonly [K in keyof T]?: ValueOf<T[K]["kind"]> };

/**
 * `true` where an interface and a table say the same, else the names of the options about which they do not:
 * an interface stands beside each table since editors and `deno doc` show the comments of its members.
 *
 * ```ts ignore
 * true satisfies Agreement<SamplingOptions, typeof SAMPLING>;
 * ```
 */
export type Agreement<I, T extends OptionTable> = [Differing<I, OptionsOf<T>>] extends [never] ? true
  : Differing<I, OptionsOf<T>>;

type Differing<A, B> =
  | Exclude<keyof A, keyof B>
  | Exclude<keyof B, keyof A>
  | { [K in keyof A & keyof B]-?: IsSame<A[K], B[K]> extends true ? never : K }[keyof A & keyof B];

type IsSame<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;

/** The check of each option. */
export function checksOf<T extends OptionTable>(table: T): Readonly<Record<keyof T, Check>> {
  return Object.fromEntries(
    Object.entries(table).map(([name, { kind }]) => [name, checkOf(kind)]),
  ) as Record<keyof T, Check>;
}

/** The defaults of those options that have one. */
export function defaultsOf<T extends OptionTable>(table: T): Defaults<T> {
  return Object.fromEntries(
    Object.entries(table).filter(([, each]) => each.default !== undefined).map(([name, each]) => [
      name,
      each.default,
    ]),
  ) as Defaults<T>;
}

type Defaults<T extends OptionTable> = {
  readonly [K in keyof T as T[K] extends { readonly default: unknown } ? K : never]: ValueOf<T[K]["kind"]>;
};

/** An option with its name. */
export interface NamedOption extends Option {
  readonly name: string;
  /** The option whose field it is. */
  readonly within?: string;
}

/** The options of a table that somebody may set, and those within them, in its order. */
export function settableBy(setter: Setter, table: OptionTable, within?: string): NamedOption[] {
  return Object.entries(table).flatMap(([name, option]) => [
    ...option.setBy?.includes(setter) ? [{ ...option, name, within }] : [],
    ...option.table === undefined ? [] : settableBy(setter, option.table, name),
  ]);
}

/** The options as the library takes them, from what `valueOf` gives for each; undefined is left out. */
export function collect(
  options: readonly NamedOption[],
  valueOf: (option: NamedOption) => unknown,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const option of options) {
    const value = valueOf(option);
    if (value === undefined) continue;
    const { name, within } = option;
    if (within === undefined) values[name] = value;
    else values[within] = { ...values[within] as object | undefined, [name]: value };
  }
  return values;
}

/** What an option is, for one of those who may set it. */
export function docOf({ doc, docFor }: Option, setter: Setter): string {
  return docFor?.[setter] ?? (setter === "client" ? `${doc[0].toUpperCase()}${doc.slice(1)}.` : doc);
}

/** Its name in the server's configuration file. */
export function settingName({ name, flag }: NamedOption): string {
  return flag?.name ?? name;
}

/** `drainSeconds` is --drain-seconds. */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `topK` is the field top_k. */
export function fieldName({ name, field }: NamedOption): string {
  return field?.name ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Its kind in the body of a request, with the bounds that clients know. */
export function fieldKind<K extends Kind>(
  { kind, field }: { readonly kind: K; readonly field?: FieldForm },
): K {
  if (kind.type !== "number" && kind.type !== "integer") return kind;
  const { min = kind.min, max = kind.max } = field ?? {};
  return { ...kind, min, max };
}
