import { BlockTable } from "./block_table.ts";
import type { SharedPrefix } from "./prefix_hints.ts";

/** What the scheduler is told of a request. */
export interface SchedulerRequest {
  /** Chosen by the caller; no two requests that are alive share one. */
  readonly id: number;
  /** Name of its latency class. */
  readonly class: string;
  /** Prefixes are only shared between requests of one tenant. */
  readonly tenant?: string;
  /** Higher goes first within the class. Default 0. */
  readonly priority?: number;
  /** Ends the request if it has not ended so many ms after it came. */
  readonly deadlineMs?: number;
  /** Ms that it was under way to the scheduler: part of its TTFT. Default 0. */
  readonly waitedMs?: number;
  /** The prompt. The scheduler appends what is generated. */
  readonly tokens: readonly number[];
  /** Most tokens to generate. */
  readonly maxTokens: number;
  /**
   * Whether its KV blocks are shared with requests that begin alike; default true. False: all its tokens are
   * computed.
   */
  readonly sharesPrefix?: boolean;
  /** Whether steps may guess how it goes on; default true. */
  readonly speculates?: boolean;
  /** A text that it may go on with, as far as somebody knows. */
  readonly foretold?: readonly number[];
}

/** The part of a sequence that one step computes: tokens `first` to `first + count − 1`. */
export interface StepItem {
  readonly id: number;
  /** All tokens of the sequence so far; token i has position i. */
  readonly tokens: readonly number[];
  readonly first: number;
  readonly count: number;
  /** KV blocks in order of position, for each group of layers. */
  readonly tables: readonly Pick<BlockTable, "start" | "end" | "runs" | "blocks" | "blockAt">[];
  /** Whether it reaches the last token, so that its logits choose the next one. */
  readonly reachesEnd: boolean;
  /** Guesses of what follows the last token: they are computed behind it. */
  readonly draft: readonly number[];
  /** Of models whose sequences have states. */
  readonly state?: StateUse;
}

/** Slots of a sequence's state. Where they differ, the one that is read is as it was when the step is over. */
export interface StateUse {
  /** The slot with the state after the tokens before `first`; means nothing where that is 0. */
  readonly read: number;
  /** The slot for the state after the slice. Nobody else uses it. */
  readonly write: number;
}

/**
 * One request on its way: its tokens, how many of them are in the KV cache, and where. Computed tokens always
 * catch up with all tokens, so a long prompt, the next token and a new start after a preemption are the same
 * thing.
 */
export class Sequence implements StepItem {
  readonly id: number;
  /** Index of its latency class, highest priority first. */
  readonly class: number;
  readonly tenant: string;
  readonly sharesPrefix: boolean;
  readonly speculates: boolean;
  readonly foretold: readonly number[];
  readonly priority: number;
  readonly tokens: number[];
  readonly promptTokens: number;
  /** All tokens that it may have in the end. */
  readonly tokensMax: number;
  /** Order of arrival. */
  readonly order: number;
  readonly arrivedAt: number;
  readonly deadlineAt: number;
  /** Tokens in the KV cache. */
  first = 0;
  /** Tokens that the step being planned computes. */
  count = 0;
  /** Guesses that it computes behind them. */
  draft: readonly number[] = [];
  /** Tokens at its end that no logits have chosen. */
  forced = 0;
  /** KV blocks, for each group of layers. */
  readonly tables: readonly BlockTable[];
  /** The slot that has its state; undefined where it has none: nothing is computed. */
  slot?: number;
  /** The slot that the next step writes its state into, once it has been chosen. */
  nextSlot?: number;
  /** Tokens after which its state was last kept, or found. */
  keptTokens = 0;
  /** … and that snapshot goes when a later one is kept. 0: there is none that goes. */
  passingTokens = 0;
  /** Tokens that were known when it began and are computed again for lack of a snapshot. */
  lostTokens = 0;
  /** Where others leave its prompt, as far as that is known: its state is worth keeping there. */
  readonly forks = new Set<number>();
  /** Positions at which its state is to be kept: a step ends there. Ascending. */
  borders: readonly number[] = [];
  /** Slices that do not reach the end of its tokens end at multiples of so many tokens if they can. */
  alignTokens = 1;
  /** When a step last computed some of its tokens, or when it came. */
  servedAt: number;
  isRunning = false;
  /** Whether it has run before: then it does not wait for company again. */
  hasStarted = false;
  isPaused = false;
  /** Tokens of its prompt that were in the prefix cache when it came. */
  cachedTokens = 0;
  /** What its prompt has in common with one before it that was not computed then. */
  shared?: SharedPrefix;
  /** Ms to its first token as they were played, without any pace; undefined where nothing was predicted. */
  playedMs?: number;
  /** Its entries among the hints of prefixes, as long as its prompt is not computed. */
  hints: readonly string[] = [];
  /** Whether its blocks are offered to the prefix cache already while it runs. */
  isPromptCached = false;

  constructor(request: SchedulerRequest, { classIndex, groups, order, now, restoredTokens = 0 }: {
    classIndex: number;
    /** Groups of layers that have KV blocks of their own. */
    groups: number;
    order: number;
    now: number;
    /** Tokens at the end of `request.tokens` that were generated before. */
    restoredTokens?: number;
  }) {
    this.id = request.id;
    this.class = classIndex;
    this.tables = Array.from({ length: groups }, () => new BlockTable());
    this.tenant = request.tenant ?? "";
    this.sharesPrefix = request.sharesPrefix ?? true;
    this.speculates = request.speculates ?? true;
    this.foretold = request.foretold ?? [];
    this.priority = request.priority ?? 0;
    this.tokens = [...request.tokens];
    this.promptTokens = request.tokens.length - restoredTokens;
    this.tokensMax = this.promptTokens + request.maxTokens;
    this.order = order;
    this.arrivedAt = this.servedAt = now;
    this.deadlineAt = request.deadlineMs === undefined ? Infinity : now + request.deadlineMs;
  }

  /** Tokens that are not in the KV cache yet. */
  get missing(): number {
    return this.tokens.length - this.first;
  }

  /** KV blocks that it has. */
  get blocks(): number {
    let blocks = 0;
    for (const table of this.tables) blocks += table.blocks;
    return blocks;
  }

  /** Whether it has KV blocks, or has given them all back because no later token sees them. */
  get hasBlocks(): boolean {
    return this.tables[0].end > 0;
  }

  /** Tokens that the next step may compute. */
  get reach(): number {
    const { first, tokens, borders } = this;
    return (borders.find((border) => border > first) ?? tokens.length) - first;
  }

  get state(): StateUse | undefined {
    const { slot, nextSlot } = this;
    return nextSlot === undefined ? undefined : { read: slot ?? nextSlot, write: nextSlot };
  }

  get reachesEnd(): boolean {
    return this.first + this.count === this.tokens.length;
  }

  /** Whether only what it has said last is to be computed: a token, and those that it forced. */
  get isDecoding(): boolean {
    return this.missing <= 1 + this.forced && this.tokens.length > this.promptTokens;
  }
}
