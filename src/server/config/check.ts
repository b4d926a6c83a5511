/** Checks settings against the kinds of options, in the words of a configuration file. @module */

import { type FieldOfKind, type Kind, nameOf } from "../../protocol/options/kind.ts";
import { kindOf, quote, wanted } from "../schema/words.ts";

/** A value that cannot be; the message names the setting. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

export type SettingFields = Readonly<Record<string, Pick<FieldOfKind, "kind" | "required">>>;

/** The object with its fields; null says nothing. Throws a SettingError. */
export function checkSettings(fields: SettingFields, value: unknown, path = ""): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SettingError(`${path === "" ? "It" : quote(path)} must be an object, it is ${kindOf(value)}`);
  }
  const place = (name: string) => path === "" ? name : `${path}.${name}`;
  const given = value as Record<string, unknown>;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) throw new SettingError(`There is no field ${quote(place(unknown))} here`);
  const checked: Record<string, unknown> = {};
  for (const [name, { kind, required }] of Object.entries(fields)) {
    const inner = Object.hasOwn(given, name) ? given[name] ?? undefined : undefined;
    if (inner !== undefined) checked[name] = checkSetting(kind, inner, place(name));
    else if (required) throw new SettingError(`${quote(place(name))} is missing`);
  }
  return checked;
}

function checkSetting(kind: Kind, value: unknown, path: string): unknown {
  const wrong = (what: string) => new SettingError(`${quote(path)} ${wanted(what)({ input: value })}`);
  switch (kind.type) {
    case "number":
    case "integer": {
      const { type, min, max } = kind;
      const isIn = typeof value === "number" && value >= min && value <= max;
      if (isIn && (type === "number" || Number.isInteger(value))) return value;
      throw wrong(`${type === "integer" ? "an integer" : "a number"} from ${min} to ${max}`);
    }
    case "boolean":
      if (typeof value !== "boolean") throw wrong("true or false");
      return value;
    case "string":
      if (typeof value !== "string") throw wrong("a string");
      if (kind.values === undefined) return checkCount(kind, "characters", value, path);
      if (!kind.values.includes(value)) throw wrong(`one of ${kind.values.map(quote).join(", ")}`);
      return value;
    case "list":
      if (!Array.isArray(value)) throw wrong("a list");
      return checkCount(kind, "entries", value, path).map((each, i) =>
        checkSetting(kind.of, each, `${path}[${i}]`)
      );
    case "object":
      return checkSettings(kind.fields, value, path);
    // A text that is read where more is known.
    case "own":
      if (typeof value !== "string" || value === "") throw wrong("a string");
      return value;
    default:
      throw new TypeError(`A setting cannot be ${nameOf(kind)}`);
  }
}

function checkCount<T extends { readonly length: number }>(
  { min, max }: { readonly min: number; readonly max: number },
  what: string,
  value: T,
  path: string,
): T {
  if (value.length >= min && value.length <= max) return value;
  throw new SettingError(
    `${quote(path)} must have ${min} to ${max} ${what}, current number is ${value.length}`,
  );
}
