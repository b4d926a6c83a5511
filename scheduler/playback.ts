import type { LatencyClass } from "./latency_class.ts";
import { calmLimitMs, itlLimitMs, plannedMs, promptFloor, QUANTUM_TOKENS } from "./step_budget.ts";
import type { SharedPrefix } from "./prefix_hints.ts";
import { attendedKv, StepCost } from "./step_cost.ts";

/** A sequence as far as its time depends on it. */
export interface PlayedSequence {
  /** Tokens that it has. */
  context: number;
  /** Those of them that have to be computed before its next token. */
  missing: number;
  /** Tokens that it will still generate, about. */
  left: number;
  /**
   * Tokens whose room in the KV cache falls free when it ends or gives way. A prefix that others have, too,
   * stays.
   */
  held: number;
  /** Which request it is, where others may share its prefix. */
  readonly id?: number;
  /**
   * The beginning of a prompt before it, which need not be computed again if it starts after that one was.
   */
  shared?: SharedPrefix;
}

/** The requests of a class. */
export interface PlayedClass {
  readonly config: LatencyClass;
  /** In order of arrival; none that is paused. */
  readonly running: PlayedSequence[];
  /** In the order in which they start. */
  readonly waiting: PlayedSequence[];
  /** So many more wait behind them, about like the last of them. */
  more: number;
  /** When those that wait may start without company, in ms. */
  opensAtMs: number;
  /**
   * Tokens that answers of the class have if more are asked for: a few lengths that are as frequent as each
   * other.
   */
  readonly outputs: readonly number[];
}

/** What a playback begins with: plain data. */
export interface PlaybackState {
  /** Ms from when it was written down. */
  atMs: number;
  /** Highest priority first. */
  readonly classes: readonly PlayedClass[];
  /** Tokens for which there is room in the KV cache. */
  roomTokens: number;
  /** Tokens of a KV block: the last one of a sequence is half empty. */
  readonly blockTokens: number;
  /** Tokens whose room a sequence's state takes. */
  readonly stateTokens: number;
  /** Of the model of step times, by which steps are planned. */
  readonly coefficients: readonly [number, number, number];
  readonly overrun: number;
  /** By so many times longer steps take on the average. */
  readonly stretch: number;
  /** What passes between two steps: ms, and ms for each sequence of a step. */
  readonly between: readonly [number, number];
  /** By so many times longer steps take than all this says. */
  readonly pace: number;
  /** Most tokens and sequences of a step. */
  readonly tokensMax: number;
  readonly itemsMax: number;
}

/**
 * Share of what running sequences will probably still need that is kept free when another one starts, as
 * planning does.
 */
const GROWTH_SHARE = 0.5;
/** So many requests are played one by one; those behind them take as long as these did on the average. */
const STARTS_MAX = 512;
/** Steps are alike that become longer by up to this share, as chunks of a prompt attend to more and more. */
const ALIKE_SHARE = 0.1;
/** Ends whatever went wrong. */
const EVENTS_MAX = 20_000;

/** A prompt's part of a step. */
interface Grant {
  readonly sequence: PlayedSequence;
  readonly tokens: number;
}

/** What decodes in a class. */
interface Decoding {
  tokens: number;
  kv: number;
  /** Fewest tokens that one of them has left. */
  left: number;
  /** Share of the steps in which each of them gets its token. */
  share: number;
}

/** A step in the making. */
interface PlayedStep {
  readonly grants: Grant[];
  /** Of each class. */
  readonly decoding: readonly Decoding[];
  tokens: number;
  kv: number;
  items: number;
}

/**
 * Plays a queue forward: which steps a scheduler will plan, how long they take by the model of step times,
 * and so when sequences end, places fall free, waiting requests start and their first tokens come. Steps that
 * are alike are played as one, so that it costs as much as there are sequences that start and end, and not as
 * they have tokens. Nothing is extrapolated from how fast requests went before: they were others, beside
 * others.
 */
export class Playback {
  readonly #state: PlaybackState;
  readonly #cost: StepCost;
  readonly #itlSlosMs: number[];
  /** What is empty of a sequence's blocks, on the average. */
  readonly #slack: number;
  /** Requests that have started, and their tokens, by class. */
  readonly #started: { requests: number; tokens: number }[];
  /** Requests whose prompts are not computed to their ends. */
  readonly #pending = new Set<number>();
  #events = 0;

  /** Takes the state over. */
  constructor(state: PlaybackState) {
    this.#state = state;
    this.#cost = new StepCost(state.coefficients, state.overrun);
    this.#itlSlosMs = state.classes.flatMap(({ config }) => config.itlSloMs ?? []);
    this.#slack = (state.blockTokens - 1) / 2;
    this.#started = state.classes.map(() => ({ requests: 0, tokens: 0 }));
    for (const { running, waiting } of state.classes) {
      for (const sequence of running) this.#notePending(sequence);
      for (const sequence of waiting) this.#notePending(sequence);
    }
  }

