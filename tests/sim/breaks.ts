import {
  type BlockAllocator,
  type BlockRun,
  BlockTable,
  type KvWindows,
  type LatencyClass,
  NO_WINDOWS,
  PrefixCache,
  type PrefixCacheOptions,
  type SchedulerOptions,
  StateSlots,
} from "../../scheduler/mod.ts";
import type { Sabotage } from "./sabotage.ts";
import type { Invariant } from "./violation.ts";

/** A planted bug and the invariant that has to catch it. */
export interface Break extends Sabotage {
  readonly what: string;
  readonly invariant: Invariant;
}

/** An allocator that passes everything on. */
class Passing implements BlockAllocator {
  readonly inner: BlockAllocator;

  constructor(inner: BlockAllocator) {
    this.inner = inner;
  }

  get blocks(): number {
    return this.inner.blocks;
  }

  get freeBlocks(): number {
    return this.inner.freeBlocks;
  }

  tryAllocate(count: number, after?: number, room?: number): readonly BlockRun[] | null {
    return this.inner.tryAllocate(count, after, room);
  }

  share(runs: readonly BlockRun[]): void {
    this.inner.share(runs);
  }

  release(runs: readonly BlockRun[]): void {
    this.inner.release(runs);
  }

  references(block: number): number {
    return this.inner.references(block);
  }

  lend(blocks: number): boolean {
    return this.inner.lend(blocks);
  }

  restore(blocks: number): void {
    this.inner.restore(blocks);
  }
}

/** Forgets the last run of every twentieth release. */
class Leaking extends Passing {
  #releases = 0;

  override release(runs: readonly BlockRun[]): void {
    super.release(++this.#releases % 20 === 0 ? runs.slice(0, -1) : runs);
  }
}

/** Hands out a block that another sequence has. */
class Overlapping extends Passing {
  #grown = 0;
  #taken = -1;

