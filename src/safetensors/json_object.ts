/** JSON files of a checkpoint, read with clear errors. @module */

import { CheckpointError } from "./error.ts";

/** Largest file of settings or tokens that is read: the largest tokenizer.json in use has about 35 MB. */
const FILE_BYTES_MAX = 256 * 2 ** 20;

/**
 * An object of a JSON file. Every getter throws CheckpointError that names the file, the key, what was
 * expected, and the value.
 */
export class JsonObject {
  readonly #name: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(name: string, values: unknown) {
    this.#name = name;
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new CheckpointError(`${name} must be an object, current value is ${show(values)}`);
    }
    this.#values = values as Record<string, unknown>;
  }

  /** Undefined where there is no such file. */
  static async read(folder: string, file: string): Promise<JsonObject | undefined> {
    const path = `${folder}/${file}`;
    try {
      const { size } = await Deno.stat(path);
      if (size > FILE_BYTES_MAX) {
        throw new CheckpointError(`${path} has ${size} bytes, more than ${FILE_BYTES_MAX}`);
      }
      return new JsonObject(file, JSON.parse(await Deno.readTextFile(path)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (error instanceof SyntaxError) {
        throw new CheckpointError(`${path} is no JSON: ${error.message.slice(0, 200)}`, { cause: error });
      }
      throw error;
    }
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#values, key) && this.#values[key] !== null;
  }

  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** The value as it is; undefined where it is missing or null. */
  value(key: string): unknown {
    return this.has(key) ? this.#values[key] : undefined;
  }

  /** A finite number from `min` on. Without a fallback it must be there. */
  number(key: string, { min = -Infinity, fallback }: { min?: number; fallback?: number } = {}): number {
    const value = this.value(key) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value < min) {
      throw this.wrong(key, min === -Infinity ? "a number" : `a number from ${min} on`);
    }
    return value;
  }

  /** A whole number from `min` on, 1 by default. */
  count(key: string, { min = 1, fallback }: { min?: number; fallback?: number } = {}): number {
    const value = this.number(key, { min, fallback });
    if (!Number.isInteger(value) || value >= 2 ** 32) throw this.wrong(key, `a whole number from ${min} on`);
    return value;
  }

  string(key: string, fallback?: string): string {
    const value = this.value(key) ?? fallback;
    if (typeof value !== "string") throw this.wrong(key, "a string");
    return value;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback;
    if (typeof value !== "boolean") throw this.wrong(key, "true or false");
    return value;
  }

  list(key: string): unknown[] {
    const value = this.value(key);
    if (!Array.isArray(value)) throw this.wrong(key, "a list");
    return value;
  }

  object(key: string): JsonObject {
    return new JsonObject(`${this.#name}: ${key}`, this.value(key));
  }

  /** An object, or undefined where it is missing or null. */
  optionalObject(key: string): JsonObject | undefined {
    return this.has(key) ? this.object(key) : undefined;
  }

  /** The error for a value that is something else than expected. */
  wrong(key: string, expected: string): CheckpointError {
    return new CheckpointError(
      `${this.#name}: ${short(key)} must be ${expected}, current value is ${show(this.#values[key])}`,
    );
  }

  /** The error for a value that asks for what is not there. */
  unsupported(key: string, what: string): CheckpointError {
    return new CheckpointError(
      `${this.#name}: ${key} is ${show(this.#values[key])}, which asks for ${what}: not supported`,
    );
  }
}

/** A key as messages show it: a file may have any. */
function short(key: string): string {
  return key.length > 120 ? `${key.slice(0, 120)}…` : key;
}

/** A value as messages show it. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 120);
}
