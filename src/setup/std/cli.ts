/**
 * Stand-in for `parseArgs` of `@std/cli`, for networks that do not reach JSR. The same rules for long and
 * short options, `string`, `boolean`, `default`, `alias`, `negatable`, `collect`, `stopEarly`, `unknown` and
 * `--`. Left out: dotted names that build nested objects, and `boolean: true` for all options.
 * @module
 */

/** What {@linkcode parseArgs} is told. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
> {
  /** Options that take no value; absent ones are false. */
  boolean?: B | readonly B[];
  /** Options whose value stays text; "_" keeps positionals text. */
  string?: S | readonly S[];
  /** Options that may be given several times; their values are arrays. */
  collect?: C | readonly C[];
  /** Options that `--no-name` sets to false. */
  negatable?: string | readonly string[];
  /** Other names of an option. */
  alias?: Record<string, string | readonly string[]>;
  /** Values of absent options. */
  default?: Record<string, unknown>;
  /** Everything from the first positional on is positional. */
  stopEarly?: boolean;
  /** Put what follows `--` under "--" instead of "_". */
  "--"?: boolean;
  /** Called for every argument that is not declared; false leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Result of {@linkcode parseArgs}: one property per option, and the positional arguments. */
export type ParsedArgs<B extends string = never, S extends string = never, C extends string = never> =
  & { [K in B]: K extends C ? boolean[] : boolean }
  & { [K in Exclude<S, "_">]: K extends C ? string[] : string | undefined }
  // deno-lint-ignore no-explicit-any
  & { [name: string]: any }
  & { _: (string | number)[] };

const NUMBER = /^(?:0x[0-9a-f]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/i;

function list<T extends string>(names: T | readonly T[] | undefined): readonly T[] {
  return names === undefined ? [] : typeof names === "string" ? [names] : names;
}

/** The declared options, with every name resolved to the group of its aliases. */
class Declarations {
  readonly #groups = new Map<string, readonly string[]>();
  readonly boolean: ReadonlySet<string>;
  readonly string: ReadonlySet<string>;
  readonly collect: ReadonlySet<string>;
  readonly negatable: ReadonlySet<string>;

  constructor(options: ParseOptions) {
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const group = [name, ...list(others)];
      for (const member of group) this.#groups.set(member, group);
    }
    const expand = (names: readonly string[]) => new Set(names.flatMap((name) => this.names(name)));
    this.boolean = expand(list(options.boolean));
    this.string = expand(list(options.string));
    this.collect = expand(list(options.collect));
    this.negatable = expand(list(options.negatable));
  }

  /** Every name of the option that `name` belongs to. */
  names(name: string): readonly string[] {
    return this.#groups.get(name) ?? [name];
  }

  has(name: string): boolean {
    return this.boolean.has(name) || this.string.has(name) || this.#groups.has(name);
  }
}

class Parser {
  readonly values: Record<string, unknown> = Object.create(null);
  readonly positional: (string | number)[] = [];

  constructor(readonly declared: Declarations, readonly options: ParseOptions) {}

  set(name: string, value: unknown, arg: string, mayCollect = true): void {
    const { declared } = this;
    if (!declared.has(name) && this.options.unknown?.(arg, name, value) === false) return;
    if (typeof value === "string" && !declared.string.has(name) && NUMBER.test(value)) value = Number(value);
    for (const each of declared.names(name)) {
      if (!mayCollect || !declared.collect.has(each)) {
        this.values[each] = value;
      } else {
        const earlier = this.values[each];
        this.values[each] = Array.isArray(earlier) ? [...earlier, value] : [value];
      }
    }
  }

  /** Value of an option given without one. */
  empty(name: string): string | true {
    return this.declared.string.has(name) ? "" : true;
  }

