/**
 * What a command of the command line is: its options as data, so that help texts, parsing and error messages
 * come from one place.
 * @module
 */

import type { Access } from "./access.ts";
import { counted } from "./counted.ts";
import type { Environment } from "../hub/cache.ts";
import { type OptionSpec, parseArguments, UsageError } from "./parse_arguments.ts";

export { type OptionSpec, UsageError } from "./parse_arguments.ts";

/** Parsed arguments of a command. */
export interface Arguments {
  readonly positional: readonly string[];
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
}

/** What is said of a command: how it is called and what it takes. */
export interface CommandSyntax {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly positionals: { readonly min: number; readonly max: number };
  readonly options: readonly OptionSpec[];
  readonly details?: string;
}

/** A program of one command. Resolves to the exit status. */
export interface Command extends CommandSyntax {
  run(args: Arguments): Promise<number>;
}

/** A command of `kumi`: it says what it may touch. What it does stands in `actions/`. */
export interface KumiCommand extends CommandSyntax {
  /**
   * What it may touch with these arguments. Asked before there is a process to run it, so it loads nothing
   * that only running needs. Throws a UsageError, or gives anything, where `run` will refuse the arguments.
   */
  access(args: Arguments, env: Environment): Access | Promise<Access>;
}

/** Parses `argv` by the command's table; unknown options and missing values are UsageErrors. */
export function parseCommand(command: CommandSyntax, argv: readonly string[]): Arguments {
  const { positional, switches, values: given } = parseArguments(command.name, command.options, argv);
  const values = new Map<string, string>();
  for (const { name, isList, default: fallback } of command.options) {
    const all = given.get(name);
    if (all !== undefined) values.set(name, isList ? all.join(isList === true ? "," : isList) : all.at(-1)!);
    else if (fallback !== undefined) values.set(name, fallback);
  }
  const { min, max } = command.positionals;
  if (positional.length < min || positional.length > max) {
    const wanted = min === max ? counted(min, "argument") : `${min} to ${max} arguments`;
    throw new UsageError(
      `"${command.name}" takes ${wanted}, got ${positional.length}\nusage: kumi ${command.usage}`,
    );
  }
  return { positional, switches, values };
}

/** The help text of a command. */
export function helpText(command: CommandSyntax): string {
  const lines = [`usage: kumi ${command.usage}`, "", command.summary];
  if (command.options.length > 0) {
    lines.push("", "options:");
    const labels = command.options.map((option) =>
      `${option.alias ? `-${option.alias}, ` : "    "}--${option.name}${
        option.value ? ` ${option.value}` : ""
      }`
    );
    const width = Math.max(...labels.map((label) => label.length));
    command.options.forEach((option, i) => {
      const fallback = option.default === undefined ? "" : ` (default ${option.default})`;
      lines.push(`  ${labels[i].padEnd(width)}  ${option.help}${fallback}`);
    });
  }
  if (command.details !== undefined) lines.push("", command.details);
  return lines.join("\n");
}

/** Reads a number option and checks its range; undefined when absent. */
export function numberOption(
  args: Arguments,
  name: string,
  range: { readonly min: number; readonly max: number; readonly integer?: boolean },
): number | undefined {
  const text = args.values.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (
    text.trim() === "" || !Number.isFinite(value) || value < range.min || value > range.max ||
    (range.integer && !Number.isInteger(value))
  ) {
    const kind = range.integer ? "a whole number" : "a number";
    throw new UsageError(
      `--${name} takes ${kind} from ${range.min} to ${range.max}, current value is ${text}`,
    );
  }
  return value;
}

/** Reads an option that is one of these names, in small letters or large; undefined when absent. */
export function choiceOption(
  args: Arguments,
  name: string,
  choices: readonly string[],
): string | undefined {
  const text = args.values.get(name);
  if (text === undefined || choices.includes(text.toLowerCase())) return text;
  throw new UsageError(`--${name} takes ${choices.join(", ")}, current value is ${text}`);
}

/** Reads a list of whole numbers such as "1,4,16". */
export function numberListOption(
  args: Arguments,
  name: string,
  range: { min: number; max: number },
): number[] | undefined {
  const text = args.values.get(name);
  if (text === undefined) return undefined;
  return text.split(",").map((part) => {
    const value = Number(part);
    if (part.trim() === "" || !Number.isInteger(value) || value < range.min || value > range.max) {
      throw new UsageError(
        `--${name} takes whole numbers from ${range.min} to ${range.max} separated by commas, current value is ${text}`,
      );
    }
    return value;
  });
}
