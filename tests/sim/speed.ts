import { Scheduler } from "../../scheduler/mod.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import { Random } from "../../scheduler/testing/random.ts";

/** What scheduling costs, and what an overloaded KV cache costs in recomputed tokens. */
export interface SchedulingSpeed {
  readonly requestsPerSecond: number;
  readonly stepsPerSecond: number;
  /** Mean time of the scheduler for a step, in µs. */
  readonly stepUs: number;
  /** Tokens computed more than once, as a share of those that have to be computed once. */
  readonly recomputedShare: number;
  readonly preemptions: number;
  readonly completed: number;
}

/** The load of a measurement. */
export interface SpeedLoad {
  readonly requests: number;
  /** KV blocks as a share of what all requests together need; 0.1 is ten times too few. */
  readonly memoryShare: number;
  readonly seed?: number;
}

const BLOCK_TOKENS = 16;
const STEP_SEQUENCES = 32;

/** Runs the scheduler without a kernel, all requests waiting from the start, half of each class. */
export function measureScheduling({ requests, memoryShare, seed = 1 }: SpeedLoad): SchedulingSpeed {
  const random = new Random(seed);
  const sizes = Array.from(
    { length: requests },
    () => ({ prompt: random.int(16, 512), output: random.int(8, 256) }),
  );
  const needed = sizes.reduce(
    (sum, { prompt, output }) => sum + Math.ceil((prompt + output) / BLOCK_TOKENS),
    0,
  );
  const allocator = new MemoryAllocator(Math.max(64, Math.ceil(needed * memoryShare)));
  const queueLimit = { requests, tokens: requests * 512 };
  const scheduler = new Scheduler({
    allocator,
    blockTokens: BLOCK_TOKENS,
    stepTokensMax: 512,
    stepSequencesMax: STEP_SEQUENCES,
    classes: [
      {
        name: "interactive",
        priority: 10,
        maxBatch: 32,
        maxWaitMs: 0,
        itlSloMs: 150,
        queueLimit,
        preemptible: false,
      },
      { name: "batch", priority: 0, maxBatch: 32, maxWaitMs: 2000, queueLimit, preemptible: true },
    ],
  });
  const start = performance.now();
  sizes.forEach(({ prompt, output }, id) => {
    const tokens = Array.from({ length: prompt }, () => random.int(0, 31_999));
    scheduler.submit({ id, class: id % 2 === 0 ? "interactive" : "batch", tokens, maxTokens: output }, 0);
  });
  let now = 0, steps = 0, computed = 0, completed = 0, preemptions = 0;
  while (scheduler.isBusy) {
    const plan = scheduler.plan(now);
    preemptions += plan.preempted.length;
    if (plan.items.length === 0) {
      if (plan.waitMs === undefined) throw new Error("The scheduler has work and does not go on");
      now += plan.waitMs;
      continue;
    }
    const elapsedMs = 20 + plan.load.tokens * 0.5 + plan.load.kv * 1e-5;
    now += elapsedMs;
    steps++;
    computed += plan.load.tokens;
    const results = plan.items.filter((item) => item.reachesEnd).map(({ id }) => ({
      id,
      token: steps % 32_000,
    }));
    completed += scheduler.complete(plan.step, results, elapsedMs, now)!.length;
  }
  const seconds = (performance.now() - start) / 1000;
  const once = sizes.reduce((sum, { prompt, output }) => sum + prompt + output - 1, 0);
  return {
    requestsPerSecond: requests / seconds,
    stepsPerSecond: steps / seconds,
    stepUs: seconds * 1e6 / steps,
    recomputedShare: computed / once - 1,
    preemptions,
    completed,
  };
}

/** Median time of the scheduler for a step in which every running sequence decodes, in µs. */
export interface StepCostUs {
  readonly planUs: number;
  readonly completeUs: number;
}

const CROWD_PROMPT = 500;

/**
 * Measures steps with so many running and waiting sequences, half of each class. What keeps the others
 * waiting is the size of the batches or, with `isShort`, that running urgent ones have the KV blocks.
 */
