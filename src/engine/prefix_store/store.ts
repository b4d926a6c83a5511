/** Prefixes that last: read back from a folder instead of computed, written there beside everything else. @module */

import {
  type BlockRun,
  blocksIn,
  type BlockTable,
  firstSeen,
  type KvWindows,
  type PrefixCache,
  StorePolicy,
  type StorePolicyOptions,
} from "../../../scheduler/mod.ts";
import type { PrefixStoreStats } from "../../protocol/stats.ts";
import type { KvAllocator } from "../kv_pool.ts";
import type { StoreFolder } from "./folder.ts";
import {
  decodeStretch,
  encodeStretch,
  payloadBytes,
  type StretchBytes,
  type StretchFacts,
} from "./format.ts";
import { stretchNames } from "./identity.ts";

/** The memory of the KV cache. */
export interface KvMemoryBlocks {
  /** Bytes of a block in the layers of a group. */
  blockBytes(group: number): number;
  readBlocks(group: number, first: number, count: number, target: Uint8Array<ArrayBuffer>): void;
  writeBlocks(group: number, first: number, count: number, source: Uint8Array<ArrayBuffer>): void;
}

/** Where prefixes go and come from. */
export interface StoreParts {
  readonly folder: StoreFolder;
  /** What all names begin from. */
  readonly seed: Uint8Array;
  /** Encrypts and decrypts; default: nobody does. */
  readonly key?: CryptoKey;
  /** Told what is wrong with a file, or the folder. */
  readonly onProblem: (problem: string) => void;
  readonly policy?: StorePolicyOptions;
}

/** The KV cache that it fills and reads. */
export interface StoreCache {
  readonly cache: PrefixCache;
  readonly allocator: KvAllocator;
  readonly memory: KvMemoryBlocks;
  /** How far back queries see, by group of layers. */
  readonly windows: KvWindows;
  readonly blockTokens: number;
  /** Whether requests are under way: then copying keeps out of their way. */
  readonly isBusy: () => boolean;
}

/** Blocks of a stretch. */
export const STRETCH_BLOCKS = 16;
/** Stretches that wait to be written; those beyond are not. */
const WAITING_MAX = 512;
/** Stretches that are read, decrypted and checked at a time, each in a thread beside the engine's. */
const AHEAD = 3;
/** While there are requests, copying takes at most one part in so many of the engine's time. */
const SHARE_OF_TIME = 50;
const PAUSE_MS_MIN = 2;
/** After a write that failed nothing is written for so many ms. */
const RETRY_MS = 60_000;
/** Problems that are told; all are counted. */
const TOLD_MAX = 8;

/** A stretch as it was read. */
interface ReadStretch {
  readonly groups: StretchBytes;
  /** What its file was read into. */
  readonly room: Uint8Array<ArrayBuffer>;
}

/** A stretch that is worth writing. */
interface Waiting {
  readonly tenant: string;
  /** Of the whole prompt. */
  readonly tokens: readonly number[];
  readonly name: string;
  readonly index: number;
}

/** The store of one engine. */
export class PrefixStore {
  readonly #parts: StoreParts;
  readonly #kv: StoreCache;
  readonly #policy: StorePolicy;
  readonly #blockBytes: readonly number[];
  /** By group, blocks at the beginning of a stretch that no token behind it sees: they are not stored. */
  readonly #unseen: readonly number[];
  readonly #stretchTokens: number;
  readonly #waiting = new Map<string, Waiting>();
  /** Undefined: nothing is stored or found. */
  readonly #seed?: Uint8Array;
  #timer?: ReturnType<typeof setTimeout>;
  #isWriting = false;
  #isClosed = false;
  #brokenUntil = -Infinity;
  /** Restoring goes one after the other: who waits may find what it wants in the cache. */
  #tail: Promise<unknown> = Promise.resolve();
  #restoredTokens = 0;
  #storedTokens = 0;
  #problems = 0;

  constructor(parts: StoreParts, kv: StoreCache) {
    this.#parts = parts;
    this.#kv = kv;
    this.#policy = new StorePolicy(parts.policy);
    this.#blockBytes = kv.windows.map((_, group) => kv.memory.blockBytes(group));
    this.#stretchTokens = STRETCH_BLOCKS * kv.blockTokens;
    this.#unseen = kv.windows.map((window) => firstSeen(window, this.#stretchTokens, kv.blockTokens));
    // Blocks alone are not what a model with states goes on from.
    if (!kv.cache.hasStates) this.#seed = parts.seed;
  }

  /** Whether there is something for a prompt that the cache does not have. Changes nothing. */
  has(tenant: string, tokens: readonly number[]): boolean {
    return this.#wanted(tenant, tokens).length > 0;
  }

