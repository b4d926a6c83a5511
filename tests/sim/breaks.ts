import {
  type BlockAllocator,
  type LatencyClass,
  PrefixCache,
  type SchedulerOptions,
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

  tryAllocate(count: number, after?: number, room?: number): readonly number[] | null {
    return this.inner.tryAllocate(count, after, room);
  }

  share(blocks: readonly number[]): void {
    this.inner.share(blocks);
  }

  release(blocks: readonly number[]): void {
    this.inner.release(blocks);
  }

  references(block: number): number {
    return this.inner.references(block);
  }
}

/** Forgets the last block of every twentieth release. */
class Leaking extends Passing {
  #releases = 0;

  override release(blocks: readonly number[]): void {
    super.release(++this.#releases % 20 === 0 ? blocks.slice(0, -1) : blocks);
  }
}

/** Hands out a block that another sequence has. */
class Overlapping extends Passing {
  #grown = 0;
  #taken = -1;

  override tryAllocate(count: number, after?: number, room?: number): readonly number[] | null {
    if (count === 1 && ++this.#grown % 30 === 0 && this.#taken >= 0 && this.references(this.#taken) > 0) {
      this.share([this.#taken]);
      return [this.#taken];
    }
    const blocks = super.tryAllocate(count, after, room);
    if (count === 1 && blocks !== null) this.#taken = blocks[0];
    return blocks;
  }
}

/** Exchanges the last two blocks of what it finds. */
class Shuffling extends PrefixCache {
  override match(tenant: string, tokens: ArrayLike<number>): number[] {
    const blocks = super.match(tenant, tokens);
    return blocks.length < 2 ? blocks : [...blocks.slice(0, -2), blocks.at(-1)!, blocks.at(-2)!];
  }
}

/** Keeps blocks that are not full yet. */
class Hasty extends PrefixCache {
  readonly #blockTokens: number;

  constructor(allocator: BlockAllocator, options: { blockTokens: number }) {
    super(allocator, options);
    this.#blockTokens = options.blockTokens;
  }

  override insert(tenant: string, tokens: ArrayLike<number>, blocks: number[]): void {
    const padding = (this.#blockTokens - tokens.length % this.#blockTokens) % this.#blockTokens;
    super.insert(tenant, [...Array.from(tokens), ...Array<number>(padding).fill(1)], blocks);
  }
}

/** Puts every tenant's prompts into one tree. */
class Shared extends PrefixCache {
  override match(_tenant: string, tokens: ArrayLike<number>): number[] {
    return super.match("", tokens);
  }

  override insert(_tenant: string, tokens: ArrayLike<number>, blocks: number[]): void {
    super.insert("", tokens, blocks);
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
  "share-partial": {
    what: "the prefix cache shares blocks before they are full",
    invariant: "writes-own",
    cache: (allocator, options) => new Hasty(allocator, options),
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
  "never-look-again": {
    what: "nobody plans again after an empty step",
    invariant: "no-stall",
    ignoresWait: true,
  },
};
