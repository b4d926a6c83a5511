import {
  DEFAULT_CLASSES,
  KnownOutlook,
  type LatencyClass,
  Router,
  Scheduler,
  type StepPlan,
} from "../../scheduler/mod.ts";
import { type Confusion, LATE_SHARE } from "./confusion.ts";
import { EventQueue } from "./event_queue.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import { Random } from "../../scheduler/testing/random.ts";
import { MACHINE, MAX_BATCH, type Traffic, type TrafficRequest } from "./traffic.ts";

/** What became of a request. */
export interface Decision {
  readonly request: TrafficRequest;
  /** Who refused it, if anybody did: by what its worker had said, or the worker itself. */
  refusedBy?: "caller" | "worker";
  reason?: string;
  /** Ms to its first token, if it had one. */
  ttftMs?: number;
}

const QUEUE_LIMIT = { requests: 10_000, tokens: 10_000_000 };
const PRIORITIES = new Map(DEFAULT_CLASSES.map(({ name, priority }) => [name, priority]));

function classesOf({ ttftSloMs }: Traffic): LatencyClass[] {
  return DEFAULT_CLASSES.map((each) => ({
    ...each,
    maxBatch: MAX_BATCH,
    maxWaitMs: Math.min(each.maxWaitMs, 200),
    ttftSloMs: each.ttftSloMs === undefined ? undefined : ttftSloMs,
    queueLimit: QUEUE_LIMIT,
  }));
}

/**
 * A worker as the engine runs it: between two steps it takes the messages that came, and tells what it makes
 * of new ones.
 */
class Worker {
  readonly scheduler: Scheduler;
  readonly known = new KnownOutlook();
  readonly inbox: Decision[] = [];
  plan: StepPlan | null = null;
  readonly #asked = new Map<string, number>();

  constructor(traffic: Traffic) {
    this.scheduler = new Scheduler({
      allocator: new MemoryAllocator(8192),
      blockTokens: 16,
      stepTokensMax: 512,
      stepSequencesMax: 2 * MAX_BATCH,
      classes: classesOf(traffic),
    });
  }

  ask(name: string): void {
    this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
  }

  tell(now: number): void {
    this.known.learn(
      this.scheduler.outlook(now).map((each) => ({ ...each, asked: this.#asked.get(each.name) ?? 0 })),
      now,
    );
  }
}

/** A step that stalls, because something else has the cores, takes so many times as long. */
const STALL = 5;

/** What a play depends on beside its traffic. */
export interface PlayOptions {
  readonly seed: number;
  /** Share of the steps that take five times as long as they should; default none. */
  readonly stalls?: number;
}

/** Plays a traffic in simulated time. */
class Play {
  readonly decisions: readonly Decision[];
  readonly #traffic: Traffic;
  readonly #forced: number;
  readonly #random: Random;
  readonly #events = new EventQueue();
  readonly #router = new Router();
  readonly #workers: Worker[];
  readonly #stalls: number;
  #now = 0;

  /** `forced`: a request that is taken whatever is said of it. */
  constructor(traffic: Traffic, { seed, stalls = 0, forced = -1 }: PlayOptions & { forced?: number }) {
    this.#traffic = traffic;
    this.#forced = forced;
    this.#stalls = stalls;
    this.#random = new Random(seed);
    this.#workers = Array.from({ length: traffic.workers }, () => new Worker(traffic));
    this.#workers.forEach((_, i) => this.#router.addWorker(i));
    this.decisions = traffic.requests.map((request) => ({ request }));
    for (const decision of this.decisions) {
      this.#events.add(decision.request.atMs, () => this.#arrive(decision));
    }
  }

  /** To the end, or until the forced request has its first token. */
  run(): void {
    while (!this.#events.isEmpty && this.decisions[this.#forced]?.ttftMs === undefined) {
      const { at, run } = this.#events.next();
      this.#now = at;
      run();
    }
  }

  #arrive(decision: Decision): void {
    const { request } = decision;
    const { id, tokens } = request;
    const at = this.#router.route({
      ...{ id, tokens, tenant: "", priority: PRIORITIES.get(request.class)! },
      expectedTokens: request.maxTokens,
    })!;
    const worker = this.#workers[at];
    const unseen = {
      class: request.class,
      tokens: this.#router.promptTokens(id),
      contextTokens: tokens.length,
      maxTokens: request.maxTokens,
    };
    const refusal = id === this.#forced ? null : worker.known.refusalFor(unseen, this.#now);
    if (refusal !== null) return this.#refuse(decision, "caller", refusal.reason);
    worker.known.send(unseen);
    worker.inbox.push(decision);
    if (worker.plan === null) this.#turn(worker);
  }

