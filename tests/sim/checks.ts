import type { BlockRun, Sequence, StepPlan } from "../../scheduler/mod.ts";
import type { Scenario } from "./scenario.ts";
import type { SimClass } from "./sim_class.ts";
import { violate } from "./violation.ts";
import type { SimWorker } from "./worker.ts";

/** Tokens of a class that may be in a step in spite of others' objectives. */
const DUE_TOKENS = 16;

/** Every block is free, or its users are its sequences and at most the prefix cache. */
export function checkBlocks({ allocator, cache, scheduler }: SimWorker): void {
  const users = new Uint32Array(allocator.blocks);
  for (const { id, tables } of scheduler.sequences()) {
    for (const block of tables.flatMap(({ runs }) => blocksOf(runs))) {
      if (allocator.references(block) === 0) {
        violate("blocks-conserve", `block ${block} of request ${id} is free`);
      }
      users[block]++;
    }
  }
  let cached = 0, free = 0;
  for (let block = 0; block < allocator.blocks; block++) {
    const others = allocator.references(block) - users[block];
    if (others < 0 || others > 1) {
      violate("blocks-conserve", `block ${block} has ${users[block]} sequences and ${others} other users`);
    }
    cached += others;
    if (allocator.references(block) === 0) free++;
  }
  if (cached !== cache.blocks) {
    violate("blocks-conserve", `${cached} blocks are kept, the cache has ${cache.blocks}`);
  }
  if (free !== allocator.freeBlocks) {
    violate("blocks-conserve", `${free} blocks are free, not ${allocator.freeBlocks}`);
  }
}

function blocksOf(runs: readonly BlockRun[]): number[] {
  return runs.flatMap(({ first, length }) => Array.from({ length }, (_, i) => first + i));
}

/** The tree of prefixes is whole. */
export function checkCache({ cache }: SimWorker): void {
  try {
    cache.verify();
  } catch (error) {
    violate("blocks-conserve", (error as Error).message);
  }
}

/** A step keeps to its limits and the slices are what is missing. */
export function checkPlan(plan: StepPlan, scenario: Scenario): void {
  const { stepTokensMax, stepSequencesMax, stepRowsMax, blockTokens } = scenario;
  const ids = new Set<number>();
  let tokens = 0, rows = 0;
  for (const { id, first, count, tokens: all, tables, draft } of plan.items) {
    if (ids.has(id)) violate("step-bounds", `request ${id} is in the step twice`);
    ids.add(id);
    if (count < 1 || first + count > all.length) {
      violate("step-bounds", `request ${id} computes ${first} + ${count}`);
    }
    if (draft.length > 0 && first + count < all.length) {
      violate("step-bounds", `request ${id} guesses too early`);
    }
    for (const { end } of tables) {
      if (end * blockTokens < first + count + draft.length) {
        violate("step-bounds", `request ${id} has ${end} blocks`);
      }
    }
    tokens += count + draft.length;
    rows += Number(first + count === all.length) + draft.length;
  }
  if (tokens > stepTokensMax) violate("step-bounds", `${tokens} tokens in a step`);
  if (ids.size > stepSequencesMax) violate("step-bounds", `${ids.size} sequences in a step`);
  if (rows > stepRowsMax) violate("step-bounds", `${rows} rows of logits in a step`);
}

/**
 * Who has no ITL objective leaves those alone who have one. Where their next tokens alone take longer than an
 * objective, a step may take twice as long as these.
 */
export function checkFilling(worker: SimWorker, plan: StepPlan, byId: (id: number) => SimClass): void {
  if (plan.predictedMs === undefined) return;
  if (!(plan.predictedMs >= 0 && plan.predictedMs < Infinity)) {
    violate("slo-filling", `a step is predicted to take ${plan.predictedMs} ms`);
  }
  // What lost its blocks while the step was planned counted when the limit was chosen.
  if (plan.preempted.some((id) => byId(id).config.itlSloMs !== undefined)) return;
  const computed = new Set(plan.items.map(({ id }) => id));
  const objectives: number[] = [];
  let tokens = 0, kv = 0, others = 0;
  for (const { id, isRunning, isPaused, isDecoding, tokens: all } of worker.scheduler.sequences()) {
    const { itlSloMs } = byId(id).config;
    if (itlSloMs === undefined) continue;
    if (isRunning && !isPaused) objectives.push(itlSloMs);
    if (!isDecoding || !computed.has(id)) continue;
    tokens++;
    kv += all.length;
  }
  const decodeMs = worker.scheduler.stepTime.predict({ tokens, kv });
  const limitMs = Math.min(
    ...objectives.map((itlSloMs) => decodeMs > itlSloMs ? 2 * decodeMs : itlSloMs),
  );
  for (const { id, count } of plan.items) if (byId(id).config.itlSloMs === undefined) others += count;
  if (plan.predictedMs > limitMs && others > 2 * DUE_TOKENS) {
    violate(
      "slo-filling",
      `a step of ${plan.predictedMs} ms has ${others} bulk tokens, the limit is ${limitMs} ms`,
    );
  }
}

/** The running sequences before planning: who might have been preempted. */
export function checkPreemptions(worker: SimWorker, plan: StepPlan, byId: (id: number) => SimClass): void {
  if (plan.preempted.length === 0) return;
  const sequences = new Map<number, Readonly<Sequence>>();
  for (const sequence of worker.scheduler.sequences()) sequences.set(sequence.id, sequence);
  const oldest = new Set<string>();
  for (const id of sequences.keys()) {
    const { name } = byId(id).config;
    const sequence = sequences.get(id)!;
    const isOldest = !oldest.has(name) && !sequence.isPaused;
    if (isOldest) oldest.add(name);
    // The oldest of a class may be protected by its age, those that started since were not there.
    if (!sequence.isRunning || isOldest || plan.preempted.includes(id)) continue;
    const { config } = byId(id);
    if (!config.preemptible) continue;
    for (const victim of plan.preempted) {
      const lost = byId(victim).config;
      const isPaused = sequences.get(victim)?.isPaused ?? true;
      if (!isPaused && lost.priority > config.priority) {
        violate(
          "preempt-order",
          `${lost.name} request ${victim} is preempted, ${config.name} request ${id} is not`,
        );
      }
    }
  }
}

/** A class that waits for company has it, or has waited. */
export function checkStarts(
  waiting: ReadonlyMap<string, readonly { readonly id: number; readonly waitedMs: number }[]>,
  plan: StepPlan,
  byId: (id: number) => SimClass,
): void {
  for (const { id } of plan.items) {
    const { config } = byId(id);
    const queue = waiting.get(config.name);
    if (queue === undefined || !queue.some((each) => each.id === id)) continue;
    const longest = Math.max(...queue.map((each) => each.waitedMs));
    if (queue.length < config.maxBatch && longest < config.maxWaitMs - 0.001) {
      violate("wait-threshold", `${config.name} starts with ${queue.length} requests after ${longest} ms`);
    }
  }
}
