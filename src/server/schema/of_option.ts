/** Fields of requests from the table of options: range, default and sentence of each stand there. @module */

import type * as z from "zod";
import { type FieldOfKind, type Kind, nameOf, type ValueOf } from "../../protocol/options/kind.ts";
import { docOf, fieldKind, type Option } from "../../protocol/options/option.ts";
import {
  type About,
  choice,
  flag,
  integer,
  list,
  number,
  object,
  type ObjectSchema,
  record,
  type Schema,
  text,
  word,
} from "./fields.ts";

/** Characters of a text that stands for what JSON has not. */
const OWN_MAX = 4096;

/** The field of an option; `about` where this endpoint's differs. */
export function fieldOf<const O extends Option>(option: O, about: About = {}): z.ZodType<ValueOf<O["kind"]>> {
  const told = { help: docOf(option, "client"), fallback: option.default, ...about };
  return schemaOf(fieldKind(option), told) as z.ZodType<ValueOf<O["kind"]>>;
}

/** Another name of an option's field: the same values, without a default of its own. */
export function aliasOf<const O extends Option>(option: O, help: string): z.ZodType<ValueOf<O["kind"]>> {
  return fieldOf(option, { help, fallback: undefined });
}

/** An option's value as JSON writes it. */
export function schemaOf(kind: Kind, about: About = {}): Schema {
  switch (kind.type) {
    case "number":
      return number(kind.min, kind.max, about);
    case "integer":
      return integer(kind.min, kind.max, about);
    case "boolean":
      return flag(about.help, about.fallback as boolean | undefined);
    case "string":
      return kind.values === undefined
        ? text(kind.max, { ...about, min: kind.min })
        : word(kind.values, about);
    case "list":
      return list(schemaOf(kind.of), kind.min, kind.max, about);
    case "choice":
      return choice(kind.of.map(nameOf).join(" or "), kind.of.map((each) => schemaOf(each)), about);
    case "record":
      return record(kind.keys, schemaOf(kind.of), kind.max, about);
    case "object":
      return objectOf(kind.fields, about);
    // Read where more is known.
    case "own":
      return text(OWN_MAX, { ...about, min: 1 });
  }
}

/** An object with these fields. */
export function objectOf(
  fields: Readonly<Record<string, FieldOfKind & { readonly fallback?: unknown }>>,
  about: About = {},
): ObjectSchema {
  const of = (isRequired: boolean) =>
    Object.fromEntries(
      Object.entries(fields).filter(([, { required = false }]) => required === isRequired)
        .map(([name, { kind, doc, fallback }]) => [name, schemaOf(kind, { help: doc, fallback })]),
    );
  return object(of(true), of(false), about) as unknown as ObjectSchema;
}
