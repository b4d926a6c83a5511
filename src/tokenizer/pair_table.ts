/**
 * A hash table from a pair of token ids to two numbers: open addressing in typed arrays, built for millions
 * of look-ups.
 */
export class PairTable {
  #left: Int32Array;
  #right: Int32Array;
  #first: Int32Array;
  #second: Int32Array;
  #mask: number;
  #count = 0;

  constructor(expectedPairs: number) {
    const capacity = 1 << Math.max(4, Math.ceil(Math.log2(expectedPairs * 2 + 1)));
    this.#left = new Int32Array(capacity).fill(-1);
    this.#right = new Int32Array(capacity);
    this.#first = new Int32Array(capacity);
    this.#second = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Position of the pair for `first` and `second`, or -1 when it is not in the table. */
  find(left: number, right: number): number {
    for (let at = this.#hash(left, right);; at = (at + 1) & this.#mask) {
      if (this.#left[at] === -1) return -1;
      if (this.#left[at] === left && this.#right[at] === right) return at;
    }
  }

  first(position: number): number {
    return this.#first[position];
  }

  second(position: number): number {
    return this.#second[position];
  }

  /** Adds a pair (ids ≥ 0) unless it is there already: the earlier one wins. */
  add(left: number, right: number, first: number, second: number): void {
    if ((this.#count + 1) * 2 > this.#mask + 1) this.#grow();
    let at = this.#hash(left, right);
    for (; this.#left[at] !== -1; at = (at + 1) & this.#mask) {
      if (this.#left[at] === left && this.#right[at] === right) return;
    }
    this.#left[at] = left;
    this.#right[at] = right;
    this.#first[at] = first;
    this.#second[at] = second;
    this.#count++;
  }

  #hash(left: number, right: number): number {
    let h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    h ^= h >>> 15;
    h = Math.imul(h, 0x2c1b3c6d);
    h ^= h >>> 13;
    return h & this.#mask;
  }

  #grow(): void {
    const old = { left: this.#left, right: this.#right, first: this.#first, second: this.#second };
    const capacity = (this.#mask + 1) * 2;
    this.#left = new Int32Array(capacity).fill(-1);
    this.#right = new Int32Array(capacity);
    this.#first = new Int32Array(capacity);
    this.#second = new Int32Array(capacity);
    this.#mask = capacity - 1;
    this.#count = 0;
    for (let i = 0; i < old.left.length; i++) {
      if (old.left[i] !== -1) this.add(old.left[i], old.right[i], old.first[i], old.second[i]);
    }
  }
}
