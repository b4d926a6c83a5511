/** A scheduler on a bench of its own, for tests of one decision at a time. @module */

import { assert } from "@std/assert";
import {
  type LatencyClass,
  MemoryAllocator,
  Scheduler,
  type SchedulerOptions,
  type SchedulerRequest,
  StateSlots,
  type StepPlan,
} from "../mod.ts";

const BLOCK_TOKENS = 4;
const queueLimit = { requests: 100, tokens: 10_000 };
export const INTERACTIVE: LatencyClass = {
  name: "interactive",
  priority: 10,
  maxBatch: 8,
  maxWaitMs: 0,
  itlSloMs: 50,
  queueLimit,
  preemptible: false,
};
export const BATCH: LatencyClass = {
  name: "batch",
  priority: 0,
  maxBatch: 8,
  maxWaitMs: 0,
  queueLimit,
  preemptible: true,
};

/** A scheduler with a clock and a kernel that takes 5 ms or more, 1 ms a token, and says 7 for ever. */
export class Bench {
  readonly allocator: MemoryAllocator;
  readonly scheduler: Scheduler;
  now = 0;
  stepMs = 5;
  #tokens = 1000;

  /** `stateBlocks`: KV blocks whose memory the state of a sequence takes; 0: there are no states. */
  constructor(options: Partial<SchedulerOptions> = {}, blocks = 64, stateBlocks = 0) {
    this.allocator = new MemoryAllocator(blocks);
    const states = stateBlocks === 0 ? undefined : new StateSlots(this.allocator, stateBlocks);
    this.scheduler = new Scheduler({
      allocator: this.allocator,
      blockTokens: BLOCK_TOKENS,
      stepTokensMax: 64,
      stepSequencesMax: 16,
      classes: [INTERACTIVE, BATCH],
      states,
      ...options,
    });
  }

  submit(id: number, name: string, promptTokens: number, more: Partial<SchedulerRequest> = {}) {
    // No two prompts share a prefix, unless the test says so.
    const tokens = Array.from({ length: promptTokens }, () => ++this.#tokens);
    return this.scheduler.submit({ id, class: name, tokens, maxTokens: 8, ...more }, this.now);
  }

  plan(): StepPlan {
    return this.scheduler.plan(this.now);
  }

  complete(plan: StepPlan): number[] | null {
    const elapsed = this.stepMs + plan.load.tokens;
    this.now += elapsed;
    const results = plan.items.filter((item) => item.reachesEnd).map(({ id, draft }) => {
      const wrong = draft.findIndex((token) => token !== 7);
      const guessed = wrong < 0 ? draft.length : wrong;
      return { id, token: 7, more: new Array(guessed).fill(7), guessed };
    });
    return this.scheduler.complete(plan.step, results, elapsed, this.now);
  }

  /** One step; who computed how much. */
  step(): Record<number, number> {
    const plan = this.plan();
    const counts = Object.fromEntries(plan.items.map(({ id, count }) => [id, count]));
    if (plan.items.length > 0) this.complete(plan);
    else this.now += plan.waitMs ?? 1;
    return counts;
  }

  /** Lets the model of the step time learn. */
  warmUp(): void {
    for (let i = 0; i < 12; i++) {
      this.submit(-1 - i, "batch", 1 + 5 * i, { maxTokens: 2 });
      while (this.scheduler.isBusy) this.step();
    }
    assert(this.scheduler.stepTime.isReady);
  }
}