  /** What is there now. */
  get state(): PlaybackState {
    return this.#state;
  }

  /** Whether there is nothing to compute. */
  get isIdle(): boolean {
    return this.#state.classes.every(({ running, waiting }) => running.length + waiting.length === 0);
  }

  /** One that goes on by itself. */
  clone(): Playback {
    const classes = this.#state.classes.map((each) => ({
      ...each,
      running: each.running.map((sequence) => ({ ...sequence })),
      waiting: each.waiting.map((sequence) => ({ ...sequence })),
    }));
    return new Playback({ ...this.#state, classes });
  }

  /** Puts a new request behind those that wait. */
  add(index: number, sequence: PlayedSequence): void {
    const { classes, atMs } = this.#state;
    const { waiting, running, config } = classes[index];
    if (waiting.length + running.length === 0) classes[index].opensAtMs = atMs + config.maxWaitMs;
    waiting.push(sequence);
    this.#notePending(sequence);
  }

  #notePending({ id, missing }: PlayedSequence): void {
    if (id !== undefined && missing > 0) this.#pending.add(id);
  }

  /**
   * Plays until no request of this class, or of one before it, waits for a place. Company is not waited for.
   */
  settle(index: number): void {
    const { classes } = this.#state;
    const beganAtMs = this.#state.atMs;
    const began = this.#started[index].requests;
    this.#start();
    while (classes.some((each, i) => i <= index && each.waiting.length > 0 && this.#isOpen(each))) {
      if (this.#started[index].requests - began >= STARTS_MAX) return this.#skip(index, beganAtMs, began);
      if (!this.#advance()) return;
      this.#start();
    }
  }

  /**
   * Ms until a request that waits or runs has its first token. Infinity when that is too far away to be
   * played.
   */
  msToFirstToken(sequence: PlayedSequence): number {
    while (sequence.missing > 0) if (!this.#advance()) return Infinity;
    return this.#state.atMs;
  }

  /** Ms until so many waiting requests of a class, with so many tokens, have started. */
  msToStart(index: number, requests: number, tokens: number): number {
    const started = this.#started[index];
    const beganAtMs = this.#state.atMs;
    const isEnough = () => started.requests >= requests && started.tokens >= tokens;
    this.#start();
    while (!isEnough() && started.requests < STARTS_MAX && this.#advance()) this.#start();
    if (isEnough() || started.requests === 0) return this.#state.atMs;
    const missing = Math.max(requests / started.requests, tokens / started.tokens);
    return beganAtMs + (this.#state.atMs - beganAtMs) * missing;
  }

  /** The rest of a long queue, by what those before took. */
  #skip(index: number, beganAtMs: number, began: number): void {
    const each = this.#state.classes[index];
    const rest = each.waiting.length + each.more;
    const started = this.#started[index].requests - began;
    this.#state.atMs += (this.#state.atMs - beganAtMs) * rest / started;
    each.waiting.length = each.more = 0;
  }

  #isOpen({ waiting, running, opensAtMs, config }: PlayedClass): boolean {
    return running.length > 0 || waiting.length >= config.maxBatch || this.#state.atMs >= opensAtMs;
  }

  /** Lets in who waits, class by class, as far as there are places and KV blocks. */
  #start(): void {
    const { classes } = this.#state;
    for (let i = 0; i < classes.length; i++) {
      const each = classes[i];
      const { running, waiting, config } = each;
      if (waiting.length === 0 || !this.#isOpen(each)) continue;
      let started = 0;
      while (started < waiting.length && running.length < config.maxBatch) {
        if (!this.#makeRoom(i, waiting[started])) break;
        const next = waiting[started++];
        next.held = next.missing + this.#slack + this.#state.stateTokens;
        this.#state.roomTokens -= next.held;
        running.push(next);
        this.#started[i].requests++;
        this.#started[i].tokens += next.context;
        if (started === waiting.length && each.more > 0) {
          each.more--;
          waiting.push({ ...next, held: 0 });
        }
      }
      const isShort = started < waiting.length && running.length < config.maxBatch;
      waiting.splice(0, started);
      if (isShort) return;
    }
  }

  /** Whether a sequence finds room, if need be by taking it from classes below. */
  #makeRoom(index: number, { missing }: PlayedSequence): boolean {
    const { classes } = this.#state;
    let running = 0;
    for (const each of classes) running += each.running.length;
    const wanted = missing + this.#state.stateTokens;
    if (running === 0 || this.#state.roomTokens >= wanted + 1 + this.#slack + this.#growth()) return true;
    for (let i = classes.length - 1; i > index; i--) {
      const lower = classes[i];
      if (!lower.config.preemptible) continue;
      while (lower.running.length > 0) {
        const victim = lower.running.pop()!;
        this.#state.roomTokens += victim.held;
        victim.held = 0;
        victim.missing = victim.context;
        lower.waiting.unshift(victim);
        if (this.#state.roomTokens > wanted) return true;
      }
    }
    return false;
  }

  /** Tokens that running sequences will need soon. */
  #growth(): number {
    let left = 0, sequences = 0;
    for (const { running } of this.#state.classes) {
      for (const sequence of running) left += sequence.left;
      sequences += running.length;
    }
    return GROWTH_SHARE * left + this.#slack * sequences;
  }

  /**
   * Plays steps until something begins or ends. False when nothing goes on, or it has gone on for too long.
   */
  #advance(): boolean {
    if (++this.#events > EVENTS_MAX) return false;
    this.#start();
    let running = 0;
    for (const each of this.#state.classes) running += each.running.length;
    if (running === 0) return this.#waitForCompany();
    this.#play(this.#plan());
    return true;
  }

  #waitForCompany(): boolean {
    let opensAtMs = Infinity;
    for (const each of this.#state.classes) {
      if (each.waiting.length > 0) opensAtMs = Math.min(opensAtMs, each.opensAtMs);
    }
    if (opensAtMs === Infinity) return false;
    this.#state.atMs = Math.max(this.#state.atMs, opensAtMs);
    return true;
  }

  /**
   * A step as planning makes it: the next tokens of classes with an ITL objective; then class by class the
   * next tokens of the others, and prompts, as far as objectives allow.
   */
  #plan(): PlayedStep {
    const { classes } = this.#state;
    const cost = this.#cost;
    const step: PlayedStep = { grants: [], decoding: classes.map(decodingOf), tokens: 0, kv: 0, items: 0 };
    let hurtMs = Infinity, isAlive = false;
    for (let i = 0; i < classes.length; i++) {
      const { config, running } = classes[i];
      if (config.itlSloMs === undefined) continue;
      addDecoding(step, step.decoding[i], 1);
      isAlive ||= running.length > 0;
      if (step.decoding[i].tokens > 0) hurtMs = Math.min(hurtMs, config.itlSloMs);
    }
    const decodeMs = cost.predict(step);
    const calmMs = calmLimitMs(this.#itlSlosMs, decodeMs, cost);
    if (hurtMs < Infinity) hurtMs = itlLimitMs(hurtMs, decodeMs);
    const aliveMs = isAlive ? Math.min(hurtMs, itlLimitMs(Math.min(...this.#itlSlosMs), decodeMs)) : Infinity;
    for (let i = 0; i < classes.length; i++) {
      const { config, running } = classes[i];
      const isBound = config.itlSloMs !== undefined;
      const limitMs = isBound ? hurtMs : aliveMs;
      if (!isBound) this.#squeeze(step, step.decoding[i], limitMs);
      if (!running.some(isPrompt)) continue;
      const floor = isBound ? promptFloor(config, decodeMs, cost) : 0;
      this.#grant(step, running, plannedMs(Math.min(limitMs, calmMs), cost), floor);
    }
    return step;
  }

  /** Adds as many next tokens of a class as there is room for within a limit: its sequences take turns. */
  #squeeze(step: PlayedStep, decoding: Decoding, limitMs: number): void {
    const { tokensMax, itemsMax, coefficients: [, b, c] } = this.#state;
    if (decoding.tokens === 0) return;
    const eachMs = b + c * decoding.kv / decoding.tokens;
    const withinMs = plannedMs(limitMs, this.#cost) - this.#cost.predict(step);
    const within = eachMs > 0 ? Math.max(0, withinMs / eachMs) : Infinity;
    const room = Math.min(tokensMax - step.tokens, itemsMax - step.items);
    addDecoding(step, decoding, Math.min(1, within / decoding.tokens, room / decoding.tokens));
  }

  /** Adds prompts, in order, within a limit; `floor` tokens of them in any case. */
  #grant(step: PlayedStep, running: readonly PlayedSequence[], limitMs: number, floor: number): void {
    const { tokensMax, itemsMax } = this.#state;
    let left = floor;
    for (const sequence of running) {
      if (sequence.missing <= 0) continue;
      this.#share(sequence);
      const room = Math.min(sequence.missing, Math.floor(tokensMax - step.tokens));
      if (room <= 0 || step.items >= itemsMax) return;
      const first = sequence.context - sequence.missing;
      const within = limitMs === Infinity ? room : this.#cost.tokensWithin(limitMs, step, first);
      const tokens = Math.min(room, Math.max(within, left));
      if (tokens <= 0) return;
      sequence.shared = undefined;
      left -= tokens;
      step.tokens += tokens;
      step.kv += attendedKv(first, tokens);
      step.items++;
      step.grants.push({ sequence, tokens });
    }
  }

  /** A prompt of which nothing is computed yet finds what it shares, if that has been computed by now. */
  #share(sequence: PlayedSequence): void {
    const { shared, context, missing } = sequence;
    if (shared === undefined || this.#pending.has(shared.owner)) return;
    const spared = Math.max(0, missing - (context - shared.tokens));
    sequence.missing -= spared;
    sequence.held -= spared;
    this.#state.roomTokens += spared;
    sequence.shared = undefined;
  }

  /** Plays as many such steps as are alike. */
  #play(step: PlayedStep): void {
    const state = this.#state;
    let steps = Infinity, decoding = 0, growth = 0;
    for (const { left, share, tokens } of step.decoding) {
      if (tokens > 0 && share > 0) steps = Math.min(steps, Math.ceil(left / share));
      decoding += tokens * share;
    }
    for (const { sequence, tokens } of step.grants) {
      steps = Math.min(steps, Math.floor(sequence.missing / tokens));
      growth += tokens * tokens;
    }
    const growthMs = state.coefficients[2] * growth;
    if (growthMs > 0) steps = Math.min(steps, Math.floor(ALIKE_SHARE * this.#cost.predict(step) / growthMs));
    // Nobody got anything, although somebody is there: ageing gives them a little.
    const isStuck = steps === Infinity;
    steps = isStuck ? 1 : Math.max(1, steps);
    const tokens = isStuck ? QUANTUM_TOKENS : step.tokens;
    // Each step attends to what those before it have computed, too.
    const kv = step.kv + (decoding + growth) * (steps - 1) / 2;
    const [gapMs, gapEachMs] = state.between;
    const stepMs = state.stretch * this.#cost.predict({ tokens, kv });
    state.atMs += state.pace * steps * (stepMs + gapMs + gapEachMs * step.items);
    for (let i = 0; i < step.decoding.length; i++) {
      const { tokens, share } = step.decoding[i];
      if (tokens > 0) this.#decode(state.classes[i].running, steps * share);
    }
    for (const { sequence, tokens } of step.grants) this.#prefill(sequence, tokens * steps);
    if (isStuck) this.#age();
    this.#end();
  }

  #decode(running: readonly PlayedSequence[], tokens: number): void {
    for (const sequence of running) {
      if (sequence.missing > 0) continue;
      sequence.context += tokens;
      sequence.left -= tokens;
      sequence.held += tokens;
      this.#state.roomTokens -= tokens;
    }
  }

  /** A prompt that is computed to its end has its first token. */
  #prefill(sequence: PlayedSequence, tokens: number): void {
    sequence.missing = Math.max(0, sequence.missing - tokens);
    if (sequence.missing > 0) return;
    if (sequence.id !== undefined) this.#pending.delete(sequence.id);
    sequence.left--;
    sequence.context++;
    sequence.held++;
    this.#state.roomTokens--;
  }

  #age(): void {
    for (const { running } of this.#state.classes) {
      if (running.length === 0) continue;
      if (running[0].missing > 0) this.#prefill(running[0], QUANTUM_TOKENS);
      else this.#decode(running.slice(0, 1), 1);
      return;
    }
  }

  #end(): void {
    for (const { running } of this.#state.classes) {
      if (!running.some(hasEnded)) continue;
      let kept = 0;
      for (const sequence of running) {
        if (hasEnded(sequence)) this.#state.roomTokens += sequence.held;
        else running[kept++] = sequence;
      }
      running.length = kept;
    }
  }
}

function isPrompt({ missing }: PlayedSequence): boolean {
  return missing > 0;
}

function hasEnded({ missing, left }: PlayedSequence): boolean {
  return missing <= 0 && left <= 0;
}

function decodingOf({ running }: PlayedClass): Decoding {
  const decoding = { tokens: 0, kv: 0, left: Infinity, share: 1 };
  for (const { missing, context, left } of running) {
    if (missing > 0) continue;
    decoding.tokens++;
    decoding.kv += context;
    decoding.left = Math.min(decoding.left, left);
  }
  return decoding;
}

function addDecoding(step: PlayedStep, decoding: Decoding, share: number): void {
  decoding.share = share;
  step.tokens += decoding.tokens * share;
  step.kv += decoding.kv * share;
  step.items += Math.ceil(decoding.tokens * share);
}
