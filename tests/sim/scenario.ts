import type { KvWindows, LatencyClass, SchedulerRequest, SnapshotPolicy } from "../../scheduler/mod.ts";
import { Random } from "../../scheduler/testing/random.ts";

/** A request and what its client does. */
export interface SimRequest extends SchedulerRequest {
  readonly tenant: string;
  readonly arriveAt: number;
  /** When the client goes away. */
  readonly abortAt?: number;
  /** Ms for which the client reads a token; 0: reads at once. */
  readonly readMs: number;
  /** Kills the worker that computes it. */
  readonly isPoison: boolean;
}

/** How often things go wrong: probabilities per chance that they get. */
export interface Faults {
  readonly allocation: number;
  readonly duplicate: number;
  readonly abandon: number;
  readonly death: number;
  /** Steps that take ten times as long as they should. */
  readonly stall: number;
  /** Clock jumps in the whole run. */
  readonly jumps: number;
}

/** Everything that a run depends on, drawn from one seed. */
export interface Scenario {
  readonly seed: number;
  readonly workers: number;
  readonly blocks: number;
  readonly blockTokens: number;
  /** How far back queries see, by group of layers; the first group's see everything. */
  readonly windows: KvWindows;
  /** KV blocks whose memory the state of a sequence takes; 0: there are no states. */
  readonly stateBlocks: number;
  readonly snapshotPolicy: SnapshotPolicy;
  readonly stepTokensMax: number;
  readonly stepSequencesMax: number;
  readonly stepRowsMax: number;
  /** Share of the guesses that are right; undefined: nothing is guessed. */
  readonly guesses?: number;
  readonly ageingMs: number;
  readonly classes: readonly LatencyClass[];
  readonly requests: readonly SimRequest[];
  readonly faults: Faults;
  /** Ms of a step: a + b·tokens + c·kv, times up to 1 ± noise. */
  readonly cost: { readonly a: number; readonly b: number; readonly c: number; readonly noise: number };
}

const TENANTS = ["ann", "bob", "eve"];

/** Draws a scenario. */
export function createScenario(seed: number): Scenario {
  const random = new Random(seed);
  const blockTokens = random.pick([1, 4, 16]);
  const longest = random.int(8, 40) * 4;
  const stepSequencesMax = random.int(2, 12);
  const windows = createWindows(seed, longest);
  const workers = random.int(1, 3);
  const blocks = Math.ceil(longest / blockTokens) + random.int(0, 3 * Math.ceil(longest / blockTokens));
  const states = createStates(seed);
  const base = {
    seed,
    workers,
    blocks: windows.length * blocks + states.room,
    stateBlocks: states.stateBlocks,
    snapshotPolicy: states.snapshotPolicy,
    blockTokens,
    windows,
    stepTokensMax: random.int(stepSequencesMax, 64),
    stepSequencesMax,
    ...createGuesses(seed, stepSequencesMax),
    ageingMs: random.int(100, 400),
    cost: {
      a: random.int(1, 8),
      b: random.next() + 0.05,
      c: random.next() * 0.002,
      noise: random.next() * 0.2,
    },
  };
  const classes = createClasses(random, base);
  const isCalm = random.chance(0.2);
  const rate = (most: number) => isCalm || random.chance(0.4) ? 0 : random.next() * most;
  const faults = {
    allocation: rate(0.1),
    duplicate: rate(0.2),
    abandon: rate(0.1),
    death: rate(0.02),
    stall: rate(0.02),
    jumps: isCalm || random.chance(0.5) ? 0 : random.int(1, 6),
  };
  return {
    ...base,
    classes,
    faults,
    requests: createRequests(random, { ...base, classes, longest, isCalm }),
  };
}

/**
 * In half of the scenarios up to three groups have windows: of a token, of some blocks, or longer than any
 * request.
 */
function createWindows(seed: number, longest: number): KvWindows {
  const random = new Random(seed ^ 0x77696e);
  if (random.chance(0.5)) return [undefined];
  return [
    undefined,
    ...Array.from({ length: random.int(1, 3) }, () => random.pick([1, 5, 16, random.int(2, longest), 1000])),
  ];
}

