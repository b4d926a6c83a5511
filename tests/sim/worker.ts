import {
  type BlockAllocator,
  type BlockRun,
  type DraftSource,
  PrefixCache,
  Scheduler,
  StateSlots,
  type StepItem,
  type StepPlan,
  type StepResult,
} from "../../scheduler/mod.ts";
import type { SimClass } from "./sim_class.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import { Random } from "../../scheduler/testing/random.ts";
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

/** Knows the answers, and tells them more or less well. */
class Guesser implements DraftSource {
  readonly msPerToken = 0.01;
  readonly #classOf: (request: number) => SimClass;
  readonly #random: Random;
  readonly #share: number;

  constructor(classOf: (request: number) => SimClass, seed: number, share: number) {
    this.#classOf = classOf;
    this.#random = new Random(seed);
    this.#share = share;
  }

  guess(id: number, tokens: readonly number[], count: number): number[] {
    const { client } = this.#classOf(id);
    const from = tokens.length - client.request.tokens.length;
    return client.guess(from, this.#random.int(0, count), () => this.#random.chance(this.#share));
  }

  forget(): void {}
}

/**
 * A simulated engine worker: a scheduler, its KV blocks and a kernel. A replacement is another object with
 * another id.
 */
export class SimWorker {
  readonly id: number;
  readonly allocator: BlockAllocator;
  readonly cache: PrefixCache;
  readonly states?: StateSlots;
  readonly scheduler: Scheduler;
  readonly kernel: FakeKernel;
  isAlive = true;
  /** The step under way. */
  plan: StepPlan | null = null;
  readonly starvation: StarvationWatch;
  readonly #tenantOf: (request: number) => number;
  readonly #trustsGuesses: boolean;
  readonly #spoilsStates: boolean;

  constructor(id: number, { scenario, sabotage, random, faultsOn, tenantOf, classOf, now }: {
    scenario: Scenario;
    sabotage: Sabotage;
    random: Random;
    faultsOn: () => boolean;
    tenantOf: (request: number) => number;
    classOf: (request: number) => SimClass;
    now: number;
  }) {
    const { blockTokens, blocks, faults, windows, stateBlocks } = scenario;
    this.id = id;
    const allocator = new FaultyAllocator(blocks, () => faultsOn() && random.chance(faults.allocation));
    this.allocator = sabotage.allocator?.(allocator) ?? allocator;
    const states = stateBlocks === 0
      ? undefined
      : sabotage.states?.(this.allocator, stateBlocks) ?? new StateSlots(this.allocator, stateBlocks);
    this.states = states;
    const kv = { blockTokens, windows, states };
    this.cache = sabotage.cache?.(this.allocator, kv) ?? new PrefixCache(this.allocator, kv);
    const speculation = scenario.guesses === undefined ? undefined : {
      source: new Guesser(classOf, scenario.seed, scenario.guesses),
      fits: (_: number, tokens: readonly number[]) => random.chance(0.1) ? tokens.length - 1 : tokens.length,
    };
    const options = { ...scenario, speculation, allocator: this.allocator, cache: this.cache, states };
    this.scheduler = new Scheduler(sabotage.options?.(options) ?? options);
    this.kernel = new FakeKernel(this.allocator, kv);
    this.starvation = new StarvationWatch(scenario, classOf, now);
    this.#tenantOf = tenantOf;
    this.#trustsGuesses = sabotage.trustsGuesses ?? false;
    this.#spoilsStates = sabotage.spoilsStates ?? false;
  }

  /** Computes the step under way. */
  compute(plan: StepPlan): StepResult[] {
    const results = plan.items.map((item) => {
      const result = this.kernel.compute(item, this.#tenantOf(item.id));
      return result === null || !this.#trustsGuesses ? result : trusting(result, item);
    });
    return results.filter((result) => result !== null);
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
        draft: [],
        state: item.state,
      };
      this.kernel.compute(part, this.#tenantOf(item.id));
      // Some layers are ahead of others.
      this.kernel.spoilState(item.state?.write);
      if (this.#spoilsStates) this.kernel.spoilState(item.state?.read);
    }
  }
}

/** What is guessed taken for what was chosen. */
function trusting(result: StepResult, { draft }: StepItem): StepResult {
  return draft.length === 0
    ? result
    : { ...result, token: draft[0], more: draft.slice(1), guessed: draft.length - 1 };
}
