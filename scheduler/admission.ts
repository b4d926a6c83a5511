import { chanceOf, type OutputLengths } from "./output_lengths.ts";
import type { ClassQueue } from "./class_queue.ts";
import type { KvLedger } from "./kv_ledger.ts";
import { Playback, type PlayedClass, type PlayedSequence } from "./playback.ts";
import type { PrefixHints, SharedPrefix } from "./prefix_hints.ts";
import type { SchedulerRequest, Sequence } from "./sequence.ts";
import type { StepLimits } from "./step_builder.ts";
import { attendedKv } from "./step_cost.ts";
import type { StepTimeModel } from "./step_time_model.ts";

/** Why a request was refused: it can never fit, too much waits already, or it would be too late. */
export type RefusalReason = "too-long" | "queue-full" | "slo" | "deadline";

/** The answer to a new request. */
export type Admission =
  | {
    readonly accepted: true;
    /** Ms; undefined before steps were measured, and where nothing depends on it. */
    readonly predictedTtftMs?: number;
  }
  | {
    readonly accepted: false;
    readonly reason: RefusalReason;
    /** When to try again; undefined: it would be refused always. */
    readonly retryAfterMs?: number;
  };

/** Ms after which to try again while nothing has been measured, or nothing can be said. */
const RETRY_MS = 1000;
/**
 * A first token that is predicted after this share of what the class promises is late: in the middle of what
 * is right to refuse (later than 0.8) and what is right to take (until 1), because forecasts err to both
 * sides.
 */
const LATE_SHARE = 0.9;
/**
 * So many waiting requests of a class, and of those before it, are played one by one; and of those behind it.
 */
const LISTED = 512, LISTED_BEHIND = 32;
/** Answers are not taken to become longer than this before they were. */
const OUTPUT_MAX = 2 ** 17;
/** So many lengths stand for those of answers to requests that are under way. */
const TYPICAL_OUTPUTS = 16;

/** What admission looks at. */
export interface AdmissionView {
  /** Highest priority first. */
  readonly queues: readonly ClassQueue[];
  readonly ledger: KvLedger;
  readonly hints: PrefixHints;
  readonly model: StepTimeModel;
  readonly limits: StepLimits;
  readonly blockTokens: number;
  readonly now: number;
  /** Predicted time that the current step still takes. */
  readonly stepLeftMs: number;
  /** What passes between two steps: ms, and ms for each sequence of a step. */
  readonly between: readonly [number, number];
  /** By so many times longer first tokens take than is played. */
  readonly pace: number;
  /**
   * Queues as they were played, by class: all that is there has changed only by requests that came since, and
   * are in them.
   */
  readonly settled: Map<number, SettledQueue>;
}

/** A queue, played until all that wait in it have started. */
export interface SettledQueue {
  readonly playback: Playback;
  /** When it was as it began, in ms. */
  readonly at: number;
}

/** Ms by which a first token would come too late for its class, or a number up to 0. */
export function lateMs(ttftMs: number, ttftSloMs = Infinity): number {
  return ttftMs - LATE_SHARE * ttftSloMs;
}

/**
 * When to come again who would be late by so much. What is too far away to be played is late whatever is
 * promised, but nobody knows by how much.
 */
export function retryMs(late: number): number {
  return late < Infinity ? late : RETRY_MS;
}

