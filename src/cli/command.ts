/**
 * What a command of the command line is: its options as data, so that help texts, parsing and error messages
 * come from one place.
 * @module
 */

import { parseArgs } from "@std/cli";

/** One option. `value` names its argument in the help text; without it the option is a switch. */
export interface OptionSpec {
  readonly name: string;
  readonly alias?: string;
  readonly value?: string;
  readonly help: string;
  readonly default?: string;
  /** May be given several times; the values are joined with commas. */
  readonly isList?: boolean;
}

/** Parsed arguments of a command. */
export interface Arguments {
  readonly positional: readonly string[];
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
}

/** A command: how it is called, what it takes, what it does. Resolves to the exit status. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly positionals: { readonly min: number; readonly max: number };
  readonly options: readonly OptionSpec[];
  readonly details?: string;
  run(args: Arguments): Promise<number>;
}

/** The caller's mistake: printed without a stack, exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Parses `argv` by the command's table; unknown options and missing values are UsageErrors. */
export function parseCommand(command: Command, argv: readonly string[]): Arguments {
  const strings = command.options.filter((option) => option.value !== undefined).map((option) => option.name);
  const booleans = command.options.filter((option) => option.value === undefined).map((option) =>
    option.name
  );
  const alias = Object.fromEntries(
    command.options.filter((option) => option.alias).map((option) => [option.alias!, option.name]),
  );
  const parsed = parseArgs([...argv], {
    string: [...strings, "_"],
    boolean: [...booleans, "help"],
    collect: command.options.filter((option) => option.isList === true).map((option) => option.name),
    alias,
    "--": true,
    unknown: (argument: string, key?: string) => {
      if (key === undefined) return true;
      throw new UsageError(
        `unknown option ${argument.split("=")[0]} for "${command.name}"; see kumi ${command.name} --help`,
      );
    },
  }) as Record<string, unknown> & { _: (string | number)[]; "--"?: string[] };

  const values = new Map<string, string>();
  for (const option of command.options) {
    if (option.value === undefined) continue;
    const found = parsed[option.name];
    const given = Array.isArray(found) ? (found.length === 0 ? undefined : found.join(",")) : found;
    if (given === "" || (Array.isArray(found) && found.includes(""))) {
      throw new UsageError(`--${option.name} needs a value: ${option.value}`);
    }
    if (typeof given === "string") values.set(option.name, given);
    else if (option.default !== undefined) values.set(option.name, option.default);
  }
  const positional = [...parsed._.map(String), ...(parsed["--"] ?? [])];
  const { min, max } = command.positionals;
  if (positional.length < min || positional.length > max) {
    throw new UsageError(
      `"${command.name}" takes ${
        min === max ? min : `${min} to ${max}`
      } argument(s), got ${positional.length}\n` +
        `usage: kumi ${command.usage}`,
    );
  }
  return { positional, switches: new Set(booleans.filter((name) => parsed[name] === true)), values };
}

/** The help text of a command. */
export function helpText(command: Command): string {
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
  range: { min: number; max: number; integer?: boolean },
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
