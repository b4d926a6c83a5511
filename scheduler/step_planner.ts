import type { ClassQueue } from "./class_queue.ts";
import type { KvLedger } from "./kv_ledger.ts";
import type { Sequence } from "./sequence.ts";
import { SPECULATING_MAX, type Speculator } from "./speculator.ts";
import { calmLimitMs, itlLimitMs, plannedMs, promptFloor, QUANTUM_TOKENS } from "./step_budget.ts";
import { StepBuilder, type StepLimits } from "./step_builder.ts";
import type { StepLoad, StepTimeModel } from "./step_time_model.ts";

/** Ms after which to try again when blocks could not be had although there are some. */
const RETRY_MS = 1;
/** Share of what running sequences will probably still need that is kept free when another one starts. */
const GROWTH_SHARE = 0.5;

/** What planning works on. */
export interface PlannerParts {
  /** Highest priority first. */
  readonly queues: readonly ClassQueue[];
  readonly ledger: KvLedger;
  readonly limits: StepLimits;
  readonly model: StepTimeModel;
  readonly ageingMs: number;
  /** Guesses how answers go on; none: nothing is guessed. */
  readonly speculator?: Speculator;
  /** Ms between two steps with so many sequences. */
  betweenMs(sequences: number): number;
}

/** What a step computes and what it took to make room for it. */
export interface PlannedStep {
  readonly items: readonly Sequence[];
  readonly load: StepLoad;
  readonly preempted: readonly number[];
  readonly waitMs?: number;
}

/**
 * Fills a step. In this order: classes that have not been served for too long get a little; sequences of
 * classes with an ITL objective get their next token; then class by class, highest priority first, running
 * sequences and new ones, as far as the objectives of those who are alive allow. Where KV blocks are short,
 * sequences of lower rank give theirs up. Where nobody else needs the step, it guesses how answers go on.
 */
export class StepPlanner {
  readonly #parts: PlannerParts;
  #now = 0;
  #builder: StepBuilder;
  #preempted: number[] = [];
  /**
   * Whether there may be room for waiting sequences: not when those before them, or running ones, found none.
   */
  #mayStart = true;
  /** The oldest request of each class, if it is old enough to go first. */
  #champions: (Sequence | null)[] = [];

  constructor(parts: PlannerParts) {
    this.#parts = parts;
    this.#builder = new StepBuilder(parts.limits, parts.model);
  }

