import { blocksAtOnce, type Scheduler, type Sequence } from "../../scheduler/mod.ts";
import type { SimClass } from "./sim_class.ts";
import type { Scenario } from "./scenario.ts";
import { violate } from "./violation.ts";

/** Steps that a class may wait beyond ageing, or beyond those who keep it out. */
const STEPS_MAX = 40;

/** What is known of one class on one worker. */
interface Watch {
  /** When it last got something, or had nothing to do. */
  servedAt: number;
  /** Once it has waited too long: who had KV blocks then and need not give them up. */
  holders: ReadonlySet<number> | null;
  /** When the holders last left it too little room. */
  keptOutAt: number;
}

/**
 * No class with work waits longer for a token than ageing or waiting for company lasts, and some steps. It
 * may wait longer only for those who were there then, cannot be preempted and leave no room: how many steps
 * they take depends on their tokens. Whoever starts after that has pushed in.
 */
export class StarvationWatch {
  readonly #scenario: Scenario;
  readonly #byId: (id: number) => SimClass;
  readonly #watches: Watch[];
  readonly #stepsMs: number;

  constructor(scenario: Scenario, byId: (id: number) => SimClass, now: number) {
    this.#scenario = scenario;
    this.#byId = byId;
    this.#watches = scenario.classes.map(() => ({ servedAt: now, holders: null, keptOutAt: now }));
    this.#stepsMs = STEPS_MAX * longestStepMs(scenario);
  }

  /** Notes that a step has computed something of a request. */
  serve(id: number, now: number): void {
    this.#watches[this.#classIndex(id)].servedAt = now;
  }

  /** Checks every class of a worker's scheduler, whose last fault was at `faultAt`. */
  check(scheduler: Scheduler, now: number, faultAt: number): void {
    const { classes, ageingMs } = this.#scenario;
    const members: Readonly<Sequence>[][] = classes.map(() => []);
    for (const sequence of scheduler.sequences()) members[this.#classIndex(sequence.id)].push(sequence);
    const boundMs = Math.max(ageingMs, ...classes.map(({ maxWaitMs }) => maxWaitMs)) + this.#stepsMs;
    this.#watches.forEach((watch, i) => {
      const able = members[i].filter(({ isPaused }) => !isPaused);
      if (able.length === 0) watch.servedAt = now;
      const waitedMs = now - Math.max(watch.servedAt, faultAt);
      if (waitedMs <= boundMs) {
        watch.holders = null;
        return;
      }
      const others = members.filter((_, other) => other !== i);
      watch.holders ??= new Set(others.flatMap((all) => this.#unyielding(all)).map(({ id }) => id));
      if (this.#isKeptOut(able, others.flat(), watch.holders)) watch.keptOutAt = now;
      if (now - watch.keptOutAt <= this.#stepsMs) return;
      violate("no-starvation", `${classes[i].name} has had nothing for ${waitedMs} ms`);
    });
  }

  /** The sequences of a class that keep their blocks: all, or the oldest because of its age. */
  #unyielding(members: readonly Readonly<Sequence>[]): Readonly<Sequence>[] {
    const able = members.filter(({ isPaused }) => !isPaused);
    return able.filter(({ id, isRunning }, i) =>
      isRunning && (i === 0 || !this.#byId(id).config.preemptible)
    );
  }

  /** Whether there is no room for a class even if the holders are the only others that have blocks. */
  #isKeptOut(
    able: readonly Readonly<Sequence>[],
    others: readonly Readonly<Sequence>[],
    holders: ReadonlySet<number>,
  ): boolean {
    const { blocks, blockTokens, windows, stepTokensMax, stateBlocks } = this.#scenario;
    const held = new Set<number>();
    let states = 0;
    for (const { id, isRunning, isPaused, tables } of others) {
      if (!holders.has(id) || !isRunning || isPaused) continue;
      states += stateBlocks;
      for (const { first, length } of tables.flatMap(({ runs }) => runs)) {
        for (let i = 0; i < length; i++) held.add(first + i);
      }
    }
    const places = Math.max(...able.map(({ tokens }) => Math.ceil((tokens.length + 1) / blockTokens)));
    const wanted = windows.reduce<number>(
      (sum, window) => sum + Math.min(places, blocksAtOnce(window, stepTokensMax, blockTokens)),
      0,
    );
    return blocks - held.size - states < wanted + stateBlocks;
  }

  #classIndex(id: number): number {
    return this.#scenario.classes.indexOf(this.#byId(id).config);
  }
}

function longestStepMs({ cost, stepTokensMax, faults, blocks, blockTokens }: Scenario): number {
  const longest = blocks * blockTokens;
  return (cost.a + cost.b * stepTokensMax + cost.c * stepTokensMax * longest) * (1 + cost.noise) *
    (faults.stall > 0 ? 2 : 1);
}
