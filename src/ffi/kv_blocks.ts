/**
 * The block allocator of a KV cache: which of its blocks belong to whom. It holds numbers and no cache
 * memory, so it works without kernels, too.
 * @module
 */

import { check } from "./errors.ts";
import { Library } from "./library.ts";
import { NativeObject, type Owner, u32 } from "./objects.ts";
import { KvFault, limits, structs } from "./symbols.ts";

/** Blocks with consecutive numbers, which lie side by side in every layer's memory. */
export interface KvRun {
  readonly first: number;
  readonly length: number;
}

/** What {@linkcode KvBlocks.stats} tells, in blocks. */
export interface KvBlockStats {
  blocks: number;
  free: number;
  /** Blocks in use, each counted once. */
  used: number;
  /** Blocks with more than one reference. */
  shared: number;
  /** References of all blocks. */
  references: number;
  /** Free blocks that memory may still be committed for. */
  idle: number;
  /** The longest stretch of free blocks. */
  largestFree: number;
  /** Aligned free runs of 2ᵏ blocks, for k = 0, 1, …. */
  freeRuns: number[];
  /** 1 − largest free stretch ÷ free blocks; 0 when nothing is free. */
  externalFragmentation: number;
}

/** How an allocator that belongs to no kernels is opened. */
export interface KvBlocksOptions {
  /** The library's file; default: KUMI_LIBRARY, else the one of this checkout. */
  libraryPath?: string;
}

const RUN_WORDS = structs.KvRun.bytes / Uint32Array.BYTES_PER_ELEMENT;
const FAULTS = new Map<number, keyof typeof KvFault>(
  Object.entries(KvFault).map(([name, code]) => [code, name as keyof typeof KvFault]),
);

/**
 * A buddy allocator over `blocks` blocks. One thread at a time may use it. Methods throw KernelError for
 * blocks that are not what the call needs, RangeError for numbers that are no u32.
 */
export class KvBlocks extends NativeObject {
  readonly blocks: number;
  readonly #library: Library | null;
  #runs = new Uint32Array(64 * RUN_WORDS);
  #disposed = false;

  /** Use {@linkcode KvBlocks.open}, or Kernels.createKvBlocks(). `library`: released with the allocator. */
  constructor(owner: Owner, id: number, blocks: number, library: Library | null = null) {
    super(owner, id);
    this.blocks = blocks;
    this.#library = library;
  }

  /**
   * An allocator of its own, all blocks free; dispose of it. Throws LibraryError, and KernelError for no
   * blocks.
   */
  static open(blocks: number, options: KvBlocksOptions = {}): KvBlocks {
    const library = Library.acquire(options.libraryPath);
    try {
      const owner: Owner = { id: limits.none, symbols: () => library.symbols };
      return new KvBlocks(owner, createKvBlocks(owner, blocks), blocks, library);
    } catch (error) {
      library.release();
      throw error;
    }
  }

