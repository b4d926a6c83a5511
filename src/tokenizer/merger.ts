/**
 * Greedy pair merging, shared by both kinds of tokenizers: of all neighbouring pairs that have a rank, merge
 * the one with the lowest, the leftmost of equal ones first, until none is left. Short words rescan their
 * pairs; long ones keep them in a heap, so n symbols take O(n log n) whatever the text.
 */

import { PairTable } from "./pair_table.ts";

/** Finds the rank and the result of merging two neighbouring symbols. */
export interface MergeRules {
  /** `first` is the rank (0 … 2^21 - 1, lower merges earlier), `second` the id of the result. */
  readonly pairs: PairTable;
  /**
   * Called for a pair that is not in the table; may add it. Returns its position or -1. Absent: the table is
   * complete.
   */
  readonly complete?: (left: number, right: number) => number;
}

/** Ranks stay below this so that rank and position fit one exact double. */
export const RANKS_MAX = 1 << 21;

const SCAN_MAX = 48;
const NO_RANK = 0x7fffffff;

/** Merges symbols in place; keeps its scratch memory between calls. */
export class Merger {
  readonly #rules: MergeRules;
  #ids = new Int32Array(256);
  #next = new Int32Array(256);
  #previous = new Int32Array(256);
  #rank = new Int32Array(256);
  #result = new Int32Array(256);
  #heap = new Float64Array(256);
  #heapCount = 0;

  constructor(rules: MergeRules) {
    this.#rules = rules;
  }

  /** Memory for at least `count` symbols, to be filled before `merge(count)`. */
  symbols(count: number): Int32Array {
    if (this.#ids.length < count) this.#resize(count);
    return this.#ids;
  }

  /** Merges the first `count` symbols and returns how many remain; they are the first of `symbols()`. */
  merge(count: number): number {
    if (count < 2) return count;
    return count <= SCAN_MAX ? this.#mergeByScan(count) : this.#mergeByHeap(count);
  }

  /**
   * Gives memory beyond `countMax` symbols back: one huge text must not hold it for the life of the process.
   */
  trim(countMax: number): void {
    if (this.#ids.length > countMax) this.#resize(countMax);
  }

  #resize(count: number): void {
    const capacity = 1 << Math.ceil(Math.log2(count));
    this.#ids = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#rank = new Int32Array(capacity);
    this.#result = new Int32Array(capacity);
    this.#heap = new Float64Array(256);
  }

  #lookUp(left: number, right: number): number {
    const at = this.#rules.pairs.find(left, right);
    return at >= 0 || this.#rules.complete === undefined ? at : this.#rules.complete(left, right);
  }

  /** Sets rank and result of the pair (i, j), where j follows i. */
  #setPair(i: number, j: number): void {
    const at = this.#lookUp(this.#ids[i], this.#ids[j]);
    this.#rank[i] = at < 0 ? NO_RANK : this.#rules.pairs.first(at);
    if (at >= 0) this.#result[i] = this.#rules.pairs.second(at);
  }

  #mergeByScan(count: number): number {
    const ids = this.#ids;
    const rank = this.#rank;
    const result = this.#result;
    for (let i = 0; i + 1 < count; i++) this.#setPair(i, i + 1);
    while (count > 1) {
      let best = 0;
      for (let i = 1; i + 1 < count; i++) if (rank[i] < rank[best]) best = i;
      if (rank[best] === NO_RANK) break;
      ids[best] = result[best];
      count--;
      // So few items move faster one by one than through copyWithin.
      for (let i = best + 1; i < count; i++) {
        ids[i] = ids[i + 1];
        rank[i] = rank[i + 1];
        result[i] = result[i + 1];
      }
      if (best + 1 < count) this.#setPair(best, best + 1);
      if (best > 0) this.#setPair(best - 1, best);
    }
    return count;
  }

  #mergeByHeap(count: number): number {
    const ids = this.#ids;
    const next = this.#next;
    const previous = this.#previous;
    this.#heapCount = 0;
    for (let i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1 < count ? i + 1 : -1;
      this.#rank[i] = NO_RANK;
    }
    for (let i = 0; i + 1 < count; i++) this.#offer(i, i + 1);
    while (this.#heapCount > 0) {
      const key = this.#pop();
      const rank = Math.floor(key / 0x100000000);
      const left = key - rank * 0x100000000;
      // Pairs that changed since they were offered: a dead or a grown symbol has another rank.
      if (this.#rank[left] !== rank) continue;
      const right = next[left];
      ids[left] = this.#result[left];
      this.#rank[right] = NO_RANK;
      next[left] = next[right];
      if (next[left] >= 0) {
        previous[next[left]] = left;
        this.#offer(left, next[left]);
      } else {
        this.#rank[left] = NO_RANK;
      }
      if (previous[left] >= 0) this.#offer(previous[left], left);
    }
    let kept = 0;
    for (let i = 0; i >= 0; i = next[i]) ids[kept++] = ids[i];
    return kept;
  }

  #offer(i: number, j: number): void {
    this.#setPair(i, j);
    if (this.#rank[i] !== NO_RANK) this.#push(this.#rank[i] * 0x100000000 + i);
  }

  #push(key: number): void {
    if (this.#heapCount === this.#heap.length) {
      const larger = new Float64Array(this.#heap.length * 2);
      larger.set(this.#heap);
      this.#heap = larger;
    }
    const heap = this.#heap;
    let at = this.#heapCount++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent] <= key) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = key;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap[--this.#heapCount];
    const count = this.#heapCount;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= last) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