  /** Sets `name` from the argument after it where it may take one; true when it was used. */
  takeNext(
    name: string,
    next: string | undefined,
    isOption: (text: string) => boolean,
    arg: string,
  ): boolean {
    if (next && !this.declared.boolean.has(name) && !isOption(next)) this.set(name, next, arg);
    else if (next === "true" || next === "false") this.set(name, next === "true", arg);
    else {
      this.set(name, this.empty(name), arg);
      return false;
    }
    return true;
  }

  /** `--name`, `--name=value`, `--no-name`, `--name value`. Returns whether `next` was used. */
  long(arg: string, next: string | undefined): boolean {
    const equals = arg.indexOf("=", 3);
    if (equals !== -1 && equals < arg.length - 1) {
      const name = arg.slice(2, equals);
      const value = arg.slice(equals + 1);
      this.set(name, this.declared.boolean.has(name) ? value !== "false" : value, arg);
      return false;
    }
    const name = arg.slice(2);
    if (name.startsWith("no-") && this.declared.negatable.has(name.slice(3))) {
      this.set(name.slice(3), false, arg, false);
      return false;
    }
    return this.takeNext(name, next, (text) => text.startsWith("-"), arg);
  }

  /** `-abc`, `-n5`, `-n=5`, `-n 5`. Returns whether `next` was used. */
  short(arg: string, next: string | undefined): boolean {
    for (let i = 1; i < arg.length - 1; i++) {
      const name = arg[i];
      const rest = arg.slice(i + 1);
      const isLetter = /[a-z]/i.test(name);
      if (isLetter && rest.startsWith("=") && rest.length > 1) {
        this.set(name, rest.slice(1), arg);
        return false;
      }
      if ((isLetter && NUMBER.test(rest)) || /^\W/.test(rest)) {
        this.set(name, rest, arg);
        return false;
      }
      this.set(name, this.empty(name), arg);
    }
    return this.takeNext(arg.slice(-1), next, (text) => /^--?[^-]/.test(text), arg);
  }

  parse(args: readonly string[]): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (arg.length > 2 && arg.startsWith("--")) {
        if (this.long(arg, args[i + 1])) i++;
      } else if (arg.length > 1 && arg.startsWith("-")) {
        if (this.short(arg, args[i + 1])) i++;
      } else {
        if (this.options.unknown?.(arg) !== false) {
          this.positional.push(this.declared.string.has("_") || !NUMBER.test(arg) ? arg : Number(arg));
        }
        if (this.options.stopEarly) {
          this.positional.push(...args.slice(i + 1));
          break;
        }
      }
    }
  }

  fillDefaults(): void {
    const { declared, values } = this;
    for (const [name, value] of Object.entries(this.options.default ?? {})) {
      for (const each of declared.names(name)) if (!(each in values)) values[each] = value;
    }
    for (const name of declared.boolean) {
      if (!(name in values)) values[name] = declared.collect.has(name) ? [] : false;
    }
    for (const name of declared.string) {
      if (!(name in values) && declared.collect.has(name)) values[name] = [];
    }
  }
}

/**
 * Parses command line arguments. Values of undeclared options that look like numbers become numbers; a
 * declared string option without a value is "".
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const args = parseArgs(["--model", "a.gguf", "-q", "hello"], { string: ["model"], boolean: ["q"] });
 * assertEquals([args.model, args.q, args._], ["a.gguf", true, ["hello"]]);
 * ```
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
>(
  args: string[],
  options: ParseOptions<B, S, C> = {},
): ParsedArgs<B, S, C> {
  const parser = new Parser(new Declarations(options), options);
  const split = args.indexOf("--");
  const rest = split === -1 ? [] : args.slice(split + 1);
  parser.parse(split === -1 ? args : args.slice(0, split));
  parser.fillDefaults();
  const result: Record<string, unknown> = { ...parser.values, _: parser.positional };
  if (options["--"]) result["--"] = rest;
  else parser.positional.push(...rest);
  return result as ParsedArgs<B, S, C>;
}
