import { GgufError, quote } from "./error.ts";
import { MetadataMap } from "./metadata_map.ts";
import type { MetadataArray, MetadataValue } from "./value_types.ts";

/** What a getter accepts and what it gives for a key that is missing. */
export interface GetOptions<T> {
  /** The result when the key is missing. Without it a missing key is an error. */
  fallback?: T;
}

/** {@linkcode GetOptions} with an inclusive range. */
export interface GetNumberOptions extends GetOptions<number> {
  min?: number;
  max?: number;
}

/**
 * Typed access to metadata. Every getter throws {@linkcode GgufError} that names the key, what was expected, and the
 * current value.
 *
 * Integers may be stored with any integer type, since converters differ; what counts is that the value fits.
 */
export class MetadataReader {
  readonly #values: ReadonlyMap<string, MetadataValue>;

  constructor(values: ReadonlyMap<string, MetadataValue>) {
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Whether the key is there and has an array. */
  hasArray(key: string): boolean {
    const value = this.#values.get(key);
    return value !== undefined && isArray(value);
  }

  /** The keys that begin so, without that, and their values, in the file's order. */
  *entriesUnder(prefix: string): Generator<[string, MetadataValue]> {
    for (const key of this.#values.keys()) {
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), this.#values.get(key)!];
    }
  }

  /** An integer from 0 to 2³² − 1. */
  u32(key: string, options: GetNumberOptions = {}): number {
    const value = this.#get(key, "u32", options.fallback);
    const valid = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
    if (!valid) throw wrong(key, "u32", value);
    return inRange(key, "u32", value, options);
  }

  /** An integer for each of `count` things: stored once for all of them, or as an array of one for each. */
  u32s(key: string, count: number, options: GetNumberOptions = {}): number[] {
    return this.#forEach(key, count, "u32", (reader, name) => reader.u32(name, options));
  }

  /** A finite number. */
  f32(key: string, options: GetNumberOptions = {}): number {
    const value = this.#get(key, "f32", options.fallback);
    if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(key, "a finite f32", value);
    return inRange(key, "f32", value, options);
  }

  /** A finite number for each of `count` things: stored once for all of them, or as an array of one for each. */
  f32s(key: string, count: number, options: GetNumberOptions = {}): number[] {
    return this.#forEach(key, count, "f32", (reader, name) => reader.f32(name, options));
  }

  #forEach(
    key: string,
    count: number,
    type: string,
    read: (reader: MetadataReader, key: string) => number,
  ): number[] {
    const value = this.#values.get(key);
    if (value === undefined || !isArray(value)) return new Array<number>(count).fill(read(this, key));
    if (value.length !== count) throw wrong(key, `${type} or an array of ${count}`, value);
    return Array.from({ length: count }, (_, i) => {
      return read(new MetadataReader(new Map([[`${key}[${i}]`, value[i]]])), `${key}[${i}]`);
    });
  }

  bool(key: string, options: GetOptions<boolean> = {}): boolean {
    const value = this.#get(key, "bool", options.fallback);
    if (typeof value !== "boolean") throw wrong(key, "bool", value);
    return value;
  }

  string(key: string, options: GetOptions<string> = {}): string {
    const value = this.#get(key, "string", options.fallback);
    if (typeof value !== "string") throw wrong(key, "string", value);
    return value;
  }

  /** An array of any element type. */
  array(key: string, options: GetOptions<MetadataArray> = {}): MetadataArray {
    const value = this.#get(key, "array", options.fallback);
    if (!isArray(value)) throw wrong(key, "array", value);
    return value;
  }

  /** How many strings an array of them has; 0 where the key is missing. Makes no strings. */
  stringCount(key: string): number {
    const texts = this.#values instanceof MetadataMap ? this.#values.texts(key) : undefined;
    return texts?.length ?? this.strings(key, { fallback: [] }).length;
  }

  /** An array of strings. */
  strings(key: string, options: GetOptions<string[]> = {}): string[] {
    const value = this.#get(key, "array of strings", options.fallback);
    // Elements are of one type, so the first one tells.
    if (!Array.isArray(value) || (value.length > 0 && typeof value[0] !== "string")) {
      throw wrong(key, "array of strings", value);
    }
    return value as string[];
  }

  /** An array of numbers of at most 32 bits (or f64), as stored. */
  numbers(key: string, options: GetOptions<ArrayLike<number>> = {}): ArrayLike<number> {
    const value = this.#get<MetadataValue | ArrayLike<number>>(key, "array of numbers", options.fallback);
    const first = typeof value === "object" ? value[0] ?? 0 : undefined;
    if (typeof first !== "number") throw wrong(key, "array of numbers", value);
    return value as ArrayLike<number>;
  }

  #get<T>(key: string, expected: string, fallback: T | undefined): MetadataValue | T {
    const value = this.#values.get(key) ?? fallback;
    if (value === undefined) throw new GgufError(`${key}: expected ${expected}, and the key is missing`);
    return value;
  }
}

function inRange(key: string, type: string, value: number, options: GetNumberOptions): number {
  const { min = -Infinity, max = Infinity } = options;
  if (value >= min && value <= max) return value;
  const range = max === Infinity
    ? `of at least ${min}`
    : min === -Infinity
    ? `of at most ${max}`
    : `from ${min} to ${max}`;
  throw wrong(key, `${type} ${range}`, value);
}

function isArray(value: MetadataValue): value is MetadataArray {
  return typeof value === "object";
}

function wrong(key: string, expected: string, value: unknown): GgufError {
  return new GgufError(`${key}: expected ${expected}, current value is ${showValue(value)}`);
}

/** A short form of a metadata value for one line of text: `"text"`, `42`, `array of 3`. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object" && value !== null && "length" in value) return `array of ${value.length}`;
  return String(value);
}
