import type { Sequence, StepPlan } from "../../scheduler/mod.ts";
import type { Scenario } from "./scenario.ts";
import type { SimClass } from "./sim_class.ts";
import { violate } from "./violation.ts";
import type { SimWorker } from "./worker.ts";

/** Tokens of a class that may be in a step in spite of others' objectives. */
const DUE_TOKENS = 16;

/** Every block is free, or its users are its sequences and at most the prefix cache. */
export function checkBlocks({ allocator, cache, scheduler, states }: SimWorker): void {
  const users = new Uint32Array(allocator.blocks);
  for (const { id, tables } of scheduler.sequences()) {
    for (const { runs } of tables) {
      for (const { first, length } of runs) {
        for (let block = first; block < first + length; block++) {
          if (allocator.references(block) === 0) {
            violate("blocks-conserve", `block ${block} of request ${id} is free`);
          }
          users[block]++;
        }
      }
    }
  }
  let cached = 0, free = 0;
  for (let block = 0; block < allocator.blocks; block++) {
    const references = allocator.references(block), others = references - users[block];
    if (others < 0 || others > 1) {
      violate("blocks-conserve", `block ${block} has ${users[block]} sequences and ${others} other users`);
    }
    cached += others;
    if (references === 0) free++;
  }
  if (cached !== cache.blocks) {
    violate("blocks-conserve", `${cached} blocks are kept, the cache has ${cache.blocks}`);
  }
  const lent = states === undefined ? 0 : states.used * states.slotBlocks;
  if (free !== allocator.freeBlocks + lent) {
    violate("blocks-conserve", `${free} blocks are free, not ${allocator.freeBlocks}; ${lent} are lent`);
  }
}

/** Each state is used by as many sequences as are counted; what nobody uses and no snapshot is, is free. */
export function checkStates({ states, scheduler }: SimWorker): void {
  if (states === undefined) return;
  const users = new Uint32Array(states.slots);
  for (const { id, slot, nextSlot, first, isRunning } of scheduler.sequences()) {
    if (isRunning && first > 0 && slot === undefined) {
      violate("state-there", `request ${id} has no state after ${first} tokens`);
    }
    if (slot !== undefined) users[slot]++;
    if (nextSlot !== undefined && nextSlot !== slot) users[nextSlot]++;
  }
  let used = 0;
  for (let slot = 0; slot < states.slots; slot++) {
    if (states.users(slot) !== users[slot]) {
      violate("blocks-conserve", `state ${slot} has ${users[slot]} users, not ${states.users(slot)}`);
    }
    if (users[slot] > 0 || states.isSnapshot(slot)) used++;
  }
  if (used !== states.used) violate("blocks-conserve", `${used} states are used, not ${states.used}`);
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