  get #native() {
    const native = this.#disposed ? undefined : this.owner.symbols();
    if (native === undefined) throw new Error("Cannot use KV blocks that were disposed of");
    return native;
  }

  /**
   * Takes `count` blocks: their runs in the order in which a sequence fills them, or null, and nothing is
   * taken, when fewer are free. Blocks that follow `after` come first; a run that has to be begun leaves
   * `room` free blocks behind it where it can.
   */
  allocate(count: number, after?: number, room = 0): KvRun[] | null {
    const words = u32(count, "count") * RUN_WORDS;
    if (this.#runs.length < words && count <= this.blocks) this.#runs = new Uint32Array(2 * words);
    const runs = this.#native.kumi_kv_blocks_allocate(
      this.id,
      count,
      after === undefined ? limits.none : u32(after, "after"),
      u32(room, "room"),
      this.#runs,
      this.#runs.byteLength,
    );
    if (runs < 0) check(runs, "allocate KV blocks", { count, after, blocks: this.blocks });
    if (runs === 0) return null;
    const result: KvRun[] = [];
    for (let i = 0; i < runs * RUN_WORDS; i += RUN_WORDS) {
      result.push({ first: this.#runs[i], length: this.#runs[i + 1] });
    }
    return result;
  }

  /** Takes exactly these blocks if all of them are free. */
  allocateAt(first: number, count: number): boolean {
    const status = this.#native.kumi_kv_blocks_allocate_at(this.id, u32(first, "first"), u32(count, "count"));
    return check(status, "allocate KV blocks", { first, count }) === 1;
  }

  /** Adds a reference to each of these blocks, which must be in use. */
  share(first: number, count: number): void {
    const status = this.#native.kumi_kv_blocks_share(this.id, u32(first, "first"), u32(count, "count"));
    if (status < 0) check(status, "share KV blocks that are not all in use", { first, count });
  }

  /** Takes a reference from each of these blocks, which must be in use. Gives how many became free. */
  release(first: number, count: number): number {
    const freed = this.#native.kumi_kv_blocks_release(this.id, u32(first, "first"), u32(count, "count"));
    if (freed < 0) check(freed, "release KV blocks that are not all in use", { first, count });
    return freed;
  }

  /** References of a block, 0 when it is free. */
  references(block: number): number {
    return check(this.#native.kumi_kv_blocks_references(this.id, u32(block, "block")), "count references", {
      block,
      blocks: this.blocks,
    });
  }

  /**
   * Free blocks whose memory could be given back: a stretch of up to `blocksMax` in a free run of at least
   * `blocksMin`, of which as many were in use since they were last reported here; null when there is none.
   */
  takeIdle(blocksMin: number, blocksMax = this.blocks): KvRun | null {
    const status = this.#native.kumi_kv_blocks_take_idle(
      this.id,
      u32(blocksMin, "blocksMin"),
      u32(blocksMax, "blocksMax"),
      this.#runs,
      this.#runs.byteLength,
    );
    if (check(status, "take idle KV blocks") === 0) return null;
    return { first: this.#runs[0], length: this.#runs[1] };
  }

  /** Figures of this moment. */
  stats(): KvBlockStats {
    const { bytes, fields } = structs.KvBlockStats;
    const words = new Uint32Array(bytes / Uint32Array.BYTES_PER_ELEMENT);
    check(this.#native.kumi_kv_blocks_stats(this.id, words, words.byteLength), "KV block statistics");
    const at = (field: keyof typeof fields) => fields[field].offset / Uint32Array.BYTES_PER_ELEMENT;
    const blocks = words[at("blocks")], free = words[at("free")], largestFree = words[at("largestFree")];
    return {
      blocks,
      free,
      used: blocks - free,
      shared: words[at("shared")],
      references: words[at("references")],
      idle: words[at("idle")],
      largestFree,
      freeRuns: [...words.subarray(at("freeRuns"), at("freeRuns") + fields.freeRuns.count)],
      externalFragmentation: free === 0 ? 0 : 1 - largestFree / free,
    };
  }

  /** Checks every invariant; the name of the first one violated, "none" when all hold. */
  verify(): keyof typeof KvFault {
    const fault = check(this.#native.kumi_kv_blocks_verify(this.id), "verify KV blocks");
    return FAULTS.get(fault) ?? "none";
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    if (!this.#disposed) this.#library?.release();
    this.#disposed = true;
  }
}

/** Creates the native object; a context that owns it frees it when it ends. */
export function createKvBlocks(owner: Owner, blocks: number): number {
  const native = owner.symbols();
  if (native === undefined) throw new Error("Cannot create KV blocks: the kernels were closed");
  const id = new Uint32Array(1);
  check(native.kumi_kv_blocks_create(owner.id, u32(blocks, "blocks"), id), "create KV blocks", { blocks });
  return id[0];
}
