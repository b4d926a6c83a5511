/** From the words of a command line to options and texts. @module */

/** One option. `value` names its argument in the help text; without it the option is a switch. */
export interface OptionSpec {
  readonly name: string;
  readonly alias?: string;
  readonly value?: string;
  readonly help: string;
  readonly default?: string;
  /** May be given several times; the values are joined with commas, or with this where they may have some. */
  readonly isList?: boolean | string;
  /** An empty text is a value, too. */
  readonly mayBeEmpty?: boolean;
}

/** The caller's mistake: printed without a stack, exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What was given. */
export interface Given {
  readonly positional: string[];
  readonly switches: Set<string>;
  /** By name, in the order in which they stand. */
  readonly values: Map<string, string[]>;
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false };

/**
 * Reads options and what is none. An option's value is the rest of its word (`--size=4`, `-s4`) or the next
 * word, which may begin with a dash (`--bias -1`) unless it is an option of the same command. What follows
 * `--` is no option. Throws a UsageError. `command`: its name for messages.
 */
export function parseArguments(
  command: string,
  options: readonly OptionSpec[],
  argv: readonly string[],
): Given {
  const given: Given = { positional: [], switches: new Set(), values: new Map() };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === "--") {
      given.positional.push(...argv.slice(i + 1));
      break;
    }
    if (!/^-./s.test(word)) {
      given.positional.push(word);
      continue;
    }
    const found = findOption(options, word);
    if (found === null) throw unknown(command, word);
    const { option, attached } = found;
    if (option.value === undefined) {
      setSwitch(given, option, attached);
      continue;
    }
    const next = argv[i + 1];
    const isNext = next !== undefined && next !== "--" && findOption(options, next) === null;
    if (attached === undefined && !isNext) {
      throw new UsageError(`--${option.name} needs a value: ${option.value}`);
    }
    if (attached === undefined) i++;
    const value = attached ?? next;
    if (value === "" && option.mayBeEmpty !== true) {
      throw new UsageError(`--${option.name} needs a value: ${option.value}`);
    }
    given.values.set(option.name, [...given.values.get(option.name) ?? [], value]);
  }
  return given;
}

interface Found {
  readonly option: OptionSpec;
  /** What stands in the same word. */
  readonly attached?: string;
}

/** The option that a word is; null where it is none of these. */
function findOption(options: readonly OptionSpec[], word: string): Found | null {
  const [, name, attached] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (name !== undefined) {
    const option = options.find((each) => each.name === name);
    return option === undefined ? null : { option, attached };
  }
  const option = /^-[^-]/.test(word) ? options.find(({ alias }) => alias === word[1]) : undefined;
  const rest = word.slice(2);
  if (option === undefined) return null;
  if (rest === "" || rest.startsWith("=")) {
    return { option, attached: rest === "" ? undefined : rest.slice(1) };
  }
  // -n5, but a text such as "-no" is none.
  return option.value !== undefined && /^[\d.]/.test(rest) ? { option, attached: rest } : null;
}

function setSwitch({ switches }: Given, { name }: OptionSpec, attached?: string): void {
  const isOn = BOOLEANS[attached ?? "true"];
  if (isOn === undefined) throw new UsageError(`--${name} takes no value, current value is ${attached}`);
  if (isOn) switches.add(name);
  else switches.delete(name);
}

function unknown(command: string, word: string): UsageError {
  // A text with blanks, or a number, is hardly meant to be an option.
  const isText = !/^--?[A-Za-z][\w-]*(?:=|$)/.test(word);
  const hint = isText ? "; a text that begins with a dash goes behind --" : "";
  return new UsageError(
    `unknown option ${
      isText ? word : word.split("=")[0]
    } for "${command}"${hint}; see kumi ${command} --help`,
  );
}
