import {
  type Admission,
  type AdmissionView,
  admit,
  noteArrival,
  refuseForRoom,
  settle,
  type SettledQueue,
  sharedPrefix,
} from "./admission.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import { ClassQueue } from "./class_queue.ts";
import type { ClassOutlook } from "./known_outlook.ts";
import { Deadlines } from "./deadlines.ts";
import { ForecastPace } from "./forecast_pace.ts";
import { KvLedger } from "./kv_ledger.ts";
import { type KvWindows, NO_WINDOWS } from "./kv_window.ts";
import { checkClasses, DEFAULT_CLASSES, type LatencyClass } from "./latency_class.ts";
import { PrefixCache } from "./prefix_cache.ts";
import type { PlaybackState } from "./playback.ts";
import { PrefixHints } from "./prefix_hints.ts";
import type { SnapshotPolicy } from "./snapshot_policy.ts";
import type { StateFigures } from "./state_ledger.ts";
import type { StateSlots } from "./state_slots.ts";
import { type SchedulerRequest, Sequence, type StepItem } from "./sequence.ts";
import { type SpeculationOptions, Speculator } from "./speculator.ts";
import { SteadyClock } from "./steady_clock.ts";
import { resultsById, type StepResult } from "./step_result.ts";
import { StepPlanner } from "./step_planner.ts";
import type { StepLimits } from "./step_builder.ts";
import type { StepLoad } from "./step_cost.ts";
import { StepGap } from "./step_gap.ts";
import { StepTimeModel } from "./step_time_model.ts";

/** What a scheduler is made of. */
export interface SchedulerOptions {
  readonly allocator: BlockAllocator;
  /** Tokens in one KV block. */
  readonly blockTokens: number;
  /** Most tokens in a step. */
  readonly stepTokensMax: number;
  /** Most sequences in a step. */
  readonly stepSequencesMax: number;
  /** Most tokens in a step whose logits are wanted: guesses need those of each. Default: as many as sequences. */
  readonly stepRowsMax?: number;
  /** How steps guess what comes next; default: they do not. */
  readonly speculation?: SpeculationOptions;
  /** Default: `interactive` and `batch`. */
  readonly classes?: readonly LatencyClass[];
  /**
   * The oldest request of a class goes first after this many ms, and no class with work waits longer for a
   * token.
   */
  readonly ageingMs?: number;
  /** How far back queries see, by group of layers; default: one group, to the first token. */
  readonly windows?: KvWindows;
  /** Default: a cache that may use every block. It has the same states as the scheduler. */
  readonly cache?: PrefixCache;
  /** For models whose sequences have states. */
  readonly states?: StateSlots;
  /** Which states are kept for others. */
  readonly snapshotPolicy?: SnapshotPolicy;
}

/** What the next step computes. */
export interface StepPlan {
  /** Number of the step, for `complete()` and `abandon()`. */
  readonly step: number;
  /** Empty: nothing to compute now. */
  readonly items: readonly StepItem[];
  readonly load: StepLoad;
  /** Undefined before steps were measured. */
  readonly predictedMs?: number;
  /** Requests that ended because of their deadline. */
  readonly expired: readonly number[];
  /** Requests that gave their KV blocks up and will be computed again. */
  readonly preempted: readonly number[];
  /** With no items: ms until there may be some. Undefined: not before something is submitted or resumed. */
  readonly waitMs?: number;
}

/** A class as it is now. */
export interface ClassStats {
  readonly name: string;
  readonly waiting: number;
  readonly running: number;
  readonly waitingTokens: number;
}

interface Step {
  readonly number: number;
  readonly items: readonly Sequence[];
  readonly load: StepLoad;
  readonly startedAt: number;
}

const AGEING_MS = 10_000;
const FIRST_CHUNK = 64;

/**
 * Decides what each step computes. A request's life: `submit()` accepts it into the queue of its class or
 * refuses it; `plan()` starts it, gives it KV blocks and a share of each step; `complete()` takes what the
 * step has chosen and ends it with its last token. It may lose its blocks in between and is computed again;
 * nothing of what it said is lost.
 *
 * Pure: the same calls with the same arguments give the same plans. One step is under way at a time.
 */
export class Scheduler {
  /** Highest priority first. */
  readonly #queues: readonly ClassQueue[];
  readonly #ledger: KvLedger;
  readonly #limits: StepLimits;
  readonly #blockTokens: number;
  readonly #planner: StepPlanner;
  readonly #model = new StepTimeModel();
  readonly #gap = new StepGap();
  readonly #speculator?: Speculator;
  readonly #pace = new ForecastPace();
  readonly #hints = new PrefixHints();
  /** What holds until a step, or anything but a request that comes, changes it. */
  readonly #settled = new Map<number, SettledQueue>();
  readonly #clock = new SteadyClock();
  readonly #sequences = new Map<number, Sequence>();
  readonly #deadlines = new Deadlines();
  /** Cancelled while a step computes them: their blocks are free when it is over. */
  readonly #leaving = new Set<Sequence>();
  #step: Step | null = null;
  #steps = 0;
  #arrivals = 0;

