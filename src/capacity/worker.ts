import {
  type ClassOutlook,
  type LatencyClass,
  MemoryAllocator,
  PrefixCache,
  Scheduler,
  type SchedulerRequest,
  type StepPlan,
} from "../../scheduler/mod.ts";
import { tokensMs } from "../protocol/token_time.ts";
import type { StepModel } from "./step_model.ts";

/** What a simulated worker is made of. */
export interface WorkerParts {
  readonly step: StepModel;
  readonly classes: readonly LatencyClass[];
  readonly batchTokensMax: number;
  readonly sequencesMax: number;
  readonly kvTokens: number;
  readonly blockTokens: number;
  readonly prefixCache: boolean;
}

/** Who hears of the requests of a worker, by their ids. */
export interface WorkerEvents {
  token(id: number, now: number): void;
  /** So many tokens of its prompt were known when its first step began. */
  cached(id: number, tokens: number): void;
  refused(id: number, now: number): void;
  ended(id: number, now: number): void;
}

/** One step in so many takes what the others are short of. */
const SLOW_STEP_SHARE = 0.01;

/** The scheduler's clock rounds otherwise than this one: what is less would be no time, again and again. */
const WAIT_MS_MIN = 1e-3;

/** A request on its way to the scheduler. */
interface Underway {
  readonly request: SchedulerRequest;
  readonly sentAt: number;
  readonly availableAt: number;
}

/**
 * An engine worker in simulated time: between two steps it takes what has come, plans the next step, and
 * computes nothing in the time that the model says.
 */
export class SimulatedWorker {
  readonly #parts: WorkerParts;
  readonly #random: () => number;
  readonly #events: WorkerEvents;
  readonly #scheduler: Scheduler;
  readonly #inbox: Underway[] = [];
  /** Requests of which no step has computed anything. */
  readonly #fresh = new Set<number>();
  #step: { readonly plan: StepPlan; readonly elapsedMs: number } | null = null;
  #nextAt = Infinity;
  /** When the next step may begin. */
  #readyAt = 0;

  constructor(parts: WorkerParts, random: () => number, events: WorkerEvents) {
    const { blockTokens, kvTokens, batchTokensMax, sequencesMax, classes, prefixCache } = parts;
    this.#parts = parts;
    this.#random = random;
    this.#events = events;
    const allocator = new MemoryAllocator(Math.ceil(kvTokens / blockTokens));
    this.#scheduler = new Scheduler({
      allocator,
      blockTokens,
      stepTokensMax: batchTokensMax,
      stepSequencesMax: Math.min(sequencesMax, batchTokensMax),
      classes,
      cache: new PrefixCache(allocator, { blockTokens, blocksMax: prefixCache ? undefined : 0 }),
    });
  }

  /** When something happens to it by itself; Infinity: not before it is sent something. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** What it would say to new requests, and those that are under way to it. */
  outlook(now: number): { readonly classes: ClassOutlook[]; readonly underWay: readonly SchedulerRequest[] } {
    return { classes: this.#scheduler.outlook(now), underWay: this.#inbox.map(({ request }) => request) };
  }

  /** A request was sent to it, and is there at `availableAt`. */
  take(request: SchedulerRequest, sentAt: number, availableAt: number): void {
    this.#inbox.push({ request, sentAt, availableAt });
    if (this.#step === null) this.#nextAt = Math.min(this.#nextAt, Math.max(availableAt, this.#readyAt));
  }

  /** Does what it does at `nextAt`: a step ends, or the next one begins. */
  turn(): void {
    if (this.#step === null) this.#begin(this.#nextAt);
    else this.#end(this.#nextAt);
  }

  #begin(now: number): void {
    while (this.#inbox.length > 0 && this.#inbox[0].availableAt <= now) {
      this.#submit(this.#inbox.shift()!, now);
    }
    const plan = this.#scheduler.plan(now);
    if (plan.items.length === 0) {
      const waitMs = Math.max(plan.waitMs ?? Infinity, WAIT_MS_MIN);
      this.#nextAt = Math.min(now + waitMs, this.#inbox[0]?.availableAt ?? Infinity);
      return;
    }
    for (const { id, first } of plan.items) if (this.#fresh.delete(id)) this.#events.cached(id, first);
    const elapsedMs = this.#timeOf(plan);
    this.#step = { plan, elapsedMs };
    this.#nextAt = now + elapsedMs;
  }

  #submit({ request, sentAt }: Underway, now: number): void {
    const { accepted } = this.#scheduler.submit({ ...request, waitedMs: now - sentAt }, now);
    if (accepted) this.#fresh.add(request.id);
    else this.#events.refused(request.id, now);
  }

  #end(now: number): void {
    const { plan, elapsedMs } = this.#step!;
    this.#step = null;
    const results = plan.items.flatMap(({ id, reachesEnd }) => reachesEnd ? [{ id, token: 1 }] : []);
    const ended = this.#scheduler.complete(plan.step, results, elapsedMs, now) ?? [];
    for (const { id } of results) this.#events.token(id, now);
    for (const id of ended) this.#events.ended(id, now);
    const { betweenMs = 0, betweenMsPerSequence = 0 } = this.#parts.step;
    this.#readyAt = now + betweenMs + betweenMsPerSequence * plan.items.length;
    this.#nextAt = this.#readyAt;
  }

  /** Steps are now longer, now shorter; and some few much longer. */
  #timeOf({ items, load: { tokens, kv } }: StepPlan): number {
    const { step } = this.#parts;
    const { fixedMs, msPerKvEntry, msPerRow = 0, relativeError, stretch = 1 } = step;
    const rows = items.filter(({ reachesEnd }) => reachesEnd).length;
    const expectedMs = fixedMs + tokensMs(step, tokens) + msPerKvEntry * kv + msPerRow * rows;
    // The error is a mean of absolute values: 0.8 of a normal distribution's standard deviation.
    const sigma = Math.min(relativeError, 0.5) * Math.sqrt(Math.PI / 2);
    const normal = Math.sqrt(-2 * Math.log(this.#random())) * Math.cos(2 * Math.PI * this.#random());
    const usualMs = expectedMs * Math.exp(sigma * normal);
    const isSlow = this.#random() < SLOW_STEP_SHARE;
    const missing = Math.max(0, stretch - Math.exp(sigma * sigma / 2)) * expectedMs / SLOW_STEP_SHARE;
    return usualMs + (isSlow ? missing : 0);
  }
}
