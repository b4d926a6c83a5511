/** Of each place in the table: left id + 1 or 0, right id, the two numbers. */
const WORDS = 4;

/**
 * A hash table from a pair of token ids to two numbers: open addressing in a typed array, built for millions
 * of look-ups. What one touches lies together.
 */
export class PairTable {
  #table: Int32Array;
  #mask: number;
  #count = 0;

  constructor(expectedPairs: number) {
    const capacity = 1 << Math.max(4, Math.ceil(Math.log2(expectedPairs * 2 + 1)));
    this.#table = new Int32Array(capacity * WORDS);
    this.#mask = capacity - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Position of the pair for `first` and `second`, or -1 when it is not in the table. */
  find(left: number, right: number): number {
    const at = this.#place(left, right);
    return this.#table[at] === 0 ? -1 : at;
  }

  first(position: number): number {
    return this.#table[position + 2];
  }

  second(position: number): number {
    return this.#table[position + 3];
  }

  /** Adds a pair (ids ≥ 0) unless it is there already: the earlier one wins. */
  add(left: number, right: number, first: number, second: number): void {
    if ((this.#count + 1) * 2 > this.#mask + 1) this.#grow();
    const at = this.#place(left, right);
    const table = this.#table;
    if (table[at] !== 0) return;
    table[at] = left + 1;
    table[at + 1] = right;
    table[at + 2] = first;
    table[at + 3] = second;
    this.#count++;
  }

  /** Where the pair is, or would be. Negative ids are nowhere. */
  #place(left: number, right: number): number {
    const table = this.#table, key = left + 1;
    for (let at = this.#hash(left, right);; at = (at + 1) & this.#mask) {
      const place = at * WORDS;
      if (table[place] === 0 || table[place] === key && table[place + 1] === right) return place;
    }
  }

  #hash(left: number, right: number): number {
    let h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    h ^= h >>> 15;
    h = Math.imul(h, 0x2c1b3c6d);
    h ^= h >>> 13;
    return h & this.#mask;
  }

  #grow(): void {
    const old = this.#table;
    const capacity = (this.#mask + 1) * 2;
    this.#table = new Int32Array(capacity * WORDS);
    this.#mask = capacity - 1;
    this.#count = 0;
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at] !== 0) this.add(old[at] - 1, old[at + 1], old[at + 2], old[at + 3]);
    }
  }
}
