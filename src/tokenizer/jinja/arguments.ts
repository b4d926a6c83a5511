/** Arguments of a call by position or name. @module */

import { isNamed, isNone, type Key, UNDEFINED, type Value } from "./values.ts";

const NONE_NAMED: ReadonlyMap<Key, Value> = new Map();

/** What a call was given. */
export class Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<Key, Value>;

  constructor(positional: readonly Value[], named: ReadonlyMap<Key, Value> = NONE_NAMED) {
    this.positional = positional;
    this.named = named;
  }

  /** What a function is called with: the named ones come last, as one value. */
  static of(all: readonly Value[]): Arguments {
    const last = all.at(-1);
    return isNamed(last) ? new Arguments(all.slice(0, -1), last.value) : new Arguments(all);
  }

  /** The argument at a position or of a name, or undefined. */
  get(position: number, name = ""): Value | undefined {
    return this.positional[position] ?? this.named.get(name);
  }

  /** The same where there must be one. Throws. */
  need(position: number, name = ""): Value {
    const value = this.get(position, name);
    if (value === undefined) throw new Error(`argument ${position + 1} is missing`);
    return value;
  }

  /** A text, or undefined where there is none. Throws for another value. */
  string(position: number, name = ""): string | undefined {
    const value = this.get(position, name);
    if (value === undefined || isNone(value)) return undefined;
    if (typeof value.value !== "string") throw new Error(`argument ${name || position + 1} must be a text`);
    return value.value;
  }

  /** A number, or `fallback`. Throws for another value. */
  number(position: number, name: string, fallback: number): number {
    const value = this.get(position, name);
    if (value === undefined || isNone(value)) return fallback;
    if (typeof value.value !== "number") throw new Error(`argument ${name || position + 1} must be a number`);
    return value.value;
  }

  /** Whether an argument is there and true. */
  flag(position: number, name: string): boolean {
    return (this.get(position, name) ?? UNDEFINED).__bool__().value;
  }
}
