/** What of the prompts is worth keeping beyond the KV cache, and what goes when there is no room for it. @module */

/** How prompts are judged. All optional. */
export interface StorePolicyOptions {
  /** A stretch is kept once so many prompts had it. Default 2: the second time somebody waits for what was known. */
  readonly hitsMin?: number;
  /** Prompts of so many tokens are kept at once: documents, which take long to read. Default 2,048. */
  readonly tokensMin?: number;
  /** Stretches whose prompts are counted. Default 4,096. */
  readonly countedMax?: number;
}

const HITS_MIN = 2;
const TOKENS_MIN = 2048;
const COUNTED_MAX = 4096;

/**
 * Chooses which stretches of prompts are stored: those that several prompts had in common, and those of long prompts. A stretch is named by
 * all that stands before its end. Pure: the same calls give the same choices.
 */
export class StorePolicy {
  readonly #hitsMin: number;
  readonly #tokensMin: number;
  readonly #countedMax: number;
  /** Prompts by stretch, the longest unused first. */
  readonly #counts = new Map<string, number>();

  constructor(options: StorePolicyOptions = {}) {
    this.#hitsMin = options.hitsMin ?? HITS_MIN;
    this.#tokensMin = options.tokensMin ?? TOKENS_MIN;
    this.#countedMax = options.countedMax ?? COUNTED_MAX;
  }

  /**
   * Notes a prompt of so many tokens that has been computed; `stretches`: the names of its whole ones, in order. Gives how many of them,
   * from the first on, are worth storing: none is of use without those before it.
   */
  note(stretches: readonly string[], tokens: number): number {
    let worth = 0;
    for (const [i, name] of stretches.entries()) {
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.delete(name);
      this.#counts.set(name, count);
      if (count >= this.#hitsMin) worth = i + 1;
    }
    for (const name of this.#counts.keys()) {
      if (this.#counts.size <= this.#countedMax) break;
      this.#counts.delete(name);
    }
    return tokens >= this.#tokensMin ? stretches.length : worth;
  }
}

/** A stretch as it is stored. */
export interface StoredStretch {
  readonly bytes: number;
  /** When it was last used, in ms. */
  readonly usedAt: number;
  /** Its place among those of its prompt, from 0. */
  readonly index: number;
}

/**
 * What has to go so that `incoming` bytes find room within `bytesMax`: the longest unused first, and of those used together the last of
 * their prompt first, since it is of no use without the others. Null where even an empty store has no room.
 */
export function toEvict<T extends StoredStretch>(
  stored: readonly T[],
  bytesMax: number,
  incoming: number,
): T[] | null {
  if (incoming > bytesMax) return null;
  let bytes = stored.reduce((sum, each) => sum + each.bytes, incoming);
  const evicted: T[] = [];
  for (const each of stored.toSorted((a, b) => a.usedAt - b.usedAt || b.index - a.index)) {
    if (bytes <= bytesMax) break;
    evicted.push(each);
    bytes -= each.bytes;
  }
  return evicted;
}
