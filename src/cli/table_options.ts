/** Flags that come from a table of options. @module */

import { rangeOf } from "../protocol/options/kind.ts";
import { collect, docOf, flagOf, type NamedOption, settingName } from "../protocol/options/option.ts";
import { type Arguments, numberOption, type OptionSpec, UsageError } from "./command.ts";

/** The flag of an option. Without `withDefault` a flag that is not given stays unset. */
export function specOf(option: NamedOption, withDefault = false): OptionSpec {
  const { flag, default: fallback } = option;
  return {
    name: flagOf(settingName(option)),
    ...flag?.alias === undefined ? {} : { alias: flag.alias },
    ...flag?.value === undefined ? {} : { value: flag.value },
    help: docOf(option, "terminal"),
    ...withDefault && fallback !== undefined ? { default: String(fallback) } : {},
  };
}

/** What was given for an option; undefined where nothing was. Throws a UsageError. */
export function readOption(args: Arguments, option: NamedOption): unknown {
  const name = flagOf(settingName(option));
  const { kind, flag } = option;
  if (kind.type === "boolean") return args.switches.has(name) ? true : undefined;
  const text = args.values.get(name);
  if (text === undefined) return undefined;
  if (kind.type === "number" || kind.type === "integer") return numberOption(args, name, rangeOf(kind));
  if (kind.type === "string" && kind.values !== undefined && !kind.values.includes(text)) {
    throw new UsageError(`--${name} takes ${kind.values.join(", ")}, current value is ${text}`);
  }
  try {
    return flag?.read === undefined ? text : flag.read(text);
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}

/** What was given of some options, as the library takes them. */
export function readOptions(args: Arguments, options: readonly NamedOption[]): Record<string, unknown> {
  return collect(options, (option) => readOption(args, option));
}