/** In two of three scenarios answers are guessed, more or less well. */
function createGuesses(seed: number, stepSequencesMax: number): Pick<Scenario, "stepRowsMax" | "guesses"> {
  const random = new Random(seed ^ 0x677565);
  const stepRowsMax = stepSequencesMax + random.int(0, 20);
  return { stepRowsMax, guesses: random.chance(1 / 3) ? undefined : random.pick([0.3, 0.8, 0.97]) };
}

/** In half of the scenarios sequences have states; then there is memory for one, or for some more. */
function createStates(seed: number) {
  const random = new Random(seed ^ 0x737461);
  const stateBlocks = random.chance(0.5) ? 0 : random.int(1, 6);
  return {
    stateBlocks,
    room: stateBlocks * random.int(1, 10),
    snapshotPolicy: {
      gapBlocks: random.int(1, 3),
      promptBlocks: random.int(1, 6),
      answerBlocks: random.int(1, 4),
      tailTokens: random.int(0, 8),
    },
  };
}

function createClasses(random: Random, { stepSequencesMax, ageingMs }: {
  stepSequencesMax: number;
  ageingMs: number;
}): LatencyClass[] {
  const classes: LatencyClass[] = [
    {
      name: "interactive",
      priority: 10,
      maxBatch: random.int(1, stepSequencesMax),
      maxWaitMs: 0,
      ttftSloMs: random.chance(0.3) ? random.int(50, 2000) : undefined,
      itlSloMs: random.int(10, 60),
      queueLimit: { requests: random.int(4, 100), tokens: random.int(200, 20_000) },
      preemptible: false,
    },
    {
      name: "batch",
      priority: 0,
      maxBatch: random.int(1, 12),
      maxWaitMs: random.chance(0.7) ? random.int(5, ageingMs) : 0,
      queueLimit: { requests: random.int(4, 100), tokens: random.int(200, 20_000) },
      preemptible: true,
    },
  ];
  if (random.chance(0.3)) {
    classes.push({
      ...classes[1],
      name: "agents",
      priority: 5,
      itlSloMs: random.chance(0.5) ? 80 : undefined,
    });
  }
  return classes;
}

function createRequests(
  random: Random,
  { classes, longest, isCalm, cost }: {
    classes: readonly LatencyClass[];
    longest: number;
    isCalm: boolean;
    cost: { a: number };
  },
): SimRequest[] {
  const tenants = TENANTS.slice(0, random.int(1, 3));
  const prefixes = Array.from({ length: 3 }, () => tokens(random, random.int(1, longest / 2)));
  const gapMs = random.pick([0.2, 1, 4]) * cost.a * 2;
  const isFlood = random.chance(0.15);
  let arriveAt = 0;
  return Array.from({ length: isFlood ? random.int(150, 400) : random.int(5, 50) }, (_, id) => {
    arriveAt += random.exponential(gapMs);
    const prefix = random.chance(0.6) ? random.pick(prefixes) : [];
    const prompt = [...prefix, ...tokens(random, random.int(1, longest / 3))];
    const latencyClass = isFlood && random.chance(0.9) ? classes[0] : random.pick(classes);
    return {
      id,
      class: latencyClass.name,
      tenant: random.pick(tenants),
      priority: random.chance(0.2) ? random.int(-1, 1) : 0,
      deadlineMs: !isCalm && random.chance(0.1) ? random.int(20, 2000) : undefined,
      tokens: prompt,
      maxTokens: random.int(1, longest - prompt.length + (random.chance(0.02) ? 1000 : 0)),
      arriveAt,
      abortAt: !isCalm && random.chance(0.2) ? arriveAt + random.exponential(100) : undefined,
      readMs: random.chance(0.1) ? random.int(1, 30) : 0,
      isPoison: !isCalm && random.chance(0.01),
    };
  });
}

/** Few different tokens, so that prefixes meet by chance, too. */
function tokens(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.int(1, 3));
}
