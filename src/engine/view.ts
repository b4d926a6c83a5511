/** What can be seen of an engine between two steps. @module */

import type { BlockRun, Sequence, StateFigures } from "../../scheduler/mod.ts";
import type { EngineView, KvBlockState, KvStretch, StepPart, WaitingRequest } from "../protocol/view.ts";

const WAITING_MAX = 100;
/** Further tenants share the numbers of the first ones. */
const TENANTS_MAX = 256;

/** Holds what a view needs beside the scheduler: the last step, and tenants by number. */
export class EngineWatch {
  #step: EngineView["step"] = null;
  readonly #tenants = new Map<string, number>();

  /** A step has been computed. The parts are kept, not copied: this must cost a step nothing. */
  noteStep(ms: number, parts: readonly StepPart[]): void {
    this.#step = { ms, parts };
  }

  /** `classes`: names, highest priority first. `ageOf`: ms since a request was made. */
  view(
    sequences: Iterable<Readonly<Sequence>>,
    classes: readonly string[],
    pool: { readonly blocks: number; references(block: number): number },
    ageOf: (id: number) => number,
    states?: StateFigures,
  ): EngineView {
    const all = [...sequences];
    const waiting: WaitingRequest[] = all.filter(({ isRunning }) => !isRunning)
      .sort((a, b) => a.arrivedAt - b.arrivedAt).slice(0, WAITING_MAX)
      .map((each) => ({
        class: classes[each.class],
        ageMs: Math.max(0, Math.round(ageOf(each.id))),
        tokens: each.promptTokens,
      }));
    const step = this.#step && {
      ms: this.#step.ms,
      parts: this.#step.parts.map(({ class: name, isDecode, tokens }) => ({ class: name, isDecode, tokens })),
    };
    const kv = this.#stretches(all, pool);
    return { step, waiting, kv: states === undefined ? kv : this.#withStates(kv, all, states) };
  }

  /** States have the memory of free blocks, of any: they are shown behind the others. */
  #withStates(
    kv: readonly KvStretch[],
    sequences: readonly Readonly<Sequence>[],
    { slotBlocks, used, snapshots }: StateFigures,
  ): KvStretch[] {
    let lent = used * slotBlocks;
    const rest: KvStretch[] = [];
    for (const stretch of kv.toReversed()) {
      const taken = stretch.state === "free" ? Math.min(lent, stretch.blocks) : 0;
      lent -= taken;
      if (taken < stretch.blocks) rest.unshift({ ...stretch, blocks: stretch.blocks - taken });
    }
    let own = used - snapshots;
    for (const { tenant, slot } of sequences) {
      if (slot === undefined || own === 0) continue;
      own--;
      rest.push({ state: "used", blocks: slotBlocks, tenant: this.#numberOf(tenant) });
    }
    const cached = (own + snapshots) * slotBlocks;
    return cached === 0 ? rest : [...rest, { state: "cached", blocks: cached }];
  }

  #stretches(
    sequences: readonly Readonly<Sequence>[],
    pool: { readonly blocks: number; references(block: number): number },
  ): KvStretch[] {
    // By block: 0 for one that no sequence has, else the number of its tenant and 1.
    const holder = new Uint16Array(pool.blocks), holders = new Uint16Array(pool.blocks);
    for (const { tenant, tables } of sequences) {
      const mark = this.#numberOf(tenant) + 1;
      for (const { runs } of tables) for (const run of runs) markRun(run, mark, holder, holders);
    }
    const stretches: { state: KvBlockState; blocks: number; tenant?: number }[] = [];
    for (let block = 0; block < pool.blocks; block++) {
      const state = holders[block] > 1
        ? "shared"
        : holders[block] === 1
        ? "used"
        : pool.references(block) > 0
        ? "cached"
        : "free";
      const tenant = holders[block] > 0 ? holder[block] - 1 : undefined;
      const last = stretches.at(-1);
      if (last?.state === state && last.tenant === tenant) last.blocks++;
      else stretches.push({ state, blocks: 1, ...tenant === undefined ? {} : { tenant } });
    }
    return stretches;
  }

  #numberOf(tenant: string): number {
    let number = this.#tenants.get(tenant);
    if (number === undefined) {
      number = this.#tenants.size % TENANTS_MAX;
      // Names come from clients' keys and salts: only so many are remembered.
      if (this.#tenants.size < TENANTS_MAX) this.#tenants.set(tenant, number);
    }
    return number;
  }
}

function markRun({ first, length }: BlockRun, mark: number, holder: Uint16Array, holders: Uint16Array): void {
  for (let block = first; block < first + length; block++) {
    holder[block] = mark;
    holders[block]++;
  }
}
