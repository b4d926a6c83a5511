import type { TextArray } from "./text_array.ts";
import type { MetadataEntry, MetadataValue } from "./value_types.ts";

/** Metadata by key, in the file's order. An array of strings is made of its bytes when its value is asked for. */
export class MetadataMap implements ReadonlyMap<string, MetadataValue> {
  readonly #entries: ReadonlyMap<string, MetadataEntry>;
  readonly #texts: ReadonlyMap<string, TextArray>;

  /** `texts`: the arrays of strings that are there as bytes, by key. */
  constructor(entries: readonly MetadataEntry[], texts: ReadonlyMap<string, TextArray>) {
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]));
    this.#texts = texts;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): MetadataValue | undefined {
    return this.#entries.get(key)?.value;
  }

  /** An array of strings as bytes; undefined where there is none under this key. */
  texts(key: string): TextArray | undefined {
    return this.#texts.get(key);
  }

  keys(): MapIterator<string> {
    return this.#entries.keys() as MapIterator<string>;
  }

  *values(): MapIterator<MetadataValue> {
    for (const { value } of this.#entries.values()) yield value;
  }

  *entries(): MapIterator<[string, MetadataValue]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  [Symbol.iterator](): MapIterator<[string, MetadataValue]> {
    return this.entries();
  }

  forEach(visit: (value: MetadataValue, key: string, map: ReadonlyMap<string, MetadataValue>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }
}