  #refuse(decision: Decision, by: "caller" | "worker", reason: string): void {
    decision.refusedBy = by;
    decision.reason = reason;
    this.#router.end(decision.request.id);
  }

  /** Between two steps. */
  #turn(worker: Worker): void {
    for (const decision of worker.inbox.splice(0)) {
      const { request } = decision;
      const { id, tokens, maxTokens, class: name } = request;
      const told = { id, class: name, tokens, maxTokens, waitedMs: this.#now - request.atMs };
      worker.ask(name);
      if (id === this.#forced) worker.scheduler.restore(told, 0, this.#now);
      else {
        const admission = worker.scheduler.submit(told, this.#now);
        if (!admission.accepted) this.#refuse(decision, "worker", admission.reason);
      }
      worker.tell(this.#now);
    }
    const plan = worker.scheduler.plan(this.#now);
    if (plan.items.length > 0) return this.#compute(worker, plan);
    if (plan.waitMs === undefined) return;
    this.#events.add(
      this.#now + Math.max(plan.waitMs, 0.01),
      () => worker.plan === null && this.#turn(worker),
    );
  }

  #compute(worker: Worker, plan: StepPlan): void {
    const { a, b, c, noise, betweenMs } = MACHINE;
    const stall = this.#stalls > 0 && this.#random.chance(this.#stalls) ? STALL : 1;
    const chance = stall * (1 + noise * (2 * this.#random.next() - 1));
    const ms = (a + b * plan.load.tokens + c * plan.load.kv) * chance;
    worker.plan = plan;
    this.#events.add(this.#now + ms, () => this.#finish(worker, plan, ms));
    this.#events.add(this.#now + ms + betweenMs, () => {
      worker.plan = null;
      this.#turn(worker);
    });
  }

  #finish(worker: Worker, plan: StepPlan, ms: number): void {
    const results = plan.items.filter((item) => item.reachesEnd).map(({ id, tokens }) => {
      const decision = this.decisions[id];
      const { request } = decision;
      decision.ttftMs ??= this.#now - request.atMs;
      const said = tokens.length - request.tokens.length + 1;
      const isLast = said >= request.outputTokens;
      if (isLast) this.#router.end(id);
      else this.#router.progress(id, request.maxTokens - said);
      return { id, token: 1, isLast };
    });
    worker.scheduler.complete(plan.step, results, ms, this.#now);
    worker.tell(this.#now);
  }
}

/** What happens to a traffic. */
export function playTraffic(traffic: Traffic, options: PlayOptions): readonly Decision[] {
  const play = new Play(traffic, options);
  play.run();
  return play.decisions;
}

/**
 * Judges the decisions on urgent requests: those that were taken by their first token, and up to
 * `refusalsMax` refusals, drawn at random, by playing the same arrivals again with that one request taken.
 */
export function judgeTraffic(traffic: Traffic, options: PlayOptions, refusalsMax: number): Confusion {
  const decisions = playTraffic(traffic, options).filter(({ request }) => request.class === "interactive");
  const taken = decisions.filter(({ refusedBy }) => refusedBy === undefined);
  const refused = decisions.filter(({ refusedBy }) => refusedBy !== undefined);
  const random = new Random(options.seed);
  const drawn = refused.map((decision) => ({ decision, order: random.next() }))
    .sort((x, y) => x.order - y.order).slice(0, refusalsMax);
  const late = drawn.filter(({ decision: { request: { id } } }) => {
    const play = new Play(traffic, { ...options, forced: id });
    play.run();
    return play.decisions[id].ttftMs! > LATE_SHARE * traffic.ttftSloMs;
  });
  return {
    taken: taken.length,
    inTime: taken.filter(({ ttftMs }) => ttftMs! <= traffic.ttftSloMs).length,
    refused: refused.length,
    judged: drawn.length,
    late: late.length,
  };
}
