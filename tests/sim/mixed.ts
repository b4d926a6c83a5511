import { DEFAULT_CLASSES, Scheduler } from "../../scheduler/mod.ts";
import { MemoryAllocator } from "./memory_allocator.ts";
import { Random } from "./random.ts";

/** A load of short urgent and long bulk requests on a machine whose step times are known. */
export interface MixedLoad {
  /** Share of what the machine can compute that arrives, half of the requests of each kind. */
  readonly load: number;
  /** Whether bulk requests come one by one, wait in thousands from the start, or are alone. */
  readonly bulk: "arriving" | "backlog" | "alone";
  /** Whether all requests are of one class without objectives. */
  readonly isMerged?: boolean;
  readonly minutes: number;
  readonly seed?: number;
}

/** Latencies in ms of the urgent requests, and tokens of prompts and answers per second. */
export interface MixedResult {
  readonly itlP50Ms: number;
  readonly itlP99Ms: number;
  readonly ttftP50Ms: number;
  readonly ttftP99Ms: number;
  readonly tokensPerSecond: number;
}

/** Ms of a step: about a model of a billion weights on two cores. */
const COST = { a: 20, b: 5.5, c: 2e-4, noise: 0.05 };
const URGENT = { prompt: 64, output: 64 };
const BULK = { prompt: 512, output: 128 };
const BACKLOG = 3000;

interface Arrival {
  readonly at: number;
  readonly isUrgent: boolean;
  lastTokenAt: number | null;
}

function createArrivals({ load, bulk, minutes, seed = 1 }: MixedLoad): Arrival[] {
  const random = new Random(seed);
  const pairMs = (URGENT.prompt + BULK.prompt + URGENT.output + BULK.output) * COST.b;
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
  const queueLimit = { requests: arrivals.length, tokens: arrivals.length * BULK.prompt };
  const scheduler = new Scheduler({
    allocator: new MemoryAllocator(4096),
    blockTokens: 16,
    stepTokensMax: 512,
    stepSequencesMax: 64,
    classes: DEFAULT_CLASSES.map((config) => ({ ...config, queueLimit, ttftSloMs: undefined })),
  });
  const itls: number[] = [], ttfts: number[] = [];
  let now = 0, next = 0, tokens = 0, words = 0;
  while (now < options.minutes * 60_000) {
    for (; next < arrivals.length && arrivals[next].at <= now; next++) {
      const { isUrgent } = arrivals[next];
      const { prompt, output } = isUrgent ? URGENT : BULK;
      const name = isUrgent && !options.isMerged ? "interactive" : "batch";
      const text = Array.from({ length: prompt }, () => ++words);
      scheduler.submit({ id: next, class: name, tokens: text, maxTokens: output }, now);
    }
    const plan = scheduler.plan(now);
    if (plan.items.length === 0) {
      now = Math.min(now + (plan.waitMs ?? Infinity), arrivals[next]?.at ?? Infinity);
      continue;
    }
    const noise = 1 + COST.noise * (2 * random.next() - 1);
    const elapsedMs = (COST.a + COST.b * plan.load.tokens + COST.c * plan.load.kv) * noise;
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
  };
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? NaN;
}
