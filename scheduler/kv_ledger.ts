import { type BlockAllocator, roomBlocks } from "./block_allocator.ts";
import type { PrefixCache } from "./prefix_cache.ts";
import type { SchedulerRequest, Sequence } from "./sequence.ts";

/** Gives blocks to sequences and takes them back; what nobody uses stays in the prefix cache until there is need. */
export class KvLedger {
  readonly #allocator: BlockAllocator;
  readonly #cache: PrefixCache;
  readonly #blockTokens: number;
  /** Sequences that have blocks. */
  #holders = 0;

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
  peek({ tenant = "", tokens, sharesPrefix = true }: SchedulerRequest): number {
    return sharesPrefix ? this.#cache.peek(tenant, tokens) : 0;
  }

  /** Shares the known prefix of a sequence that has no blocks. */
  attach(sequence: Sequence): void {
    if (!sequence.sharesPrefix) return;
    sequence.blocks.push(...this.#cache.match(sequence.tenant, sequence.tokens));
    sequence.first = sequence.blocks.length * this.#blockTokens;
    if (sequence.blocks.length > 0) this.#holders++;
  }

  /** Gives a sequence blocks for its first `tokens` tokens. False, and nothing is taken, when they cannot be had. */
  reserve(sequence: Sequence, tokens: number): boolean {
    const { blocks } = sequence;
    const wanted = this.blocksFor(tokens) - blocks.length;
    if (wanted <= 0) return true;
    const short = wanted - this.#allocator.freeBlocks;
    if (short > this.#cache.evictableBlocks) return false;
    if (short > 0) this.#cache.evict(short);
    const holders = this.#holders + (blocks.length > 0 ? 0 : 1);
    const room = roomBlocks(this.#allocator.freeBlocks - wanted, holders);
    const taken = this.#allocator.tryAllocate(wanted, blocks.at(-1), room);
    if (taken === null) return false;
    this.#holders = holders;
    blocks.push(...taken);
    return true;
  }

  /** Lets others share what has been computed. */
  offer(sequence: Sequence): void {
    if (!sequence.sharesPrefix) return;
    this.#cache.insert(sequence.tenant, sequence.tokens.slice(0, sequence.first), sequence.blocks);
  }

  /** Takes all blocks back. What has been computed stays in the cache, as long as nobody needs the room. */
  release(sequence: Sequence): void {
    if (sequence.blocks.length === 0) return;
    this.#holders--;
    this.offer(sequence);
    this.#cache.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.first = 0;
  }
}
