/** Reads of the `tokenizer.ggml.*` keys of a GGUF file with clear errors; arrays may be plain or typed. */

import { MetadataMap } from "../gguf/metadata_map.ts";
import { TextArray } from "../gguf/text_array.ts";
import { TokenizerError } from "./error.ts";

/** GGUF metadata as the reader gives it: key to value. */
export type Metadata = ReadonlyMap<string, unknown>;

const PREFIX = "tokenizer.ggml.";

/** The full key of a tokenizer setting, e.g. `tokenizer.ggml.tokens`. */
export function tokenizerKey(name: string): string {
  return PREFIX + name;
}

/** A string setting, or undefined when the file has none. Throws TokenizerError for another type. */
export function readString(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(name, "a string", value);
}

/** A boolean setting, or undefined when the file has none. Throws TokenizerError for another type. */
export function readBoolean(metadata: Metadata, name: string): boolean | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined || typeof value === "boolean") return value;
  throw wrongType(name, "true or false", value);
}

/**
 * A token id setting, or undefined when the file has none. Throws TokenizerError unless 0 ≤ id < vocabSize.
 */
export function readTokenId(metadata: Metadata, name: string, vocabSize: number): number | undefined {
  const raw = metadata.get(PREFIX + name);
  if (raw === undefined) return undefined;
  const id = typeof raw === "bigint" ? Number(raw) : raw;
  if (typeof id !== "number" || !Number.isInteger(id)) throw wrongType(name, "a token id", raw);
  // Converters write 2^32 - 1 (a u32 of -1) for "none".
  if (id === 0xffffffff || id === -1) return undefined;
  if (id < 0 || id >= vocabSize) {
    throw new TokenizerError(
      `${PREFIX}${name} must be below the vocabulary size ${vocabSize}: current value is ${id}`,
    );
  }
  return id;
}

/** An array of token ids, or undefined when the file has none. Throws TokenizerError for anything else. */
export function readIds(metadata: Metadata, name: string, vocabSize: number): number[] | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  const ids = Array.isArray(value) || value instanceof Int32Array || value instanceof Uint32Array
    ? Array.from(value as ArrayLike<unknown>)
    : undefined;
  if (
    ids === undefined ||
    !ids.every((id) => Number.isInteger(id) && id as number >= 0 && id as number < vocabSize)
  ) {
    throw wrongType(name, `an array of token ids below ${vocabSize}`, value);
  }
  return ids as number[];
}

/** An array of strings, or undefined when the file has none. Throws TokenizerError for anything else. */
export function readStrings(metadata: Metadata, name: string): readonly string[] | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrongType(name, "an array of strings", value);
  const wrong = value.findIndex((item) => typeof item !== "string");
  if (wrong >= 0) throw wrongType(`${name}[${wrong}]`, "a string", value[wrong]);
  return value;
}

/**
 * As {@linkcode readStrings}, as bytes: of a file that was read no strings are made.
 */
export function readTexts(metadata: Metadata, name: string): TextArray | undefined {
  const texts = metadata instanceof MetadataMap ? metadata.texts(PREFIX + name) : undefined;
  if (texts !== undefined) return texts;
  const strings = readStrings(metadata, name);
  return strings && TextArray.of(strings);
}

/** An array of numbers of exactly `length` items, or undefined when the file has none. */
export function readNumbers(metadata: Metadata, name: string, length: number): ArrayLike<number> | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  const isList = Array.isArray(value) ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView) && !(value instanceof BigInt64Array) &&
      !(value instanceof BigUint64Array));
  if (!isList) throw wrongType(name, "an array of numbers", value);
  const list = value as ArrayLike<number>;
  if (list.length !== length) {
    throw new TokenizerError(
      `${PREFIX}${name} must have one item per token (${length}): it has ${list.length}`,
    );
  }
  const isOfIntegers = list instanceof Int32Array || list instanceof Uint32Array;
  for (let i = 0; !isOfIntegers && i < length; i++) {
    if (typeof list[i] !== "number" || Number.isNaN(list[i])) {
      throw wrongType(`${name}[${i}]`, "a number", list[i]);
    }
  }
  return list;
}

/** Bytes, or undefined when the file has none. Throws TokenizerError for anything else. */
export function readBytes(metadata: Metadata, name: string): Uint8Array | undefined {
  const value = metadata.get(PREFIX + name);
  if (value === undefined) return undefined;
  if (value instanceof Uint8Array) return value;
  if (value instanceof Int8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  if (Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= -128 && item < 256)) {
    return Uint8Array.from(value);
  }
  throw wrongType(name, "an array of bytes", value);
}

function wrongType(name: string, wanted: string, value: unknown): TokenizerError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : describe(value);
  return new TokenizerError(`${PREFIX}${name} must be ${wanted}: current value is ${shown}`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value !== null && typeof value === "object") return value.constructor?.name ?? "an object";
  return String(value);
}