  constructor(options: SchedulerOptions) {
    const { allocator, blockTokens, stepTokensMax, stepSequencesMax, classes = DEFAULT_CLASSES } = options;
    const { stepRowsMax = stepSequencesMax, speculation } = options;
    checkClasses(classes);
    if (!(stepTokensMax >= 1) || !(stepSequencesMax >= 1)) {
      throw new RangeError(
        `A step must have room for a token, current values are ${stepTokensMax} tokens, ${stepSequencesMax} sequences`,
      );
    }
    const { windows = NO_WINDOWS, states, snapshotPolicy } = options;
    const cache = options.cache ?? new PrefixCache(allocator, { blockTokens, windows, states });
    this.#queues = classes.toSorted((a, b) => b.priority - a.priority).map((config) =>
      new ClassQueue(config)
    );
    const kv = { blockTokens, stepTokensMax, windows, states, snapshotPolicy };
    this.#ledger = new KvLedger(allocator, cache, kv);
    this.#blockTokens = blockTokens;
    this.#limits = {
      tokensMax: stepTokensMax,
      itemsMax: stepSequencesMax,
      rowsMax: stepRowsMax,
      firstChunk: FIRST_CHUNK,
    };
    if (speculation !== undefined) this.#speculator = new Speculator(this.#model, speculation);
    this.#planner = new StepPlanner({
      queues: this.#queues,
      ledger: this.#ledger,
      limits: this.#limits,
      model: this.#model,
      ageingMs: options.ageingMs ?? AGEING_MS,
      speculator: this.#speculator,
      betweenMs: (sequences) => this.#gap.coefficients[0] + this.#gap.coefficients[1] * sequences,
    });
  }

  /** Whether a request has not ended yet. */
  get isBusy(): boolean {
    return this.#sequences.size > 0;
  }

  /** The online model of the time that a step takes. */
  get stepTime(): StepTimeModel {
    return this.#model;
  }

  /** Ms between two steps: so many, and so many for each sequence. */
  get between(): readonly [number, number] {
    return this.#gap.coefficients;
  }

  /** How states are used; undefined for models without. */
  get states(): StateFigures | undefined {
    return this.#ledger.stateFigures;
  }

  /** Everything that holds blocks or waits for them. */
  *sequences(): Generator<Readonly<Sequence>> {
    yield* this.#sequences.values();
    yield* this.#leaving;
  }

  /** Each class, highest priority first. */
  stats(): ClassStats[] {
    return this.#queues.map(({ config, waiting, running, waitingTokens }) => ({
      name: config.name,
      waiting: waiting.length,
      running: running.length,
      waitingTokens,
    }));
  }

  /**
   * Takes or refuses a request. `now`: the caller's clock in ms. Throws a RangeError for an unknown class, an
   * id that is in use, or a request without tokens.
   */
  submit(request: SchedulerRequest, now: number): Admission {
    const queue = this.#check(request);
    const time = this.#clock.advance(now);
    const view = this.#view(time);
    const admission = admit(view, queue, request);
    if (admission.accepted) {
      const sequence = this.#add(request, queue, 0);
      const { predictedTtftMs } = admission;
      if (predictedTtftMs !== undefined) sequence.playedMs = predictedTtftMs / this.#pace.value;
      if ((request.priority ?? 0) === 0) noteArrival(view, queue, sequence);
      else this.#settled.clear();
    }
    return admission;
  }

  /**
   * What new requests have to expect in each class; what is small enough to be taken may still be too late.
   */
  outlook(now: number): ClassOutlook[] {
    const view = this.#view(this.#clock.advance(now));
    return this.#queues.map((queue, index) => {
      const { name, priority, ttftSloMs, queueLimit } = queue.config;
      const least = { id: -1, class: name, tokens: [0], maxTokens: 1, sharesPrefix: false };
      const outlook = {
        ...{ name, priority, ttftSloMs },
        places: Math.max(0, queueLimit.requests - queue.waiting.length),
        placesTokens: Math.max(0, queueLimit.tokens - queue.waitingTokens),
        forecast: this.#forecast(view, index),
      };
      const refused = refuseForRoom(view, queue, least);
      if (refused === null) return outlook;
      const { reason, retryAfterMs } = refused;
      return { ...outlook, refusal: { reason, retryAfterMs } };
    });
  }

  /** Of a class that promises something; undefined before steps were measured. */
  #forecast(view: AdmissionView, index: number): PlaybackState | undefined {
    if (!this.#model.isReady || this.#queues[index].config.ttftSloMs === undefined) return undefined;
    const { playback, at } = settle(view, index);
    const { state } = playback.clone();
    state.atMs -= view.now - at;
    return state;
  }

  /**
   * Takes a request that was accepted before and has been lost with its engine: `restoredTokens` tokens at
   * the end of `request.tokens` are its answer so far; `deadlineMs` is what is left of it. It is never
   * refused; a RangeError means that it cannot fit into the KV cache.
   */
  restore(request: SchedulerRequest, restoredTokens: number, now: number): void {
    const queue = this.#check(request);
    this.#clock.advance(now);
    this.#settled.clear();
    const tokens = request.tokens.length - restoredTokens + request.maxTokens;
    if (this.#ledger.neededFor(tokens) > this.#ledger.blocks) {
      throw new RangeError(
        `Cannot restore request ${request.id}: ${tokens} tokens do not fit into the KV cache`,
      );
    }
    this.#add(request, queue, restoredTokens).hasStarted = true;
  }

  /** Ends a request in whatever state. False if it has ended already. */
  cancel(id: number): boolean {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) return false;
    this.#queues[sequence.class].noteOutput(sequence, true);
    this.#end(sequence);
    return true;
  }

  /**
   * Holds a request whose reader is behind, or lets it go on. What it has stays, until others need the room.
   */
  setPaused(id: number, isPaused: boolean): void {
    const sequence = this.#sequences.get(id);
    if (sequence !== undefined) sequence.isPaused = isPaused;
    this.#settled.clear();
  }

  /** Decides what the next step computes. Throws an Error while a step is under way. */
  plan(now: number): StepPlan {
    if (this.#step !== null) throw new Error(`Cannot plan a step: step ${this.#step.number} is under way`);
    const time = this.#clock.advance(now);
    this.#settled.clear();
    const expired = this.#expire(time);
    const { items, load, preempted, waitMs } = this.#planner.plan(time);
    const step = ++this.#steps;
    if (items.length > 0) {
      this.#step = { number: step, items, load, startedAt: time };
      this.#gap.begin(time);
    } else {
      this.#gap.rest();
    }
    const predictedMs = this.#model.isReady ? this.#model.predict(load) : undefined;
    return {
      step,
      items,
      load,
      predictedMs,
      expired,
      preempted,
      waitMs: this.#deadlines.wakeIn(time, waitMs),
    };
  }

  /**
   * Takes the results of a step: one for each item that reached its end, except those cancelled since.
   * Returns the ids of the requests that have ended with it, or null, and nothing happens, when that step is
   * not under way any more. `elapsedMs`: how long it took, by a clock that is never set.
   */
  complete(step: number, results: readonly StepResult[], elapsedMs: number, now: number): number[] | null {
    if (this.#step?.number !== step) return null;
    const { items, load, startedAt } = this.#step;
    const tokens = resultsById(this.#step, results, (item) => this.#leaving.has(item));
    this.#step = null;
    this.#settled.clear();
    const time = this.#clock.advance(now);
    this.#model.observe(load, elapsedMs);
    if (items.every(({ isDecoding, reachesEnd }) => isDecoding && reachesEnd)) {
      this.#speculator?.observe(load, elapsedMs);
    }
    const ended: Sequence[] = [];
    for (const item of items) if (this.#advance(item, tokens.get(item.id), time)) ended.push(item);
    for (const sequence of ended) {
      this.#queues[sequence.class].noteOutput(sequence);
      this.#end(sequence);
    }
    if (this.isBusy) this.#gap.end(startedAt, elapsedMs, items.length);
    return ended.map((sequence) => sequence.id);
  }

  /**
   * Ends a step that has computed nothing, because it was interrupted or has failed. A sequence whose state it
   * was writing over begins again.
   */
  abandon(step: number): boolean {
    if (this.#step?.number !== step) return false;
    const { items } = this.#step;
    this.#step = null;
    this.#settled.clear();
    for (const item of items) {
      item.count = 0;
      this.#dropDraft(item);
      if (this.#leaving.delete(item)) this.#ledger.release(item);
      else if (!this.#ledger.rewind(item)) {
        this.#ledger.release(item);
        this.#queues[item.class].stop(item);
        item.isPromptCached = false;
      }
    }
    return true;
  }

  /** Returns whether the sequence has ended. */
  #advance(sequence: Sequence, result: StepResult | undefined, now: number): boolean {
    const { reachesEnd, count, draft } = sequence;
    sequence.first += count;
    sequence.count = 0;
    if (this.#leaving.delete(sequence)) {
      this.#ledger.release(sequence);
      return false;
    }
    const isWrong = reachesEnd && draft.length > (result!.guessed ?? 0);
    const isBack = isWrong && this.#ledger.goBack(sequence);
    if (isBack) sequence.first -= count;
    sequence.servedAt = now;
    this.#queues[sequence.class].servedAt = now;
    if (reachesEnd) this.#say(sequence, result!, isBack);
    if (!isBack) this.#ledger.advance(sequence);
    if (reachesEnd && !sequence.isPromptCached) {
      this.#ledger.offer(sequence);
      this.#forgetHints(sequence);
      sequence.isPromptCached = true;
    }
    this.#ledger.pass(sequence);
    if (!reachesEnd) return false;
    if (sequence.playedMs !== undefined) {
      const { ttftSloMs } = this.#queues[sequence.class].config;
      this.#pace.note(sequence.playedMs, now - sequence.arrivedAt, ttftSloMs);
      sequence.playedMs = undefined;
    }
    const { token, isLast = token === undefined } = result!;
    return isLast || sequence.tokens.length >= sequence.tokensMax;
  }

  /**
   * Adds what was chosen behind a sequence's tokens. `isBack`: its state is the one before the step, so that
   * what the step has computed is computed again with what was chosen.
   */
  #say(sequence: Sequence, { token, more = [], guessed = 0 }: StepResult, isBack: boolean): void {
    for (const each of token === undefined ? [] : [token, ...more]) {
      sequence.tokens.push(each);
      this.#queues[sequence.class].noteToken(sequence);
    }
    if (!isBack) sequence.first += guessed;
    sequence.forced = isBack ? sequence.missing - 1 : more.length - guessed;
    this.#speculator?.settle(sequence, guessed);
    this.#dropDraft(sequence);
  }

  /** What was guessed wrong is overwritten by what comes in its place; blocks that only it needed are free. */
  #dropDraft(sequence: Sequence): void {
    if (sequence.draft.length === 0) return;
    sequence.draft = [];
    this.#ledger.cut(sequence);
  }

  #check(request: SchedulerRequest): ClassQueue {
    const queue = this.#queues.find(({ config }) => config.name === request.class);
    if (queue === undefined) {
      const names = this.#queues.map(({ config }) => config.name).join(", ");
      throw new RangeError(`No latency class is called "${request.class}"; there are: ${names}`);
    }
    if (this.#sequences.has(request.id)) throw new RangeError(`Request ${request.id} is there already`);
    if (request.tokens.length < 1 || !(request.maxTokens >= 1)) {
      throw new RangeError(
        `A request must have tokens and generate some, current values are ${request.tokens.length}, ${request.maxTokens}`,
      );
    }
    return queue;
  }

  #view(now: number): AdmissionView {
    const step = this.#step;
    const { stretch } = this.#model;
    const stepLeftMs = step === null
      ? 0
      : Math.max(0, step.startedAt + stretch * this.#model.predict(step.load) - now);
    return {
      queues: this.#queues,
      ledger: this.#ledger,
      hints: this.#hints,
      model: this.#model,
      limits: this.#limits,
      blockTokens: this.#blockTokens,
      now,
      stepLeftMs,
      between: this.#gap.coefficients,
      pace: this.#pace.value,
      settled: this.#settled,
    };
  }

  #add(request: SchedulerRequest, queue: ClassQueue, restoredTokens: number): Sequence {
    const sequence = new Sequence(request, {
      classIndex: this.#queues.indexOf(queue),
      groups: this.#ledger.groups,
      order: this.#arrivals++,
      now: this.#clock.now,
      restoredTokens,
    });
    sequence.cachedTokens = this.#ledger.peek(request);
    sequence.shared = sharedPrefix(this.#hints, request);
    if (sequence.sharesPrefix) {
      const prompt = sequence.tokens.slice(0, sequence.promptTokens);
      sequence.hints = this.#hints.add(sequence.id, sequence.tenant, prompt);
    }
    const { shared } = sequence, owner = this.#sequences.get(shared?.owner ?? -1);
    if (shared !== undefined && owner !== undefined) this.#ledger.noteFork(owner, shared.tokens);
    this.#sequences.set(sequence.id, sequence);
    this.#deadlines.add(sequence);
    queue.add(sequence);
    return sequence;
  }

  #forgetHints(sequence: Sequence): void {
    this.#hints.remove(sequence.id, sequence.hints);
    sequence.hints = [];
  }

  #end(sequence: Sequence): void {
    this.#settled.clear();
    this.#forgetHints(sequence);
    this.#speculator?.forget(sequence.id);
    this.#sequences.delete(sequence.id);
    this.#deadlines.remove(sequence);
    this.#queues[sequence.class].remove(sequence);
    if (this.#step?.items.includes(sequence)) this.#leaving.add(sequence);
    else this.#ledger.release(sequence);
  }

  #expire(now: number): number[] {
    const late = this.#deadlines.passed(now);
    for (const sequence of late) {
      this.#queues[sequence.class].noteOutput(sequence, true);
      this.#end(sequence);
    }
    return late.map((sequence) => sequence.id);
  }
}