/** Decides whether a request is taken, from what is waiting and how fast it goes. */
export function admit(view: AdmissionView, queue: ClassQueue, request: SchedulerRequest): Admission {
  const refusal = refuseForRoom(view, queue, request);
  if (refusal !== null) return refusal;
  const { ttftSloMs = Infinity } = queue.config;
  const { deadlineMs = Infinity, waitedMs = 0 } = request;
  if (!view.model.isReady || Math.min(ttftSloMs, deadlineMs) === Infinity) return { accepted: true };
  const predictedTtftMs = predictTtftMs(view, queue, request);
  const late = lateMs(waitedMs + predictedTtftMs, ttftSloMs);
  // With the machine to itself it will never be faster, and only steps teach the model that it is wrong.
  if (late > 0 && !isIdle(view)) return { accepted: false, reason: "slo", retryAfterMs: retryMs(late) };
  // A request that would be late even with the machine to itself is not worth trying again.
  if (predictedTtftMs > deadlineMs) {
    const tokens = request.tokens.length - view.ledger.peek(request);
    const alone = view.model.predict({ tokens, kv: attendedKv(0, tokens) });
    return alone > deadlineMs
      ? { accepted: false, reason: "deadline" }
      : { accepted: false, reason: "deadline", retryAfterMs: retryMs(predictedTtftMs - deadlineMs) };
  }
  return predictedTtftMs < Infinity ? { accepted: true, predictedTtftMs } : { accepted: true };
}

/** Whether a request fits into the KV cache and into the queue. */
export function refuseForRoom(
  view: AdmissionView,
  queue: ClassQueue,
  { tokens, maxTokens }: SchedulerRequest,
): Admission & { accepted: false } | null {
  const { queueLimit } = queue.config;
  const isLong = view.ledger.neededFor(tokens.length + maxTokens) > view.ledger.blocks;
  if (isLong || tokens.length > queueLimit.tokens) return { accepted: false, reason: "too-long" };
  const requestsOver = queue.waiting.length + 1 - queueLimit.requests;
  const tokensOver = queue.waitingTokens + tokens.length - queueLimit.tokens;
  if (requestsOver <= 0 && tokensOver <= 0) return null;
  const index = view.queues.indexOf(queue);
  const retryAfterMs = view.model.isReady
    ? playbackOf(view, index).msToStart(index, requestsOver, tokensOver)
    : RETRY_MS;
  return { accepted: false, reason: "queue-full", retryAfterMs: Math.max(retryAfterMs, 1) };
}

/** Ms until a new request has its first token, as the queue is played forward. */
function predictTtftMs(view: AdmissionView, queue: ClassQueue, request: SchedulerRequest): number {
  const index = view.queues.indexOf(queue);
  const { tokens, maxTokens, priority = 0 } = request;
  const isLast = queue.waiting.every((other) => other.priority >= priority);
  const { playback, at } = isLast ? settle(view, index) : {
    playback: playbackOf(view, index, priority),
    at: view.now,
  };
  const sequence = {
    context: tokens.length,
    missing: tokens.length - view.ledger.peek(request),
    left: queue.lengths.drawn(0, maxTokens, 0.5),
    held: 0,
    shared: sharedPrefix(view.hints, request),
  };
  const played = playback.clone();
  if (played.state.classes[index].more > 0) played.settle(index);
  played.add(index, sequence);
  return Math.max(0, played.msToFirstToken(sequence) - (view.now - at));
}

/** The queue of a class, played until all that wait in it have started. */
export function settle(view: AdmissionView, index: number): SettledQueue {
  let queue = view.settled.get(index);
  if (queue === undefined) {
    queue = { playback: playbackOf(view, index), at: view.now };
    view.settled.set(index, queue);
  }
  queue.playback.settle(index);
  return queue;
}

/** Lets queues that were played go on with a request that has come since. */
export function noteArrival(view: AdmissionView, queue: ClassQueue, sequence: Sequence): void {
  const sizes = sizesOf(view);
  for (const { playback } of view.settled.values()) {
    playback.add(view.queues.indexOf(queue), playedSequence(queue, sequence, sizes));
  }
}

/** What a prompt shares with one before it that is not computed yet. */
export function sharedPrefix(hints: PrefixHints, request: SchedulerRequest): SharedPrefix | undefined {
  if (request.sharesPrefix === false) return undefined;
  return hints.peek(request.tenant ?? "", request.tokens);
}

/** Whether a machine waits for any request. */
export function isIdle({ queues }: AdmissionView): boolean {
  return queues.every(({ members }) => members.size === 0);
}

