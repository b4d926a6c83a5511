import type { ClassQueue } from "./class_queue.ts";
import type { KvLedger } from "./kv_ledger.ts";
import type { SchedulerRequest } from "./sequence.ts";
import { itlLimitMs, plannedMs, promptFloor } from "./step_budget.ts";
import type { StepLimits } from "./step_builder.ts";
import { attendedKv, type StepLoad, type StepTimeModel } from "./step_time_model.ts";

/** What requests that are under way to the scheduler can be judged by before they are there. */
export interface Forecast {
  /** Ms until a prompt of one token would have its first token, if nothing else came before it. */
  readonly ttftMs: number;
  /** Ms for each further token of it, or of prompts that go before it. */
  readonly msPerToken: number;
  /** Requests of the class that can start before one has to wait until another has ended. */
  readonly slots: number;
  /** Ms for each of those that have to. */
  readonly msPerRequest: number;
}

/** Why a request was refused: it can never fit, too much waits already, or it would be too late. */
export type RefusalReason = "too-long" | "queue-full" | "slo" | "deadline";

/** The answer to a new request. */
export type Admission =
  | {
    readonly accepted: true; /** Ms; undefined before steps were measured. */
    readonly predictedTtftMs?: number;
  }
  | {
    readonly accepted: false;
    readonly reason: RefusalReason;
    /** When to try again; undefined: it would be refused always. */
    readonly retryAfterMs?: number;
  };

/** Ms after which to try again while nothing has been measured. */
const RETRY_MS = 1000;

/** What admission looks at. */
export interface AdmissionView {
  /** Highest priority first. */
  readonly queues: readonly ClassQueue[];
  readonly ledger: KvLedger;
  readonly model: StepTimeModel;
  readonly limits: StepLimits;
  readonly blockTokens: number;
  readonly now: number;
  /** Predicted time that the current step still takes. */
  readonly stepLeftMs: number;
}

/** Decides whether a request is taken, from what is waiting and how fast it goes. */
export function admit(view: AdmissionView, queue: ClassQueue, request: SchedulerRequest): Admission {
  const promptTokens = request.tokens.length;
  if (promptTokens + request.maxTokens > view.ledger.blocks * view.blockTokens) {
    return { accepted: false, reason: "too-long" };
  }
  const { queueLimit, ttftSloMs = Infinity } = queue.config;
  const requestsOver = queue.waiting.length + 1 - queueLimit.requests;
  const tokensOver = queue.waitingTokens + promptTokens - queueLimit.tokens;
  if (promptTokens > queueLimit.tokens) return { accepted: false, reason: "too-long" };
  if (requestsOver > 0 || tokensOver > 0) {
    const retryAfterMs = Math.max(
      requestsOver > 0 ? queue.drain.msForRequests(requestsOver) ?? RETRY_MS : 0,
      tokensOver > 0 ? queue.drain.msForTokens(tokensOver) ?? RETRY_MS : 0,
    );
    return { accepted: false, reason: "queue-full", retryAfterMs };
  }
  if (!view.model.isReady) return { accepted: true };
  const predictedTtftMs = predictTtftMs(view, queue, request);
  const { deadlineMs = Infinity, waitedMs = 0 } = request;
  const lateMs = waitedMs + predictedTtftMs - ttftSloMs;
  // With the machine to itself it will never be faster, and only steps teach the model that it is wrong.
  if (lateMs > 0 && !isIdle(view)) return { accepted: false, reason: "slo", retryAfterMs: lateMs };
  // A request that would be late even with the machine to itself is not worth trying again.
  if (predictedTtftMs > deadlineMs) {
    const alone = view.model.predict(
      promptLoad(promptTokens - view.ledger.peek(request)),
    );
    return alone > deadlineMs
      ? { accepted: false, reason: "deadline" }
      : { accepted: false, reason: "deadline", retryAfterMs: predictedTtftMs - deadlineMs };
  }
  return { accepted: true, predictedTtftMs };
}

function promptLoad(tokens: number): { tokens: number; kv: number } {
  return { tokens, kv: attendedKv(0, tokens) };
}

/** Ms until a new request of this class has its first token: what goes before it, for how long it queues, its own prompt. */
export function predictTtftMs(view: AdmissionView, queue: ClassQueue, request: SchedulerRequest): number {
  const work = workAhead(view, queue);
  const tokens = request.tokens.length - view.ledger.peek(request);
  return view.stepLeftMs + prefillMs(view, queue, { ...work, ahead: work.ahead + tokens }) +
    queueingMs(view, queue, request) + companyMs(view, queue);
}

function isIdle({ queues }: AdmissionView): boolean {
  return queues.every(({ members }) => members.size === 0);
}

