import {
  type BlockAllocator,
  type BlockRun,
  PrefixCache,
  Scheduler,
  type StepPlan,
  type StepResult,
} from "../../scheduler/mod.ts";
import type { SimClass } from "./sim_class.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import type { Random } from "../../scheduler/testing/random.ts";
import type { Sabotage } from "./sabotage.ts";
import type { Scenario } from "./scenario.ts";
import { StarvationWatch } from "./starvation.ts";

/** Refuses now and then, although there are blocks. */
class FaultyAllocator extends MemoryAllocator {
  readonly #fails: () => boolean;

  constructor(blocks: number, fails: () => boolean) {
    super(blocks);
    this.#fails = fails;
  }

  override tryAllocate(count: number, after?: number): readonly BlockRun[] | null {
    return this.#fails() ? null : super.tryAllocate(count, after);
  }
}

/**
 * A simulated engine worker: a scheduler, its KV blocks and a kernel. A replacement is another object with
 * another id.
 */
export class SimWorker {
  readonly id: number;
  readonly allocator: BlockAllocator;
  readonly cache: PrefixCache;
  readonly scheduler: Scheduler;
  readonly kernel: FakeKernel;
  isAlive = true;
  /** The step under way. */
  plan: StepPlan | null = null;
  readonly starvation: StarvationWatch;
  readonly #tenantOf: (request: number) => number;

  constructor(id: number, { scenario, sabotage, random, faultsOn, tenantOf, classOf, now }: {
    scenario: Scenario;
    sabotage: Sabotage;
    random: Random;
    faultsOn: () => boolean;
    tenantOf: (request: number) => number;
    classOf: (request: number) => SimClass;
    now: number;
  }) {
    const { blockTokens, blocks, faults, windows } = scenario;
    this.id = id;
    const allocator = new FaultyAllocator(blocks, () => faultsOn() && random.chance(faults.allocation));
    this.allocator = sabotage.allocator?.(allocator) ?? allocator;
    this.cache = sabotage.cache?.(this.allocator, { blockTokens, windows }) ??
      new PrefixCache(this.allocator, { blockTokens, windows });
    const options = { ...scenario, allocator: this.allocator, cache: this.cache };
    this.scheduler = new Scheduler(sabotage.options?.(options) ?? options);
    this.kernel = new FakeKernel(this.allocator, blockTokens, windows);
    this.starvation = new StarvationWatch(scenario, classOf, now);
    this.#tenantOf = tenantOf;
  }

  /** Computes the step under way. */
  compute(plan: StepPlan): StepResult[] {
    return plan.items.map((item) => this.kernel.compute(item, this.#tenantOf(item.id)))
      .filter((result) => result !== null);
  }

  /** Computes a part of the step, as an interruption leaves it. */
  computePart(plan: StepPlan): void {
    for (const item of plan.items.slice(0, Math.ceil(plan.items.length / 2))) {
      const count = Math.ceil(item.count / 2);
      const part = {
        id: item.id,
        tokens: item.tokens,
        first: item.first,
        count,
        tables: item.tables,
        reachesEnd: false,
      };
      this.kernel.compute(part, this.#tenantOf(item.id));
    }
  }
}
