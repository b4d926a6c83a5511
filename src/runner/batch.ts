import { limits, structs } from "../ffi/symbols.ts";

/** Tokens in one block of the KV cache: the kernels keep keys in tiles of this many. */
export const BLOCK_TOKENS: number = limits.kvBlockTokens;

/** The part of a sequence that one step computes: tokens `first` to `first + count − 1`. */
export interface SequenceSlice {
  /** All tokens of the sequence so far; token i has position i. */
  readonly tokens: ArrayLike<number>;
  readonly first: number;
  readonly count: number;
  /** The sequence's blocks of the KV cache, in order of position; position p lies in blocks[⌊p / 16⌋]. */
  readonly blocks: readonly number[];
}

const WORD_BYTES = 4;
const HEADER_WORDS = structs.BatchHeader.bytes / WORD_BYTES;
const TOKEN_WORDS = structs.BatchToken.bytes / WORD_BYTES;
const SEQUENCE_WORDS = structs.BatchSeq.bytes / WORD_BYTES;
const EXTENT_WORDS = structs.BatchExtent.bytes / WORD_BYTES;

/**
 * One step's tokens in the form that the kernels read: header {tokens, sequences, extents, 0}, then per token
 * {position, slot}, per sequence {token first, token count, position first, extent first, extent count}, per
 * extent {slot first, token count}. All u32. The memory is reused from step to step and grows when it must.
 */
export class BatchBuffer {
  readonly #ids: Uint32Array;
  #words = new Uint32Array(1024);

  constructor(tokensMax: number) {
    this.#ids = new Uint32Array(tokensMax);
  }

  /** Throws a RangeError when the slices have no tokens, too many, or blocks for fewer positions than they need. */
  encode(slices: readonly SequenceSlice[]): { ids: Uint32Array; descriptor: Uint32Array } {
    const tokens = this.#countTokens(slices);
    const extentsMax = slices.reduce((sum, slice) => sum + slice.blocks.length, 0);
    const sequencesAt = HEADER_WORDS + tokens * TOKEN_WORDS;
    const extentsAt = sequencesAt + slices.length * SEQUENCE_WORDS;
    this.#reserve(extentsAt + extentsMax * EXTENT_WORDS);
    const words = this.#words;
    let token = 0, extents = 0;
    slices.forEach((slice, i) => {
      const count = this.#writeExtents(slice, extentsAt + extents * EXTENT_WORDS);
      words.set([token, slice.count, slice.first, extents, count], sequencesAt + i * SEQUENCE_WORDS);
      this.#writeTokens(slice, token);
      token += slice.count;
      extents += count;
    });
    words.set([tokens, slices.length, extents, 0]);
    return {
      ids: this.#ids.subarray(0, tokens),
      descriptor: words.subarray(0, extentsAt + extents * EXTENT_WORDS),
    };
  }

  #countTokens(slices: readonly SequenceSlice[]): number {
    let tokens = 0;
    for (const { count, first, blocks } of slices) {
      if (count < 1) throw new RangeError(`Cannot compute a slice of ${count} tokens`);
      if (blocks.length * BLOCK_TOKENS < first + count) {
        throw new RangeError(`Cannot compute ${first + count} positions in ${blocks.length} KV blocks`);
      }
      tokens += count;
    }
    if (tokens < 1 || tokens > this.#ids.length) {
      throw new RangeError(`A step must have 1 to ${this.#ids.length} tokens, current value is ${tokens}`);
    }
    return tokens;
  }

  #writeTokens({ tokens, first, count, blocks }: SequenceSlice, at: number): void {
    for (let i = 0; i < count; i++) {
      const position = first + i;
      const word = HEADER_WORDS + (at + i) * TOKEN_WORDS;
      this.#ids[at + i] = tokens[position];
      this.#words[word] = position;
      this.#words[word + 1] = blocks[Math.floor(position / BLOCK_TOKENS)] * BLOCK_TOKENS +
        position % BLOCK_TOKENS;
    }
  }

  /** Writes where positions 0 to the slice's last lie; adjacent blocks become one extent. Returns how many. */
  #writeExtents({ first, count, blocks }: SequenceSlice, at: number): number {
    let left = first + count;
    let word = at - EXTENT_WORDS;
    for (let i = 0; left > 0; i++) {
      const tokenCount = Math.min(left, BLOCK_TOKENS);
      if (i > 0 && blocks[i] === blocks[i - 1] + 1) {
        this.#words[word + 1] += tokenCount;
      } else {
        word += EXTENT_WORDS;
        this.#words[word] = blocks[i] * BLOCK_TOKENS;
        this.#words[word + 1] = tokenCount;
      }
      left -= tokenCount;
    }
    return (word - at) / EXTENT_WORDS + 1;
  }

  #reserve(words: number): void {
    if (this.#words.length < words) this.#words = new Uint32Array(words * 2);
  }
}