  /**
   * Fills the cache with what is stored of a prompt. Resolves when there is no more to be had; `isWanted`: whether somebody still waits
   * for it. Never rejects.
   */
  async restore(tenant: string, tokens: readonly number[], isWanted: () => boolean): Promise<void> {
    const before = this.#tail;
    const done = Promise.withResolvers<void>();
    this.#tail = done.promise;
    try {
      await before;
      await this.#restore(tenant, tokens, isWanted);
    } catch (error) {
      this.#problem(`${this.#parts.folder.path}: ${(error as Error).message}`);
    } finally {
      done.resolve();
    }
  }

  /** A prompt has been computed and lies in the cache. What of it is worth it will be stored. */
  note(tenant: string, tokens: readonly number[]): void {
    if (this.#seed === undefined) return;
    const names = stretchNames(this.#seed, tenant, tokens, this.#stretchTokens);
    const worth = this.#policy.note(names, tokens.length);
    for (const [index, name] of names.slice(0, worth).entries()) {
      if (this.#parts.folder.has(name) || this.#waiting.has(name) || this.#waiting.size >= WAITING_MAX) {
        continue;
      }
      this.#waiting.set(name, { tenant, tokens, name, index });
    }
    this.#schedule(0);
  }

  stats(): PrefixStoreStats {
    const { path: dir, files, bytes } = this.#parts.folder;
    return {
      dir,
      files,
      bytes,
      waiting: this.#waiting.size,
      restoredTokens: this.#restoredTokens,
      storedTokens: this.#storedTokens,
      problems: this.#problems,
    };
  }

  /** Resolves when nothing waits to be written any more, or nothing can be. */
  async idle(): Promise<void> {
    while (!this.#isClosed && (this.#waiting.size > 0 || this.#isWriting)) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS_MIN));
    }
  }

  /** Writes nothing any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** The names of the stretches behind what the cache has, as far as they are stored one after the other. */
  #wanted(tenant: string, tokens: readonly number[]): { name: string; index: number }[] {
    if (this.#seed === undefined || tokens.length <= this.#stretchTokens) return [];
    const first = Math.floor(this.#kv.cache.peek(tenant, tokens) / this.#stretchTokens);
    const names = stretchNames(this.#seed, tenant, tokens, this.#stretchTokens);
    const wanted: { name: string; index: number }[] = [];
    for (let index = first; index < names.length && this.#parts.folder.has(names[index]); index++) {
      wanted.push({ name: names[index], index });
    }
    return wanted;
  }

  async #restore(tenant: string, tokens: readonly number[], isWanted: () => boolean): Promise<void> {
    const wanted = this.#wanted(tenant, tokens);
    const reading = wanted.slice(0, AHEAD).map((stretch) => this.#read(stretch));
    const used: string[] = [];
    for (const [i, stretch] of wanted.entries()) {
      const read = await reading.shift();
      if (read == null || this.#isClosed || !isWanted()) break;
      if (!this.#put(tenant, tokens, stretch.index, read.groups)) break;
      used.push(stretch.name);
      if (i + AHEAD < wanted.length) reading.push(this.#read(wanted[i + AHEAD], read.room));
    }
    await Promise.all(reading);
    await this.#parts.folder.use(used);
  }

  #factsOf({ name, index }: { readonly name: string; readonly index: number }): StretchFacts {
    const blocks = this.#unseen.map((unseen) => STRETCH_BLOCKS - unseen);
    return { name, index, blocks, blockBytes: this.#blockBytes };
  }

  /** What a file has; null where it cannot be used. `room`: memory that nobody needs any more. */
  async #read(
    stretch: { readonly name: string; readonly index: number },
    room?: Uint8Array<ArrayBuffer>,
  ): Promise<ReadStretch | null> {
    const { folder, key } = this.#parts;
    try {
      const bytes = await folder.read(stretch.name, room);
      if (bytes === null) return null;
      const groups = await decodeStretch(bytes, this.#factsOf(stretch), key);
      return { groups, room: new Uint8Array(bytes.buffer) };
    } catch (error) {
      folder.forget(stretch.name);
      const place = `${folder.path}/${stretch.name}.${stretch.index}.kumikv`;
      this.#problem(`${place} is not used: ${(error as Error).message}`);
      return null;
    }
  }

  /** Puts a stretch into the cache, behind what that has; false where it has no room, or lacks what comes before. */
  #put(tenant: string, tokens: readonly number[], index: number, groups: StretchBytes): boolean {
    const { cache, memory, blockTokens } = this.#kv;
    const start = index * STRETCH_BLOCKS, end = start + STRETCH_BLOCKS;
    const tables = cache.match(tenant, tokens);
    const known = tables[0].end;
    try {
      if (known < start) return false;
      if (known >= end) return true;
      const firsts = this.#unseen.map((unseen) => Math.max(known, start + unseen));
      const taken = this.#take(firsts.map((first) => end - first), tables);
      if (taken === null) return false;
      for (const [group, runs] of taken.entries()) {
        const size = this.#blockBytes[group];
        let at = firsts[group] - start - this.#unseen[group];
        for (const { first, length } of runs) {
          memory.writeBlocks(group, first, length, groups[group].subarray(at * size, (at + length) * size));
          at += length;
        }
        tables[group].skip(firsts[group] - known);
        tables[group].append(runs);
      }
      cache.insert(tenant, tokens.slice(0, end * blockTokens), tables);
      this.#restoredTokens += (end - known) * blockTokens;
      return true;
    } finally {
      for (const table of tables) cache.release(table.clear());
    }
  }

  /** So many blocks for each group, at the cost of what the cache has longest unused; null where running requests need all. */
  #take(counts: readonly number[], tables: readonly BlockTable[]): (readonly BlockRun[])[] | null {
    const { cache, allocator } = this.#kv;
    const wanted = counts.reduce((sum, count) => sum + count, 0);
    if (allocator.freeBlocks + cache.evictableBlocks < wanted) return null;
    if (allocator.freeBlocks < wanted) cache.evict(wanted - allocator.freeBlocks);
    const taken: (readonly BlockRun[])[] = [];
    for (const [group, count] of counts.entries()) {
      const runs = allocator.tryAllocate(count, tables[group].last);
      if (runs === null) {
        for (const each of taken) allocator.release(each);
        return null;
      }
      taken.push(runs);
    }
    return taken;
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#isWriting || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writeNext();
    }, ms);
  }

  /** Stores the next stretch. Copying is all that keeps the engine; the rest goes on beside its steps. */
  async #writeNext(): Promise<void> {
    const [next] = this.#waiting.values();
    if (next === undefined || this.#isClosed) return;
    this.#waiting.delete(next.name);
    this.#isWriting = true;
    const startedAt = performance.now();
    let pauseMs = 0;
    try {
      const groups = performance.now() < this.#brokenUntil ? null : this.#copy(next);
      if (this.#kv.isBusy()) {
        pauseMs = Math.max(PAUSE_MS_MIN, SHARE_OF_TIME * (performance.now() - startedAt));
      }
      if (groups !== null) await this.#write(next, groups);
    } catch (error) {
      this.#brokenUntil = performance.now() + RETRY_MS;
      this.#problem(`${this.#parts.folder.path}: a prefix was not stored: ${(error as Error).message}`);
    } finally {
      this.#isWriting = false;
      this.#schedule(Math.max(0, pauseMs - (performance.now() - startedAt)));
    }
  }

  async #write(stretch: Waiting, groups: StretchBytes): Promise<void> {
    const { folder, key } = this.#parts;
    const facts = this.#factsOf(stretch);
    const parts = await encodeStretch(facts, groups, key);
    if (await folder.write(stretch.name, stretch.index, parts)) {
      this.#storedTokens += this.#stretchTokens;
    } else {
      this.#problem(`${folder.path}: the store is too small for ${payloadBytes(facts)} bytes of a prefix`);
    }
  }

  /** The bytes of a stretch; null where the cache has not all of it any more. */
  #copy({ tenant, tokens, index }: Waiting): StretchBytes | null {
    const { cache, memory, blockTokens } = this.#kv;
    const start = index * STRETCH_BLOCKS, end = start + STRETCH_BLOCKS;
    // The cache gives no prompt all of its tokens: one more, whatever it is, and it gives the whole stretch.
    const tables = cache.match(tenant, [...tokens.slice(0, end * blockTokens), 0]);
    try {
      const groups: Uint8Array<ArrayBuffer>[] = [];
      for (const [group, table] of tables.entries()) {
        const from = start + this.#unseen[group];
        const runs = table.slice(from, end);
        if (blocksIn(runs) < end - from) return null;
        const size = this.#blockBytes[group];
        const bytes = new Uint8Array((end - from) * size);
        for (const { at, first, length } of runs) {
          memory.readBlocks(
            group,
            first,
            length,
            bytes.subarray((at - from) * size, (at - from + length) * size),
          );
        }
        groups.push(bytes);
      }
      return groups;
    } finally {
      for (const table of tables) cache.release(table.clear());
    }
  }

  #problem(problem: string): void {
    this.#problems++;
    if (this.#problems < TOLD_MAX) this.#parts.onProblem(problem);
    else if (this.#problems === TOLD_MAX) this.#parts.onProblem(`${problem}; further ones are only counted`);
  }
}