export function measureStep({ running, waiting, steps, isShort = false }: {
  running: number;
  waiting: number;
  steps: number;
  isShort?: boolean;
}): StepCostUs {
  // Enough for the running ones; what they are expected to need keeps newcomers out.
  const tokensMax = CROWD_PROMPT + (isShort ? 1 : 4) * steps;
  const blocks = running * Math.ceil(tokensMax / BLOCK_TOKENS) + (isShort ? 0 : waiting * CROWD_PROMPT);
  const maxBatch = isShort ? running + waiting : running / 2;
  const queueLimit = { requests: running + waiting, tokens: (running + waiting) * CROWD_PROMPT };
  const common = { maxBatch, maxWaitMs: 0, queueLimit };
  const scheduler = new Scheduler({
    allocator: new MemoryAllocator(blocks),
    blockTokens: BLOCK_TOKENS,
    stepTokensMax: running * CROWD_PROMPT,
    stepSequencesMax: 2 * running,
    ageingMs: Infinity,
    classes: [
      { ...common, name: "interactive", priority: 10, itlSloMs: 1000, preemptible: false },
      { ...common, name: "batch", priority: 0, preemptible: true },
    ],
  });
  let now = 0, words = 0;
  const planMs: number[] = [], completeMs: number[] = [];
  const submit = (count: number, first: number, urgentShare: number) => {
    for (let i = 0; i < count; i++) {
      const tokens = Array.from({ length: CROWD_PROMPT }, () => ++words);
      const name = i < urgentShare * count ? "interactive" : "batch";
      scheduler.submit({ id: first + i, class: name, tokens, maxTokens: 4 * steps }, now);
    }
  };
  const step = () => {
    const start = performance.now();
    const plan = scheduler.plan(now);
    planMs.push(performance.now() - start);
    const elapsedMs = 20 + plan.load.tokens * 0.01;
    now += elapsedMs;
    const results = plan.items.filter((item) => item.reachesEnd).map(({ id }) => ({ id, token: 1 }));
    const planned = performance.now();
    scheduler.complete(plan.step, results, elapsedMs, now);
    completeMs.push(performance.now() - planned);
    return results.length;
  };
  submit(running, 0, isShort ? 1 : 0.5);
  while (step() < running);
  submit(waiting, running, 0.5);
  planMs.length = completeMs.length = 0;
  for (let i = 0; i < steps; i++) {
    if (step() !== running) throw new Error("Somebody else runs than was to be measured");
  }
  const median = (values: number[]) => 1000 * values.toSorted((a, b) => a - b)[values.length >> 1];
  return { planUs: median(planMs), completeUs: median(completeMs) };
}

/** What a decision costs, in µs: of the scheduler, and of what it tells of new requests after a step. */
export interface AdmissionCostUs {
  readonly submitUs: number;
  readonly outlookUs: number;
}

/** Measures decisions beside so many running and waiting requests of a class with objectives; medians. */
export function measureAdmission({ running, waiting, samples }: {
  running: number;
  waiting: number;
  samples: number;
}): AdmissionCostUs {
  const queueLimit = { requests: 1e6, tokens: 1e9 };
  const common = { maxBatch: running, maxWaitMs: 0, queueLimit };
  const scheduler = new Scheduler({
    allocator: new MemoryAllocator(100_000),
    blockTokens: BLOCK_TOKENS,
    stepTokensMax: 512,
    stepSequencesMax: 2 * running,
    classes: [
      { ...common, name: "interactive", priority: 10, itlSloMs: 150, ttftSloMs: 1e9, preemptible: false },
      { ...common, name: "batch", priority: 0, preemptible: true },
    ],
  });
  let now = 0, words = 0, id = 0;
  const submit = (name: string, maxTokens: number) => {
    const tokens = Array.from({ length: 64 }, () => ++words);
    scheduler.submit({ id: ++id, class: name, tokens, maxTokens }, now);
  };
  const step = () => {
    const plan = scheduler.plan(now);
    const elapsedMs = 20 + plan.load.tokens;
    now += elapsedMs;
    const results = plan.items.filter((item) => item.reachesEnd).map((item) => ({ id: item.id, token: 1 }));
    scheduler.complete(plan.step, results, elapsedMs, now);
  };
  for (let i = 0; i < running; i++) submit(i % 4 === 0 ? "batch" : "interactive", 10_000 + 37 * i);
  for (let i = 0; i < 50; i++) step();
  for (let i = 0; i < running / 4 + waiting; i++) submit("interactive", 32 + i % 64);
  step();
  const submitMs: number[] = [], outlookMs: number[] = [];
  for (let i = 0; i < samples; i++) {
    const startedAt = performance.now();
    submit("interactive", 32);
    const submittedAt = performance.now();
    scheduler.outlook(now);
    outlookMs.push(performance.now() - submittedAt);
    submitMs.push(submittedAt - startedAt);
    // It changes what is there: the next decision begins anew.
    scheduler.cancel(id);
  }
  const median = (values: number[]) => 1000 * values.toSorted((a, b) => a - b)[values.length >> 1];
  return { submitUs: median(submitMs), outlookUs: median(outlookMs) };
}
