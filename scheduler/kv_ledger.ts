import { type BlockAllocator, blocksOf } from "./block_allocator.ts";
import type { PrefixCache } from "./prefix_cache.ts";
import type { Sequence } from "./sequence.ts";

/** Gives blocks to sequences and takes them back; what nobody uses stays in the prefix cache until there is need. */
export class KvLedger {
  readonly #allocator: BlockAllocator;
  readonly #cache: PrefixCache;
  readonly #blockTokens: number;

  constructor(allocator: BlockAllocator, cache: PrefixCache, blockTokens: number) {
    this.#allocator = allocator;
    this.#cache = cache;
    this.#blockTokens = blockTokens;
  }

  /** Blocks that can be had without taking any from a running sequence. */
  get availableBlocks(): number {
    return this.#allocator.freeBlocks + this.#cache.evictableBlocks;
  }

  get blocks(): number {
    return this.#allocator.blocks;
  }

  /** Blocks that hold so many tokens. */
  blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.#blockTokens);
  }

  /** Tokens of a prompt that need not be computed. */
  peek(tenant: string, tokens: readonly number[]): number {
    return this.#cache.peek(tenant, tokens);
  }

  /** Shares the known prefix of a sequence that has no blocks. */
  attach(sequence: Sequence): void {
    sequence.blocks.push(...this.#cache.match(sequence.tenant, sequence.tokens));
    sequence.first = sequence.blocks.length * this.#blockTokens;
  }

  /** Gives a sequence blocks for its first `tokens` tokens. False, and nothing is taken, when they cannot be had. */
  reserve(sequence: Sequence, tokens: number): boolean {
    const { blocks } = sequence;
    const wanted = this.blocksFor(tokens) - blocks.length;
    if (wanted <= 0) return true;
    const short = wanted - this.#allocator.freeBlocks;
    if (short > this.#cache.evictableBlocks) return false;
    if (short > 0) this.#cache.evict(short);
    if (wanted === 1 && blocks.length > 0) {
      const block = this.#allocator.tryGrow(blocks[blocks.length - 1]);
      if (block !== null) blocks.push(block);
      return block !== null;
    }
    const runs = this.#allocator.tryAllocate(wanted);
    if (runs !== null) blocks.push(...blocksOf(runs));
    return runs !== null;
  }

  /** Lets others share what has been computed. */
  offer(sequence: Sequence): void {
    this.#cache.insert(sequence.tenant, sequence.tokens.slice(0, sequence.first), sequence.blocks);
  }

  /** Takes all blocks back. What has been computed stays in the cache, as long as nobody needs the room. */
  release(sequence: Sequence): void {
    if (sequence.blocks.length === 0) return;
    this.offer(sequence);
    this.#cache.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.first = 0;
  }
}
