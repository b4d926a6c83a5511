import type { KvRun } from "../ffi/kv_blocks.ts";
import { limits, structs } from "../ffi/symbols.ts";

/** Tokens in one block of the KV cache: the kernels keep keys in tiles of this many. */
export const BLOCK_TOKENS: number = limits.kvBlockTokens;

/** A sequence's blocks of the KV cache in one group of layers, in order of position. */
export interface KvTable {
  /** Position of the first run in blocks; those before it were given back, because no token sees them any more. */
  readonly start: number;
  readonly runs: readonly KvRun[];
}

/** The part of a sequence that one step computes: tokens `first` to `first + count − 1`, and guesses of those behind them. */
export interface SequenceSlice {
  /** All tokens of the sequence so far; token i has position i. */
  readonly tokens: ArrayLike<number>;
  readonly first: number;
  readonly count: number;
  /** Tokens that are computed as if they followed; default: none. */
  readonly draft?: ArrayLike<number>;
  /** One for each group of layers. */
  readonly tables: readonly KvTable[];
  /**
   * Where layers that keep a state of sequences find and leave it. Default: the i-th slice of a step has slot i, for those who
   * compute the same sequences in every step.
   */
  readonly state?: StateSlot;
  /**
   * Where the predictor has the state of the model before its first token, if it follows the sequence. Default: it does not, or there
   * is none.
   */
  readonly before?: number;
}

/**
 * Slots of the states of sequences: the one that has the state after the tokens before `first`, which is not looked at where that is 0,
 * and the one to be written. In a step no slot is written by one sequence and used by another.
 */
export interface StateSlot {
  readonly read: number;
  readonly write: number;
}

/** Tokens of a slice, its guesses among them. */
export function sizeOf({ count, draft }: Pick<SequenceSlice, "count" | "draft">): number {
  return count + (draft?.length ?? 0);
}

const WORD_BYTES = 4;
const HEADER_WORDS = structs.BatchHeader.bytes / WORD_BYTES;
const TOKEN_WORDS = structs.BatchToken.bytes / WORD_BYTES;
const SEQUENCE_WORDS = structs.BatchSeq.bytes / WORD_BYTES;
const EXTENT_WORDS = structs.BatchExtent.bytes / WORD_BYTES;

/**
 * One step's tokens in the form that the kernels read: header {tokens, sequences, extents, groups}, then for each group of
 * layers per token {position, slot}, for each group per sequence {token first, token count, position first, extent first,
 * extent count, position of the first extent}, then per extent {slot first, token count}. All u32. The memory is reused
 * from step to step and grows when it must.
 */
export class BatchBuffer {
  readonly #ids: Uint32Array;
  readonly #groups: number;
  #words = new Uint32Array(1024);

  /** `groups`: the groups of layers that the cache has. */
  constructor(tokensMax: number, groups = 1) {
    this.#ids = new Uint32Array(tokensMax);
    this.#groups = groups;
  }

  /** Throws a RangeError when the slices have no tokens, too many, or blocks for fewer positions than they need. */
  encode(slices: readonly SequenceSlice[]): { ids: Uint32Array; descriptor: Uint32Array } {
    const groups = this.#groups;
    const tokens = this.#countTokens(slices);
    let extentsMax = 0;
    for (const { tables } of slices) for (const { runs } of tables) extentsMax += runs.length;
    const sequencesAt = HEADER_WORDS + groups * tokens * TOKEN_WORDS;
    const extentsAt = sequencesAt + groups * slices.length * SEQUENCE_WORDS;
    this.#reserve(extentsAt + extentsMax * EXTENT_WORDS);
    const words = this.#words;
    let extents = 0;
    for (let group = 0; group < groups; group++) {
      let token = 0;
      let word = sequencesAt + group * slices.length * SEQUENCE_WORDS;
      for (const slice of slices) {
        const tokenAt = HEADER_WORDS + (group * tokens + token) * TOKEN_WORDS;
        const count = this.#writeTable(
          slice,
          slice.tables[group],
          tokenAt,
          extentsAt + extents * EXTENT_WORDS,
        );
        words[word] = token;
        words[word + 1] = sizeOf(slice);
        words[word + 2] = slice.first;
        words[word + 3] = extents;
        words[word + 4] = count;
        words[word + 5] = slice.tables[group].start * BLOCK_TOKENS;
        word += SEQUENCE_WORDS;
        token += sizeOf(slice);
        extents += count;
      }
    }
    words[0] = tokens;
    words[1] = slices.length;
    words[2] = extents;
    words[3] = groups;
    return {
      ids: this.#ids.subarray(0, tokens),
      descriptor: words.subarray(0, extentsAt + extents * EXTENT_WORDS),
    };
  }

  /** The slots of the slices' states: {read, write} for each. */
  encodeStates(slices: readonly SequenceSlice[]): Uint32Array {
    const words = new Uint32Array(2 * slices.length);
    for (const [i, { state }] of slices.entries()) {
      words[2 * i] = state?.read ?? i;
      words[2 * i + 1] = state?.write ?? i;
    }
    return words;
  }

  #countTokens(slices: readonly SequenceSlice[]): number {
    let tokens = 0;
    for (const slice of slices) {
      const { count, first, draft = [], tables } = slice;
      if (count < 1) throw new RangeError(`Cannot compute a slice of ${count} tokens`);
      if (tables.length !== this.#groups) {
        throw new RangeError(
          `A sequence must have ${this.#groups} lists of KV blocks, current value is ${tables.length}`,
        );
      }
      const room = this.#ids.length - tokens;
      for (let i = 0; i < Math.min(sizeOf(slice), room); i++) {
        this.#ids[tokens + i] = i < count ? slice.tokens[first + i] : draft[i - count];
      }
      tokens += sizeOf(slice);
    }
    if (tokens < 1 || tokens > this.#ids.length) {
      throw new RangeError(`A step must have 1 to ${this.#ids.length} tokens, current value is ${tokens}`);
    }
    return tokens;
  }

  /** Writes where a slice's tokens go and where its positions lie in one group. Returns how many extents. */
  #writeTable(
    slice: SequenceSlice,
    { start, runs }: KvTable,
    tokenAt: number,
    extentAt: number,
  ): number {
    const words = this.#words;
    const { first } = slice;
    const end = first + sizeOf(slice);
    // The first one of this run.
    let position = start * BLOCK_TOKENS;
    let extents = 0;
    for (let i = 0; i < runs.length && position < end; i++) {
      const slot = runs[i].first * BLOCK_TOKENS;
      const runEnd = Math.min(end, position + runs[i].length * BLOCK_TOKENS);
      words[extentAt++] = slot;
      words[extentAt++] = runEnd - position;
      extents++;
      for (let p = Math.max(first, position); p < runEnd; p++) {
        const word = tokenAt + (p - first) * TOKEN_WORDS;
        words[word] = p;
        words[word + 1] = slot + p - position;
      }
      position = runEnd;
    }
    if (position < end || start * BLOCK_TOKENS > first) {
      const blocks = runs.reduce((sum, { length }) => sum + length, 0);
      throw new RangeError(`Cannot compute ${end} positions in ${blocks} KV blocks from block ${start} on`);
    }
    return extents;
  }

  #reserve(words: number): void {
    if (this.#words.length < words) this.#words = new Uint32Array(words * 2);
  }
}