/**
 * What a class can promise; undefined before steps were measured, and for a machine that waits for any request. `least`: the
 * smallest request of that class.
 */
export function forecast(
  view: AdmissionView,
  queue: ClassQueue,
  least: SchedulerRequest,
): Forecast | undefined {
  if (!view.model.isReady || isIdle(view)) return undefined;
  const { chunk, stepMs } = prefillSteps(view, queue, { ...workAhead(view, queue), ahead: Infinity });
  return {
    ttftMs: predictTtftMs(view, queue, least),
    msPerToken: stepMs / chunk,
    slots: queue.config.maxBatch - queue.running.length - queue.waiting.length,
    msPerRequest: queue.drain.msForRequests(1) ?? 0,
  };
}

/** What is computed before the prompt of a new request of this class, and beside it. */
function workAhead(view: AdmissionView, queue: ClassQueue): PrefillWork {
  let ahead = 0;
  const decoding = { tokens: 0, kv: 0 }, urgent = { tokens: 0, kv: 0 };
  let itlSloMs = Infinity;
  for (const other of view.queues) {
    const isAhead = other.config.priority >= queue.config.priority;
    const isBound = other.config.itlSloMs !== undefined;
    if (isAhead) ahead += other.waitingTokens;
    for (const sequence of other.running) {
      if (sequence.isPaused) continue;
      if (!sequence.isDecoding) {
        if (isAhead) ahead += sequence.missing;
        continue;
      }
      for (const load of isBound ? [decoding, urgent] : [decoding]) {
        load.tokens++;
        load.kv += sequence.tokens.length;
      }
      itlSloMs = Math.min(itlSloMs, other.config.itlSloMs ?? Infinity);
    }
  }
  return { ahead, decoding, urgent, itlSloMs };
}

/** What is computed before a prompt has its first token. */
interface PrefillWork {
  /** Tokens of prompts. */
  readonly ahead: number;
  /** The next tokens of all sequences that are decoding, and of those with an ITL objective. */
  readonly decoding: StepLoad;
  readonly urgent: StepLoad;
  /** The shortest ITL objective among them. */
  readonly itlSloMs: number;
}

/** Ms to compute so many tokens of prompts beside the sequences that are decoding. */
function prefillMs(view: AdmissionView, queue: ClassQueue, work: PrefillWork): number {
  const { chunk, stepMs } = prefillSteps(view, queue, work);
  return Math.ceil(work.ahead / chunk) * stepMs;
}

/** Tokens of prompts in each step, and how long that takes. */
function prefillSteps(
  { model, limits }: AdmissionView,
  { config }: ClassQueue,
  { ahead, decoding, urgent, itlSloMs }: PrefillWork,
): { chunk: number; stepMs: number } {
  const room = Math.max(1, limits.tokensMax - decoding.tokens);
  const decodeMs = model.predict(urgent);
  const within = itlSloMs === Infinity
    ? room
    : model.tokensWithin(plannedMs(itlLimitMs(itlSloMs, decodeMs), model), decoding, 0);
  const floor = config.itlSloMs === undefined ? 1 : promptFloor(config, decodeMs, model);
  const chunk = Math.max(1, Math.min(room, Math.max(within, floor), ahead));
  const stepMs = model.predict({ tokens: decoding.tokens + chunk, kv: decoding.kv + attendedKv(0, chunk) });
  return { chunk, stepMs };
}

/** Ms until there is a place among the running sequences of the class, and KV blocks, by the measured drain rate. */
function queueingMs(
  { ledger, queues, blockTokens }: AdmissionView,
  queue: ClassQueue,
  request: SchedulerRequest,
): number {
  const requestsOver = queue.running.length + queue.waiting.length + 1 - queue.config.maxBatch;
  const slotMs = requestsOver > 0 ? queue.drain.msForRequests(requestsOver) ?? 0 : 0;
  let room = ledger.availableBlocks * blockTokens - request.tokens.length;
  for (const other of queues) {
    if (other.config.priority >= queue.config.priority) room -= other.waitingTokens;
    else if (other.config.preemptible) {
      for (const sequence of other.running) room += sequence.blocks.length * blockTokens;
    }
  }
  return Math.max(slotMs, room < 0 ? queue.drain.msForTokens(-room) ?? 0 : 0);
}

/** Ms for which a request waits for others of its class. */
function companyMs({ now }: AdmissionView, queue: ClassQueue): number {
  const { maxWaitMs, maxBatch } = queue.config;
  if (queue.running.length > 0 || queue.waiting.length + 1 >= maxBatch) return 0;
  return Math.min(maxWaitMs, queue.opensIn(now));
}
