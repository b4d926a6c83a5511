/** How many requests of a class may wait. */
export interface QueueLimit {
  readonly requests: number;
  /** Tokens of the waiting requests' prompts. */
  readonly tokens: number;
}

/** What a kind of request is promised, and what it costs the others. */
export interface LatencyClass {
  readonly name: string;
  /** Classes with higher numbers go first. */
  readonly priority: number;
  /** Most requests of the class that hold KV blocks at the same time. */
  readonly maxBatch: number;
  /** How long the oldest request may wait for `maxBatch` of them to be there; 0: requests start at once. */
  readonly maxWaitMs: number;
  /**
   * A request whose first token is predicted to come later than 0.9 times this is refused while there is
   * other work. Beside answers of a class with an ITL objective, its prompts get what lets 512 tokens keep
   * this one. Undefined: it can wait.
   */
  readonly ttftSloMs?: number;
  /**
   * Longest step while a request of the class is alive, as far as other work decides. Where the answers alone
   * take longer, other work may double that. Undefined: no such limit.
   */
  readonly itlSloMs?: number;
  readonly queueLimit: QueueLimit;
  /** Whether its requests may lose their KV blocks to requests of other classes. */
  readonly preemptible: boolean;
}

/** People who wait for every word, and work that has to be done by the morning. */
export const DEFAULT_CLASSES: readonly LatencyClass[] = [
  {
    name: "interactive",
    priority: 10,
    maxBatch: 32,
    maxWaitMs: 0,
    ttftSloMs: 10_000,
    itlSloMs: 150,
    queueLimit: { requests: 256, tokens: 262_144 },
    preemptible: false,
  },
  {
    name: "batch",
    priority: 0,
    maxBatch: 32,
    maxWaitMs: 2_000,
    queueLimit: { requests: 8192, tokens: 16_777_216 },
    preemptible: true,
  },
];

/** The class of people who wait for every word. */
const INTERACTIVE = DEFAULT_CLASSES[0].name;

/** The class of a request that names none: "interactive", or the highest where there is none of that name. */
export function defaultClass(classes: readonly LatencyClass[]): string {
  const highest = classes.toSorted((a, b) => b.priority - a.priority)[0];
  return classes.some(({ name }) => name === INTERACTIVE) ? INTERACTIVE : highest.name;
}

/** Throws a RangeError that names the class and the field which cannot be. */
export function checkClasses(classes: readonly LatencyClass[]): void {
  if (classes.length === 0) throw new RangeError("Cannot create a scheduler without latency classes");
  const names = new Set<string>();
  for (const latencyClass of classes) {
    const { name, queueLimit, ttftSloMs, itlSloMs } = latencyClass;
    const need = (field: string, value: number, ok: boolean, what: string) => {
      if (!ok) throw new RangeError(`Class ${name}: ${field} must be ${what}, current value is ${value}`);
    };
    if (names.has(name)) throw new RangeError(`Two latency classes are called ${name}`);
    names.add(name);
    need("priority", latencyClass.priority, Number.isFinite(latencyClass.priority), "a number");
    need("maxBatch", latencyClass.maxBatch, isCount(latencyClass.maxBatch), "a positive integer");
    need("maxWaitMs", latencyClass.maxWaitMs, isDuration(latencyClass.maxWaitMs), "finite and at least 0");
    for (const [field, value] of Object.entries({ ttftSloMs, itlSloMs })) {
      if (value !== undefined) need(field, value, isDuration(value) && value > 0, "finite and above 0");
    }
    need("queueLimit.requests", queueLimit.requests, isCount(queueLimit.requests), "a positive integer");
    need("queueLimit.tokens", queueLimit.tokens, isCount(queueLimit.tokens), "a positive integer");
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function isDuration(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
