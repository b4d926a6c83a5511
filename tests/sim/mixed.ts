import { DEFAULT_CLASSES, Scheduler } from "../../scheduler/mod.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import { Random } from "../../scheduler/testing/random.ts";

/** A load of short urgent and long bulk requests on a machine whose step times are known. */
export interface MixedLoad {
  /** Share of what the machine can compute that arrives, half of the requests of each kind. */
  readonly load: number;
  /** Whether bulk requests come one by one, wait in thousands from the start, or are alone. */
  readonly bulk: "arriving" | "backlog" | "alone";
  /** Whether all requests are of one class without objectives. */
  readonly isMerged?: boolean;
  readonly minutes: number;
  /** Ms of a step: a + b·tokens + c·kv, times up to 1 ± noise. */
  readonly cost?: StepCost;
  /** Objective of the urgent requests; those that cannot meet it are refused. Default: none. */
  readonly ttftSloMs?: number;
  readonly seed?: number;
}

/** What steps cost on a machine. */
export interface StepCost {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly noise: number;
}

/** Latencies in ms of the urgent requests, and tokens of prompts and answers per second. */
export interface MixedResult {
  readonly itlP50Ms: number;
  readonly itlP99Ms: number;
  readonly ttftP50Ms: number;
  readonly ttftP99Ms: number;
  readonly tokensPerSecond: number;
  /** Share of the urgent requests that were refused. */
  readonly refusedShare: number;
}

/** About a model of a billion weights on two cores. */
const COST: StepCost = { a: 20, b: 5.5, c: 2e-4, noise: 0.05 };
/** A model so large that a step takes longer than the urgent ITL objective whatever is in it. */
export const SLOW_COST: StepCost = { ...COST, a: 180 };
const URGENT = { prompt: 64, output: 64 };
const BULK = { prompt: 512, output: 128 };
const BACKLOG = 3000;

interface Arrival {
  readonly at: number;
  readonly isUrgent: boolean;
  lastTokenAt: number | null;
}

function createArrivals({ load, bulk, minutes, cost = COST, seed = 1 }: MixedLoad): Arrival[] {
  const random = new Random(seed);
  const pairMs = (URGENT.prompt + BULK.prompt + URGENT.output + BULK.output) * cost.b;
  const arrivals: Arrival[] = [];
  if (bulk !== "arriving") {
    for (let i = 0; i < BACKLOG; i++) arrivals.push({ at: 0, isUrgent: false, lastTokenAt: null });
  }
  for (let at = 0; at < minutes * 60_000; at += random.exponential(pairMs / 2 / load)) {
    const isUrgent = random.chance(0.5);
    if (bulk === "arriving" || bulk === "backlog" && isUrgent) {
      arrivals.push({ at, isUrgent, lastTokenAt: null });
    }
  }
  return arrivals;
}

/** Runs the load in simulated time. */
export function measureMixed(options: MixedLoad): MixedResult {
  const arrivals = createArrivals(options);
  const random = new Random(options.seed ?? 2);
  const { cost = COST, ttftSloMs } = options;
  const queueLimit = { requests: arrivals.length, tokens: arrivals.length * BULK.prompt };
  const scheduler = new Scheduler({
    allocator: new MemoryAllocator(4096),
    blockTokens: 16,
    stepTokensMax: 512,
    stepSequencesMax: 64,
    classes: DEFAULT_CLASSES.map((config) => ({
      ...config,
      queueLimit,
      ttftSloMs: config.ttftSloMs === undefined ? undefined : ttftSloMs,
    })),
  });
  const itls: number[] = [], ttfts: number[] = [];
  let now = 0, next = 0, tokens = 0, words = 0, urgent = 0, refused = 0;
  while (now < options.minutes * 60_000) {
    for (; next < arrivals.length && arrivals[next].at <= now; next++) {
      const { isUrgent } = arrivals[next];
      const { prompt, output } = isUrgent ? URGENT : BULK;
      const name = isUrgent && !options.isMerged ? "interactive" : "batch";
      const text = Array.from({ length: prompt }, () => ++words);
      const { accepted } = scheduler.submit({ id: next, class: name, tokens: text, maxTokens: output }, now);
      if (isUrgent) urgent++;
      if (!accepted) refused++;
    }
    const plan = scheduler.plan(now);
    if (plan.items.length === 0) {
      now = Math.min(now + (plan.waitMs ?? Infinity), arrivals[next]?.at ?? Infinity);
      continue;
    }
    const noise = 1 + cost.noise * (2 * random.next() - 1);
    const elapsedMs = (cost.a + cost.b * plan.load.tokens + cost.c * plan.load.kv) * noise;
    now += elapsedMs;
    tokens += plan.load.tokens;
    const results = plan.items.filter((item) => item.reachesEnd).map(({ id }) => ({ id, token: 1 }));
    scheduler.complete(plan.step, results, elapsedMs, now);
    for (const { id } of results) {
      const arrival = arrivals[id];
      if (arrival.isUrgent && arrival.lastTokenAt === null) ttfts.push(now - arrival.at);
      else if (arrival.isUrgent) itls.push(now - arrival.lastTokenAt!);
      arrival.lastTokenAt = now;
    }
  }
  return {
    itlP50Ms: quantile(itls, 0.5),
    itlP99Ms: quantile(itls, 0.99),
    ttftP50Ms: quantile(ttfts, 0.5),
    ttftP99Ms: quantile(ttfts, 0.99),
    tokensPerSecond: tokens / now * 1000,
    refusedShare: urgent === 0 ? 0 : refused / urgent,
  };
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? NaN;
}
