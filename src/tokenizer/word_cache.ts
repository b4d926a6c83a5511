/**
 * Token ids of words seen lately: two generations, so that the words in use survive when the older half is
 * dropped.
 */
export class WordCache {
  #young = new Map<string, readonly number[]>();
  #old = new Map<string, readonly number[]>();
  readonly #wordsMax: number;

  /**
   * Longest word that `set` takes. V8 copies slices shorter than 13 units; longer ones would keep their whole
   * text alive.
   */
  static readonly unitsMax = 12;

  constructor(wordsMax = 16384) {
    this.#wordsMax = wordsMax;
  }

  get(word: string): readonly number[] | undefined {
    const young = this.#young.get(word);
    if (young !== undefined) return young;
    const old = this.#old.get(word);
    if (old !== undefined) this.set(word, old);
    return old;
  }

  set(word: string, ids: readonly number[]): void {
    if (word.length > WordCache.unitsMax) return;
    if (this.#young.size >= this.#wordsMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(word, ids);
  }
}