  /** Plans a step at `now` ms. Sets `count` of its sequences and reserves their blocks. */
  plan(now: number): PlannedStep {
    const { queues, limits, model, ageingMs } = this.#parts;
    this.#now = now;
    this.#builder = new StepBuilder(limits, model);
    this.#preempted = [];
    this.#mayStart = true;
    this.#champions = queues.map((queue) => queue.champion(now, ageingMs));
    for (const queue of queues) if (queue.oldest === null) queue.servedAt = now;
    this.#serveDue(queues.filter((queue) => now - queue.servedAt >= ageingMs));
    for (const queue of queues) if (queue.config.itlSloMs !== undefined) this.#decode(queue, Infinity);
    this.#fillClasses();
    this.#speculate();
    const { items, load } = this.#builder;
    return { items, load, preempted: this.#preempted, waitMs: items.length > 0 ? undefined : this.#waitMs() };
  }

  /**
   * Gives classes that have waited too long a little of the step, whatever the others' objectives are: the
   * one that has waited longest first, because higher classes that take turns would keep it out for ever.
   */
  #serveDue(queues: ClassQueue[]): void {
    queues.sort((a, b) => a.servedAt - b.servedAt);
    for (const queue of queues) {
      if (queue.running.length === 0 && queue.opensIn(this.#now) > 0) continue;
      // It finds no room: until it does, nobody else takes what falls free.
      if (!this.#serveOne(queue)) this.#mayStart = false;
    }
  }

  /** A little for the oldest request of a class, or for any that can go on. */
  #serveOne(queue: ClassQueue): boolean {
    const head = queue.head(this.#now, this.#parts.ageingMs);
    const candidates = queue.running.filter((sequence) => !sequence.isPaused);
    if (head !== null && (head === this.#champions[this.#index(queue)] || candidates.length === 0)) {
      if (this.#mayStart && !queue.isFull) {
        this.#makePlace(queue);
        if (this.#start(queue, head)) candidates.unshift(head);
      }
    }
    return candidates.some((sequence) => this.#grant(sequence, 0, QUANTUM_TOKENS) > 0);
  }

  /** One token for each sequence of a class that has its prompt behind it. */
  #decode(queue: ClassQueue, limitMs: number): void {
    for (const sequence of [...queue.running]) if (sequence.isDecoding) this.#grant(sequence, limitMs, 0);
  }

  #fillClasses(): void {
    const { queues, model } = this.#parts;
    const blocked = this.#blockedChampion();
    const decodeMs = this.#decodeMs();
    const calmMs = calmLimitMs(queues.flatMap(({ config }) => config.itlSloMs ?? []), decodeMs, model);
    for (const queue of queues) {
      const hurtMs = this.#limitMs(queue, decodeMs);
      const limitMs = Math.min(hurtMs, calmMs);
      const isBound = queue.config.itlSloMs !== undefined;
      if (!isBound) this.#decode(queue, hurtMs);
      let floor = isBound ? promptFloor(queue.config, decodeMs, model) : 0;
      for (const sequence of [...queue.running]) {
        if (!sequence.isDecoding) floor -= this.#grant(sequence, limitMs, floor);
      }
      // Whoever goes first and finds no room keeps others from taking what falls free.
      if (blocked !== null && blocked !== queue) continue;
      if (!this.#startWaiting(queue, limitMs, floor)) this.#mayStart = false;
    }
  }

  /** The class whose oldest request has to be let in before any other. */
  #blockedChampion(): ClassQueue | null {
    const { queues } = this.#parts;
    for (const [i, champion] of this.#champions.entries()) {
      if (champion === null || champion.isRunning) continue;
      if (queues[i].isFull) continue;
      if (this.#hasRoom(champion)) continue;
      return queues[i];
    }
    return null;
  }

  /** Whether a waiting sequence would find room at all, by taking it from those of lower rank. */
  #hasRoom(sequence: Sequence): boolean {
    const { ledger } = this.#parts;
    let blocks = ledger.availableBlocks;
    for (const other of this.#running()) if (this.#givesWay(other, sequence)) blocks += ledger.heldBy(other);
    return ledger.neededFor(sequence.tokens.length + 1) <= blocks;
  }

  /**
   * Lets waiting sequences of a class in. False when one of them finds no KV blocks: then nobody behind it
   * starts.
   */
  #startWaiting(queue: ClassQueue, limitMs: number, floor: number): boolean {
    const { ageingMs } = this.#parts;
    if (queue.opensIn(this.#now) > 0) return true;
    let left = floor;
    while (this.#mayStart && !this.#builder.isFull && !queue.isFull) {
      const head = queue.head(this.#now, ageingMs);
      if (head === null || this.#builder.roomFor(head, limitMs, left) === 0) return true;
      this.#makePlace(queue);
      if (!this.#start(queue, head)) return false;
      const count = this.#grant(head, limitMs, left);
      if (count === 0) return true;
      left -= count;
    }
    return true;
  }

  /** A paused sequence does not keep others of its class from starting: it gives its place up. */
  #makePlace({ running, config }: ClassQueue): void {
    if (running.length < config.maxBatch) return;
    const paused = running.findLast(({ isPaused }) => isPaused);
    if (paused !== undefined) this.#preempt(paused);
  }

  /** Gives a waiting sequence the blocks of all its tokens so far. */
  #start(queue: ClassQueue, sequence: Sequence): boolean {
    const { ledger } = this.#parts;
    ledger.attach(sequence);
    const wanted = ledger.missing(sequence, sequence.tokens.length + 1);
    const headroom = this.#champions.includes(sequence) ? 0 : this.#growth();
    const fits = ledger.availableBlocks >= wanted + headroom || this.#makeRoom(sequence, wanted);
    if (!fits || !ledger.reserve(sequence, sequence.tokens.length)) {
      ledger.release(sequence);
      return false;
    }
    ledger.begin(sequence);
    queue.start(sequence);
    return true;
  }

  /**
   * Preempts for a sequence that wants to start, if that helps. What could still be taken is as good as
   * headroom.
   */
  #makeRoom(sequence: Sequence, wanted: number): boolean {
    const { ledger } = this.#parts;
    const victims = this.#running().filter((other) => this.#givesWay(other, sequence));
    const held = victims.reduce((sum, victim) => sum + ledger.heldBy(victim), 0);
    if (held === 0 || ledger.availableBlocks + held < wanted) return false;
    victims.sort((a, b) => this.#compareRank(a, b));
    for (const victim of victims) {
      if (ledger.availableBlocks >= wanted) break;
      this.#preempt(victim);
      // An old request took it from a higher class: what is left over is not for newcomers.
      if (victim.class < sequence.class) this.#mayStart = false;
    }
    return ledger.availableBlocks >= wanted;
  }

  /** Whether a running sequence loses its blocks so that a waiting one can start. */
  #givesWay(running: Sequence, waiting: Sequence): boolean {
    const { queues } = this.#parts;
    const theirs = queues[running.class].config, ours = queues[waiting.class].config;
    if (this.#champions.includes(running) || !theirs.preemptible && !running.isPaused) return false;
    return theirs.priority < ours.priority ||
      (running.isPaused || this.#champions.includes(waiting)) && this.#compareRank(running, waiting) < 0;
  }

  /** Blocks that running sequences will probably need soon. */
  #growth(): number {
    const { queues, ledger } = this.#parts;
    let blocks = 0;
    for (const queue of queues) {
      for (const sequence of queue.running) {
        blocks += ledger.blocksFor(GROWTH_SHARE * queue.expectedTokens(sequence));
      }
    }
    return blocks;
  }

  /** Adds as much of a sequence to the step as the limits allow; returns how many tokens. */
  #grant(sequence: Sequence, limitMs: number, floor: number): number {
    // It may have lost its blocks to the one before it.
    if (!sequence.isRunning || sequence.isPaused || sequence.count > 0) return 0;
    const count = this.#builder.roomFor(sequence, limitMs, floor);
    if (count === 0 || !this.#grow(sequence, sequence.first + count)) return 0;
    this.#builder.add(sequence, count);
    return count;
  }

  /**
   * Gives a running sequence the blocks for its first `tokens` tokens, at the cost of those of lower rank.
   */
  #grow(sequence: Sequence, tokens: number): boolean {
    const { ledger } = this.#parts;
    // Less may be missing when others have gone: then its state is its own.
    while (ledger.missing(sequence, tokens) > ledger.availableBlocks) {
      const victim = this.#running().filter((other) => this.#compareRank(other, sequence) < 0)
        .sort((a, b) => this.#compareRank(a, b)).at(0);
      if (victim === undefined) return false;
      this.#preempt(victim);
      // What falls free here belongs to those who lost it before it belongs to newcomers.
      this.#mayStart = false;
    }
    return ledger.reserve(sequence, tokens);
  }

  #preempt(sequence: Sequence): void {
    this.#builder.remove(sequence);
    this.#parts.ledger.release(sequence);
    this.#parts.queues[sequence.class].stop(sequence);
    sequence.isPromptCached = false;
    this.#preempted.push(sequence.id);
  }

  /**
   * Below 0 when `a` gives its blocks up before `b` does. A total order, so that the highest can always go
   * on.
   */
  #compareRank(a: Sequence, b: Sequence): number {
    const { queues } = this.#parts;
    const x = queues[a.class].config, y = queues[b.class].config;
    return Number(b.isPaused) - Number(a.isPaused) ||
      Number(this.#champions.includes(a)) - Number(this.#champions.includes(b)) ||
      Number(y.preemptible) - Number(x.preemptible) || x.priority - y.priority || b.order - a.order;
  }

  #running(): Sequence[] {
    return this.#parts.queues.flatMap((queue) => queue.running);
  }

  /** Ms that the step takes if it is nothing but the decode tokens of classes with an ITL objective. */
  #decodeMs(): number {
    let tokens = 0, kv = 0;
    for (const { config, running } of this.#parts.queues) {
      if (config.itlSloMs === undefined) continue;
      for (const sequence of running) {
        if (sequence.count === 0 || !sequence.isDecoding) continue;
        tokens++;
        kv += sequence.tokens.length;
      }
    }
    return this.#parts.model.predict({ tokens, kv });
  }

  /** How long a step may be if it contains more of this class: whose ITL objective it would hurt. */
  #limitMs(queue: ClassQueue, decodeMs: number): number {
    let limitMs = Infinity;
    for (const { config, running } of this.#parts.queues) {
      if (config.itlSloMs === undefined) continue;
      const isHurt = running.some((sequence) =>
        !sequence.isPaused && (queue.config.itlSloMs === undefined || sequence.isDecoding)
      );
      if (isHurt) limitMs = Math.min(limitMs, itlLimitMs(config.itlSloMs, decodeMs));
    }
    return limitMs;
  }

  /** Adds guesses to a step that only goes on with a few answers. They take room from nobody, and nobody loses KV blocks for them. */
  #speculate(): void {
    const { speculator, betweenMs, model } = this.#parts;
    const { items, load, rowsLeft } = this.#builder;
    if (speculator === undefined || !model.isReady || !this.#isQuiet()) return;
    const decodeMs = model.predict(load);
    const { queues } = this.#parts;
    const limitMs = Math.min(
      calmLimitMs(queues.flatMap(({ config }) => config.itlSloMs ?? []), decodeMs, model),
      ...queues.map((queue) => this.#limitMs(queue, decodeMs)),
    );
    const drafts = speculator.propose(items, {
      load,
      tokens: rowsLeft,
      limitMs: plannedMs(limitMs, model),
      betweenMs: betweenMs(items.length),
      reserve: (sequence, tokens) => this.#roomBehind(sequence, tokens),
    });
    items.forEach((sequence, i) => this.#addDraft(sequence, drafts[i]));
  }

  /** Whether all that is to be done is to go on with a few answers. */
  #isQuiet(): boolean {
    const { items } = this.#builder;
    if (items.length === 0 || items.length > SPECULATING_MAX) return false;
    if (!items.every(({ isDecoding, reachesEnd }) => isDecoding && reachesEnd)) return false;
    return this.#parts.queues.every((queue) =>
      queue.opensIn(this.#now) > 0 && queue.running.every(({ isPaused, count }) => isPaused || count > 0)
    );
  }

  /** For how many of so many guesses there are blocks, or can be. */
  #roomBehind(sequence: Sequence, guesses: number): number {
    const { ledger } = this.#parts;
    const end = sequence.tokens.length;
    const wanted = ledger.missing(sequence, end + guesses);
    const hasRoom = wanted <= ledger.availableBlocks && ledger.reserve(sequence, end + guesses);
    return hasRoom ? guesses : Math.min(guesses, ledger.roomBehind(sequence, end));
  }

  #addDraft(sequence: Sequence, draft: readonly number[]): void {
    // A state is not taken back token by token: if a guess is wrong the one before the step is needed.
    if (draft.length > 0 && this.#parts.ledger.separate(sequence)) this.#builder.addDraft(sequence, draft);
    else this.#parts.ledger.cut(sequence);
  }

  #index(queue: ClassQueue): number {
    return this.#parts.queues.indexOf(queue);
  }

  /** Ms until an empty step may be worth planning again. */
  #waitMs(): number | undefined {
    const { queues } = this.#parts;
    let waitMs = Infinity;
    for (const queue of queues) {
      if (queue.running.some((sequence) => !sequence.isPaused)) return RETRY_MS;
      const opensIn = queue.opensIn(this.#now);
      waitMs = Math.min(waitMs, opensIn > 0 ? opensIn : RETRY_MS);
    }
    return waitMs === Infinity ? undefined : waitMs;
  }
}