/** What there is, to be played forward for a new request of a class and of this priority within it. */
export function playbackOf(view: AdmissionView, index: number, priority = -Infinity): Playback {
  const { queues, ledger, blockTokens, model, limits } = view;
  return new Playback({
    atMs: view.stepLeftMs,
    classes: queues.map((queue, i) =>
      playedClass(view, queue, i <= index ? LISTED : LISTED_BEHIND, i === index ? priority : -Infinity)
    ),
    roomTokens: ledger.availableBlocks * blockTokens * placesPerBlock(view),
    blockTokens,
    stateTokens: stateTokensOf(view),
    coefficients: model.coefficients,
    overrun: model.overrun,
    stretch: model.stretch,
    between: view.between,
    pace: view.pace,
    tokensMax: limits.tokensMax,
    itemsMax: limits.itemsMax,
  });
}

/**
 * Stretches of a sequence's tokens that a block holds: 1 where there is one group of layers, less with more,
 * and more again where windows give blocks back. By what running sequences have now.
 */
function placesPerBlock({ queues, ledger }: AdmissionView): number {
  let places = 0, blocks = 0;
  for (const { running } of queues) {
    for (const sequence of running) {
      places += sequence.tables[0].end;
      blocks += sequence.blocks;
    }
  }
  return blocks === 0 ? 1 / ledger.groups : places / blocks;
}

/** Tokens whose room the state of a sequence takes. */
function stateTokensOf(view: AdmissionView): number {
  const { stateBlocks } = view.ledger;
  return stateBlocks === 0 ? 0 : stateBlocks * view.blockTokens * placesPerBlock(view);
}

function playedClass(view: AdmissionView, queue: ClassQueue, listed: number, priority: number): PlayedClass {
  const running: PlayedSequence[] = [], waiting: PlayedSequence[] = [];
  const sizes = sizesOf(view);
  let more = 0;
  for (const sequence of queue.running) {
    if (sequence.isPaused) continue;
    const played = playedSequence(queue, sequence, sizes);
    if (played.left > 0) running.push(played);
  }
  for (const sequence of queue.waiting) {
    if (sequence.isPaused || sequence.priority < priority) continue;
    if (waiting.length >= listed) more++;
    else waiting.push(playedSequence(queue, sequence, sizes));
  }
  return {
    config: queue.config,
    running,
    waiting,
    more,
    opensAtMs: Math.min(queue.opensIn(view.now), queue.config.maxWaitMs),
    outputs: typicalOutputs(queue.lengths),
  };
}

function typicalOutputs(lengths: OutputLengths): number[] {
  return Array.from({ length: TYPICAL_OUTPUTS }, (_, i) => lengths.drawn(0, OUTPUT_MAX, chanceOf(i)));
}

/** Tokens whose room a KV block, and a state, takes. */
interface PlayedSizes {
  readonly blockTokens: number;
  readonly stateTokens: number;
}

function sizesOf(view: AdmissionView): PlayedSizes {
  return { blockTokens: view.blockTokens, stateTokens: stateTokensOf(view) };
}

/** A sequence as it is after the step under way. */
function playedSequence(
  queue: ClassQueue,
  sequence: Sequence,
  { blockTokens, stateTokens }: PlayedSizes,
): PlayedSequence {
  const { id, tokens, promptTokens, tokensMax, isRunning, count, cachedTokens, isDecoding, order } = sequence;
  const left = queue.lengths.drawn(tokens.length - promptTokens, tokensMax - promptTokens, chanceOf(order));
  const context = tokens.length;
  if (!isRunning) {
    return { id, context, missing: context - cachedTokens, left, held: 0, shared: sequence.shared };
  }
  // The beginning that was in the cache before is probably still of use to others when it ends.
  const held = Math.max(0, sequence.tables[0].end * blockTokens - cachedTokens) + stateTokens;
  if (count > 0 && sequence.reachesEnd) {
    return { id, context: context + 1, missing: 0, left: left - 1, held };
  }
  return { id, context, missing: isDecoding ? 0 : sequence.missing - count, left, held };
}