  override tryAllocate(count: number, after?: number, room?: number): readonly BlockRun[] | null {
    if (count === 1 && ++this.#grown % 30 === 0 && this.#taken >= 0 && this.references(this.#taken) > 0) {
      const taken = [{ first: this.#taken, length: 1 }];
      this.share(taken);
      return taken;
    }
    const runs = super.tryAllocate(count, after, room);
    if (count === 1 && runs !== null) this.#taken = runs[0].first;
    return runs;
  }
}

/** Exchanges the last two blocks of what it finds. */
class Shuffling extends PrefixCache {
  override match(tenant: string, tokens: ArrayLike<number>): BlockTable[] {
    const tables = super.match(tenant, tokens);
    for (const table of tables) {
      const last = table.blockAt(table.end - 1), before = table.blockAt(table.end - 2);
      if (last === undefined || before === undefined) continue;
      table.put({ at: table.end - 2, first: last, length: 1 });
      table.put({ at: table.end - 1, first: before, length: 1 });
    }
    return tables;
  }
}

/** Keeps blocks that are not full yet. */
class Hasty extends PrefixCache {
  readonly #blockTokens: number;

  constructor(allocator: BlockAllocator, options: PrefixCacheOptions) {
    super(allocator, options);
    this.#blockTokens = options.blockTokens;
  }

  override insert(tenant: string, tokens: ArrayLike<number>, tables: BlockTable[], behind?: number[]): void {
    const padding = (this.#blockTokens - tokens.length % this.#blockTokens) % this.#blockTokens;
    super.insert(tenant, [...Array.from(tokens), ...Array<number>(padding).fill(1)], tables, behind);
  }
}

/**
 * Finds prefixes whose last blocks are there in some groups of layers only, and takes any block for the rest.
 */
class Patching extends PrefixCache {
  readonly #allocator: BlockAllocator;
  readonly #windows: KvWindows;
  readonly #blockTokens: number;

  constructor(allocator: BlockAllocator, options: PrefixCacheOptions) {
    super(allocator, options);
    this.#allocator = allocator;
    this.#windows = options.windows ?? NO_WINDOWS;
    this.#blockTokens = options.blockTokens;
  }

  override match(tenant: string, tokens: ArrayLike<number>): BlockTable[] {
    const tables = super.match(tenant, tokens);
    const group = this.#windows.findIndex((window) => window !== undefined && window > 2 * this.#blockTokens);
    const first = tables[group]?.runs.at(0);
    if (first === undefined || tables[group].blocks < 2 || this.#allocator.freeBlocks < 1) return tables;
    const other = this.#allocator.tryAllocate(1);
    if (other === null) return tables;
    this.release([{ first: first.first, length: 1 }]);
    tables[group].put({ at: first.at, first: other[0].first, length: 1 });
    return tables;
  }
}

/** Goes on from the snapshot before the one that is needed. */
class Early extends PrefixCache {
  readonly #blockTokens: number;

  constructor(allocator: BlockAllocator, options: PrefixCacheOptions) {
    super(allocator, options);
    this.#blockTokens = options.blockTokens;
  }

  override snapshotAfter(tenant: string, tokens: ArrayLike<number>): number | undefined {
    for (let end = tokens.length - this.#blockTokens; end > 0; end -= this.#blockTokens) {
      const slot = super.snapshotAfter(tenant, Array.from(tokens).slice(0, end));
      if (slot !== undefined) return slot;
    }
    return super.snapshotAfter(tenant, tokens);
  }
}

/** Lets sequences write into snapshots. */
class Overwriting extends StateSlots {
  override isOwn(slot: number): boolean {
    return this.users(slot) === 1;
  }
}

/** Forgets some sequences that use a slot no more. */
class Holding extends StateSlots {
  #times = 0;

  override leave(slot: number): void {
    if (++this.#times % 20 !== 0) super.leave(slot);
  }
}

/** Puts every tenant's prompts into one tree. */
class Shared extends PrefixCache {
  override match(_tenant: string, tokens: ArrayLike<number>): BlockTable[] {
    return super.match("", tokens);
  }

  override insert(_tenant: string, tokens: ArrayLike<number>, tables: BlockTable[], behind?: number[]): void {
    super.insert("", tokens, tables, behind);
  }
}

function changeClasses(change: (config: LatencyClass) => LatencyClass): Pick<Sabotage, "options"> {
  return { options: (options: SchedulerOptions) => ({ ...options, classes: options.classes!.map(change) }) };
}

/** The planted bugs by name. */
export const BREAKS: Readonly<Record<string, Break>> = {
  "leak-block": {
    what: "some blocks are never given back",
    invariant: "blocks-conserve",
    allocator: (inner) => new Leaking(inner),
  },
  "overlap-blocks": {
    what: "growing takes a block that another sequence has",
    invariant: "writes-own",
    allocator: (inner) => new Overlapping(inner),
  },
  "wrong-prefix": {
    what: "the prefix cache finds the right blocks in the wrong order",
    invariant: "oracle-prefix",
    cache: (allocator, options) => new Shuffling(allocator, options),
  },
  "forget-window": {
    what: "the prefix cache finds a prefix that a window's blocks are missing of",
    invariant: "window-there",
    cache: (allocator, options) => new Patching(allocator, options),
  },
  "share-partial": {
    what: "the prefix cache shares blocks before they are full",
    invariant: "writes-own",
    cache: (allocator, options) => new Hasty(allocator, options),
  },
  "early-state": {
    what: "a sequence goes on from the state after fewer tokens than it has found",
    invariant: "state-there",
    cache: (allocator, options) => new Early(allocator, options),
  },
  "spoil-state": {
    what: "an interrupted step changes states that it should only have read",
    invariant: "state-there",
    spoilsStates: true,
  },
  "write-snapshot": {
    what: "sequences write into states that were kept for others",
    invariant: "writes-own",
    states: (allocator, slotBlocks) => new Overwriting(allocator, slotBlocks),
  },
  "leak-state": {
    what: "some states are never given back",
    invariant: "blocks-conserve",
    states: (allocator, slotBlocks) => new Holding(allocator, slotBlocks),
  },
  "share-tenants": {
    what: "tenants share their prefixes",
    invariant: "tenants-apart",
    cache: (allocator, options) => new Shared(allocator, options),
  },
  "no-ageing": {
    what: "old requests never go first",
    invariant: "no-starvation",
    options: (options) => ({ ...options, ageingMs: Infinity }),
  },
  "ignore-slo": {
    what: "bulk work fills the machine whoever is alive",
    invariant: "slo-filling",
    ...changeClasses((config) => ({ ...config, itlSloMs: undefined })),
  },
  "start-at-once": {
    what: "classes that tolerate delay do not wait for company",
    invariant: "wait-threshold",
    ...changeClasses((config) => ({ ...config, maxWaitMs: 0 })),
  },
  "endless-queue": {
    what: "queues have no bound",
    invariant: "queue-bounds",
    ...changeClasses((config) => ({ ...config, queueLimit: { requests: 1e9, tokens: 1e9 } })),
  },
  "preempt-urgent": {
    what: "the urgent class gives way to the bulk class",
    invariant: "preempt-order",
    ...changeClasses((config) => ({
      ...config,
      preemptible: !config.preemptible,
      priority: -config.priority,
    })),
  },
  "long-steps": {
    what: "steps have twice the tokens that the kernel takes",
    invariant: "step-bounds",
    options: (options) => ({ ...options, stepTokensMax: 2 * options.stepTokensMax }),
  },
  "deaf-to-cancel": {
    what: "requests go on after their client has gone",
    invariant: "ends-once",
    ignoresCancel: true,
  },
  "lose-replays": {
    what: "requests of a dead worker are forgotten",
    invariant: "no-stall",
    losesReplays: true,
  },
  "forget-emitted": {
    what: "requests of a dead worker begin again from their prompt",
    invariant: "oracle-prefix",
    forgetsEmitted: true,
  },
  "late-worker": {
    what: "a worker that was given up is listened to",
    invariant: "oracle-prefix",
    ignoresOwner: true,
  },
  "count-twice": {
    what: "a completion that comes twice counts twice",
    invariant: "oracle-prefix",
    passesDuplicates: true,
  },
  "no-quarantine": {
    what: "a request that kills workers is tried for ever",
    invariant: "quarantine",
    deathsMax: Infinity,
  },
  "trust-guesses": {
    what: "guesses of what an answer goes on with are taken for the answer",
    invariant: "oracle-prefix",
    trustsGuesses: true,
  },
  "never-look-again": {
    what: "nobody plans again after an empty step",
    invariant: "no-stall",
    ignoresWait: true,
  },
};
