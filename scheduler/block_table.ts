/** Blocks with consecutive numbers. */
export interface BlockRun {
  readonly first: number;
  readonly length: number;
}

/** A run and where it lies: its first block holds the `at`-th stretch of tokens. */
export interface PlacedRun extends BlockRun {
  readonly at: number;
}

/**
 * Which block holds which stretch of a sequence's tokens, as runs in order of position. Some may be missing:
 * those that were given back because no token sees them any more.
 */
export class BlockTable {
  readonly #runs: PlacedRun[] = [];
  #end = 0;
  #blocks = 0;

  /** In order of position. */
  get runs(): readonly PlacedRun[] {
    return this.#runs;
  }

  /** Blocks that it has. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Place of the first block that it has; the end where it has none. */
  get start(): number {
    return this.#runs.length === 0 ? this.#end : this.#runs[0].at;
  }

  /** The place after the last one, whether or not that has a block. */
  get end(): number {
    return this.#end;
  }

  /** The block at the last place, if there is one. */
  get last(): number | undefined {
    const run = this.#runs.at(-1);
    return run !== undefined && run.at + run.length === this.#end ? run.first + run.length - 1 : undefined;
  }

  /** The block at a place; undefined where there is none. */
  blockAt(place: number): number | undefined {
    let low = 0, high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle].at + this.#runs[middle].length <= place) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    return run === undefined || run.at > place ? undefined : run.first + place - run.at;
  }

  /** Puts runs at the end, which become one with the last run where they continue it. */
  append(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) {
      const last = this.#runs.at(-1);
      if (last !== undefined && last.at + last.length === this.#end && last.first + last.length === first) {
        this.#runs[this.#runs.length - 1] = { ...last, length: last.length + length };
      } else {
        this.#runs.push({ at: this.#end, first, length });
      }
      this.#end += length;
      this.#blocks += length;
    }
  }

  /** Leaves places without blocks at the end. */
  skip(places: number): void {
    this.#end += places;
  }

  /** The runs at places `from` to `to` − 1. */
  slice(from: number, to: number): PlacedRun[] {
    const part: PlacedRun[] = [];
    for (const run of this.#runs) {
      const at = Math.max(from, run.at), end = Math.min(to, run.at + run.length);
      if (at < end) part.push({ at, first: run.first + at - run.at, length: end - at });
    }
    return part;
  }

  /** Takes the blocks at places `from` to `to` − 1 out; the places stay. */
  remove(from: number, to: number): PlacedRun[] {
    const part = this.slice(from, to);
    if (part.length > 0) this.#replace([...this.slice(0, from), ...this.slice(to, this.#end)]);
    return part;
  }

  /** Puts a run at places that have no blocks, or in place of those there. */
  put(run: PlacedRun): void {
    const end = run.at + run.length;
    this.#replace([...this.slice(0, run.at), run, ...this.slice(end, this.#end)]);
    this.#end = Math.max(this.#end, end);
  }

  /** Cuts off what is at place `at` and after it; gives it as a table that begins there. */
  split(at: number): BlockTable {
    const rest = new BlockTable();
    rest.#runs.push(...this.slice(at, this.#end).map((run) => ({ ...run, at: run.at - at })));
    rest.#end = this.#end - at;
    rest.#count();
    this.#replace(this.slice(0, at));
    this.#end = at;
    return rest;
  }

  /** Takes all blocks and places out. */
  clear(): PlacedRun[] {
    const all = [...this.#runs];
    this.#runs.length = this.#end = this.#blocks = 0;
    return all;
  }

  #replace(runs: readonly PlacedRun[]): void {
    this.#runs.length = 0;
    for (const run of runs) {
      const last = this.#runs.at(-1);
      if (last !== undefined && last.at + last.length === run.at && last.first + last.length === run.first) {
        this.#runs[this.#runs.length - 1] = { ...last, length: last.length + run.length };
      } else {
        this.#runs.push(run);
      }
    }
    this.#count();
  }

  #count(): void {
    this.#blocks = this.#runs.reduce((sum, { length }) => sum + length, 0);
  }
}

/** Blocks in some runs. */
export function blocksIn(runs: readonly BlockRun[]): number {
  let blocks = 0;
  for (const { length } of runs) blocks += length;
  return blocks;
}
