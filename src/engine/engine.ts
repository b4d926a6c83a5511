import {
  attendedKv,
  type CountedOutlook,
  PrefixCache,
  Scheduler,
  type SpeculationOptions,
  type StepItem,
  type StepPlan,
  type StepResult,
} from "../../scheduler/mod.ts";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import type { ThoughtFormat } from "../grammar/thoughts/format.ts";
import { entryBytes } from "../grammar/thoughts/grammar.ts";
import type { ChatMessage as TemplateMessage, ChatTemplate } from "../tokenizer/chat_template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { Answer } from "./answer.ts";
import { LIBRARY_CLASSES } from "../protocol/classes.ts";
import { wallClock } from "../protocol/clock.ts";
import { contextError, EngineError, toWireError } from "../protocol/errors.ts";
import { DraftModel } from "./draft_model.ts";
import type { Constraint, ConstraintSource } from "./constraints.ts";
import { createStates, type KvAllocator } from "./kv_pool.ts";
import type { EngineParts, Interruption, StepOutcome, StepRunner } from "./engine_parts.ts";
import { kvStats } from "./kv_stats.ts";
import { PredictorGuesses } from "./predictor_guesses.ts";
import { EmbeddingWork } from "./embedding_work.ts";
import { prefixHashes } from "./prefix_hashes.ts";
import type { PrefixStore } from "./prefix_store/store.ts";
import { digestPrompt } from "../protocol/receipts/token_chain.ts";
import { Restoring } from "./restoring.ts";
import { scoreRows } from "./prompt_scorer.ts";
import type { FinishReason, StepEvent } from "../protocol/answer.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import { chooseTokens, type Ready } from "./token_chooser.ts";
import { type GenerationRequest, isEmbedding, type Prompt, type WorkRequest } from "../protocol/request.ts";
import { refusal } from "../protocol/refusal.ts";
import type { EngineStats, KvStats } from "../protocol/stats.ts";
import { StepFit } from "./step_fit.ts";
import { Thinking } from "./thinking.ts";
import { EngineTally, type StepShare } from "./tally.ts";
import { EngineWatch } from "./view.ts";
import type { EngineView } from "../protocol/view.ts";
import type { Wants, Work } from "./work.ts";

/** A slice of a step, and what its work wants of it. */
interface Slice {
  readonly item: StepItem;
  readonly work: Work;
  readonly wants: Wants;
  /** The row after that of its last token: the first one of its guesses, if it has any. */
  readonly end: number;
}

/** Shorter answers have no token that could be guessed: a guess stands between the first one and the last. */
const PREDICTED_TOKENS = 3;
/** Steps shorter than this are over before an interruption would pay. */
const INTERRUPTIBLE_TOKENS = 32;

/**
 * Joins policy and compute: the scheduler says what a step computes, the runner computes it, and what comes
 * out becomes text. A request that loses its place in the KV cache is computed again to the same bits. One
 * request's error never reaches another.
 */
export class Engine {
  readonly #runner: StepRunner;
  readonly #tokenizer: Tokenizer;
  readonly #chatTemplate: Pick<ChatTemplate, "encode">;
  readonly #allocator: KvAllocator;
  readonly #cache: PrefixCache;
  readonly #scheduler: Scheduler;
  readonly #constraints?: ConstraintSource;
  readonly #thoughts?: ThoughtFormat;
  readonly #onStep: (ids: readonly number[]) => void;
  readonly #now: () => number;
  readonly #tally: EngineTally;
  readonly #hashKey?: string;
  readonly #fit = new StepFit();
  readonly #watch = new EngineWatch();
  /** By id, all that have not ended. */
  readonly #works = new Map<number, Work>();
  readonly #store?: PrefixStore;
  readonly #restoring?: Restoring;
  readonly #predictor?: PredictorGuesses;
  /** Requests that came, by class. */
  readonly #asked = new Map<string, number>();
  #events: StepEvent[] = [];

  constructor(parts: EngineParts) {
    const { runner, allocator, classes = LIBRARY_CLASSES, prefixCache = true } = parts;
    const { logitsRowsMax, batchTokensMax } = runner;
    this.#runner = runner;
    this.#tokenizer = parts.tokenizer;
    this.#chatTemplate = parts.chatTemplate;
    this.#allocator = allocator;
    this.#constraints = parts.constraints;
    this.#thoughts = parts.thoughts;
    this.#onStep = parts.onStep ?? (() => {});
    this.#now = parts.now ?? wallClock;
    this.#tally = new EngineTally(classes);
    this.#hashKey = parts.prefixHashKey;
    const states = createStates(runner, allocator);
    this.#cache = new PrefixCache(allocator, {
      blockTokens: BLOCK_TOKENS,
      blocksMax: prefixCache ? undefined : 0,
      windows: runner.kvWindows,
      states,
    });
    this.#store = parts.prefixStore?.(this.#cache, () => this.busy);
    if (this.#store !== undefined) this.#restoring = new Restoring(this.#store, parts.onRestored);
    this.#predictor = this.#predictorOf(parts);
    this.#scheduler = new Scheduler({
      allocator,
      blockTokens: BLOCK_TOKENS,
      stepTokensMax: batchTokensMax,
      stepSequencesMax: Math.min(parts.sequencesMax ?? logitsRowsMax, logitsRowsMax, batchTokensMax),
      classes,
      ageingMs: parts.ageingMs,
      windows: runner.kvWindows,
      cache: this.#cache,
      states,
      stepRowsMax: logitsRowsMax,
      speculation: this.#speculationOf(parts),
    });
  }

  /** The model's own predictor, where nobody else guesses. */
  #predictorOf({ speculation, draft, runner, allocator, clock }: EngineParts): PredictorGuesses | undefined {
    const { predictor, hyperparameters: { vocab } } = runner;
    if (predictor === undefined || speculation === undefined || (draft ?? speculation.source) !== undefined) {
      return undefined;
    }
    const { blocks } = allocator, restoresBlocks = this.#store !== undefined;
    const samplingOf = (id: number) => {
      const { speculates = true, maxTokens = 0 } = this.#works.get(id)?.plan ?? {};
      return speculates && maxTokens >= PREDICTED_TOKENS ? this.#samplingOf(id) : undefined;
    };
    return new PredictorGuesses({ predictor, blocks, vocab, samplingOf, restoresBlocks, clock });
  }

  #samplingOf(id: number): SamplingParams | undefined {
    const request = this.#works.get(id)?.request;
    return request === undefined || isEmbedding(request) ? undefined : request.sampling;
  }

  #speculationOf({ speculation, draft, runner }: EngineParts): SpeculationOptions | undefined {
    const samplingOf = (id: number) => this.#samplingOf(id);
    const { vocab } = runner.hyperparameters;
    const source = draft === undefined ? this.#predictor : new DraftModel({ ...draft, samplingOf, vocab });
    return speculation && {
      source,
      ...speculation,
      fits: (id, tokens) => this.#works.get(id)?.constraint?.fits(tokens) ?? tokens.length,
    };
  }

  /** Whether a request has not ended. */
  get busy(): boolean {
    return this.#scheduler.isBusy;
  }

  /**
   * Takes a request. A bad or refused one ends with an error event, as everything that happens to it later
   * does.
   */
  add(id: number, request: WorkRequest): void {
    this.#asked.set(request.class, (this.#asked.get(request.class) ?? 0) + 1);
    let constraint: Constraint | undefined;
    try {
      const tokens = this.#promptTokens(request);
      const thinking = isEmbedding(request) ? undefined : this.#thinkingOf(request, tokens);
      constraint = isEmbedding(request) ? undefined : this.#constraintOf(request, thinking);
      const { contextLength, hyperparameters: { hidden } } = this.#runner;
      const work = isEmbedding(request)
        ? new EmbeddingWork(id, request, tokens, hidden)
        : new Answer(id, request, tokens, this.#tokenizer, contextLength, constraint, thinking);
      const restored = {
        take: () => this.#take(work, tokens, thinking),
        refuse: (error: unknown) => this.#refuse(id, request, constraint, error),
      };
      if (!this.#restoring?.begin(work, tokens, restored)) restored.take();
    } catch (error) {
      this.#refuse(id, request, constraint, error);
    }
  }

  /** Takes a request, or throws why it is refused. */
  #take(work: Work, tokens: readonly number[], thinking: Thinking | undefined): void {
    const { id, request } = work;
    this.#schedule(work);
    this.#works.set(id, work);
    this.#tally.accept(request.class);
    const accepted: StepEvent = { id, promptTokens: tokens.length, tokens: [], text: "" };
    if (this.#hashKey !== undefined) {
      accepted.prefixHashes = prefixHashes(this.#hashKey, request.tenant, tokens, BLOCK_TOKENS);
    }
    if (thinking !== undefined) accepted.thoughts = thinking.at;
    if (!isEmbedding(request) && request.receipt === true) accepted.promptDigest = digestPrompt(tokens);
    this.#events.push(accepted);
  }

  #refuse(id: number, request: WorkRequest, constraint: Constraint | undefined, error: unknown): void {
    constraint?.[Symbol.dispose]();
    this.#tally.refuse(request.class);
    this.#events.push({ id, tokens: [], text: "", error: toWireError(error) });
  }

  #constraintOf({ grammar, grammarThinks }: GenerationRequest, thinking?: Thinking): Constraint | undefined {
    if (grammar === undefined) return undefined;
    if (this.#constraints === undefined) throw new EngineError("This engine follows no grammars");
    return this.#constraints.open(
      grammar,
      grammarThinks === true ? entryBytes(thinking?.at ?? "outside") : undefined,
    );
  }

  /** Conversations alone have thoughts apart. */
  #thinkingOf({ prompt, reasoningTokens: budget }: GenerationRequest, promptTokens: number[]) {
    const format = this.#thoughts;
    if (format === undefined || !("messages" in prompt)) return undefined;
    return new Thinking({ format, tokenizer: this.#tokenizer, promptTokens, budget });
  }

  #schedule(work: Work): void {
    const { id, request, plan } = work;
    const { deadlineMs, submittedAt, restored } = request;
    const now = this.#now();
    const scheduled = {
      ...plan,
      id,
      class: request.class,
      tenant: request.tenant,
      priority: request.priority,
      deadlineMs: deadlineMs === undefined ? undefined : submittedAt + deadlineMs - now,
      waitedMs: Math.max(0, now - submittedAt),
    };
    if (restored !== undefined) {
      this.#scheduler.restore({ ...scheduled, tokens: [...plan.tokens, ...restored] }, restored.length, now);
      return;
    }
    const admission = this.#scheduler.submit(scheduled, now);
    if (admission.accepted) return;
    if (request.overrule === undefined) throw refusal(request, admission);
    this.#scheduler.restore(scheduled, 0, now);
    work.overruled ??= admission.reason;
  }

  #promptTokens(request: WorkRequest): number[] {
    const { prompt } = request;
    const maxTokens = isEmbedding(request) ? undefined : request.maxTokens;
    const tokens = this.#encode(prompt, request.submittedAt);
    const { contextLength, hyperparameters: { vocab } } = this.#runner;
    if (tokens.length === 0) {
      throw new RangeError("The prompt is empty and the model has no token to begin with");
    }
    // Without an answer the prompt may fill the context.
    if (tokens.length > contextLength - (maxTokens === 0 ? 0 : 1)) {
      const kind = isEmbedding(request) ? "input" : "messages" in prompt ? "messages" : "prompt";
      throw contextError(contextLength, { promptTokens: tokens.length, maxTokens, kind });
    }
    const bad = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocab);
    if (bad !== undefined) {
      throw new RangeError(`Tokens must be integers from 0 to ${vocab - 1}, one is ${bad}`);
    }
    return tokens;
  }

  /** `submittedAt`: what a template is told of the time, so that a request that is done again has the same prompt. */
  #encode(prompt: Prompt, submittedAt: number): number[] {
    if ("text" in prompt) return this.#tokenizer.encode(prompt.text, { addSpecial: true });
    if ("tokens" in prompt) return [...prompt.tokens];
    // The template checks the roles, whatever the caller's types say.
    const { messages, now = submittedAt, ...shape } = prompt;
    return this.#chatTemplate.encode(messages as TemplateMessage[], { ...shape, now: new Date(now) });
  }

  /** Ends a request where it is; what it has so far is its result. An id that is already gone is ignored. */
  abort(id: number): void {
    this.#stop(id, "abort");
  }

  /** Ends every request with an error. */
  failAll(error: unknown): void {
    for (const id of [...this.#works.keys()]) this.#fail(id, error);
    this.#restoring?.refuseAll(error);
  }

  /** Stores nothing any more. */
  close(): void {
    this.#store?.close();
  }

  /** Computes one step, if there is anything to compute. */
  step(interruption?: Interruption): StepOutcome {
    const plan = this.#scheduler.plan(this.#now());
    for (const id of plan.expired) this.#stop(id, "deadline");
    this.#tally.preempt(plan.preempted.length);
    if (plan.items.length === 0) return { hasComputed: false, waitMs: plan.waitMs };
    try {
      this.#runner.staying(() => this.#compute(plan, interruption));
    } catch (error) {
      // The kernels refused the step. Nobody can tell whose fault it is, so all that were in it end here.
      this.#scheduler.abandon(plan.step);
      for (const { id } of plan.items) this.#fail(id, error);
    } finally {
      this.#onStep([]);
    }
    return { hasComputed: true };
  }

  /** What new requests have to expect now. */
  outlook(): CountedOutlook[] {
    return this.#scheduler.outlook(this.#now()).map((each) => ({
      ...each,
      asked: this.#asked.get(each.name) ?? 0,
    }));
  }

  /** Counts a request that was refused for it, by its own outlook. */
  noteRefusal(name: string): void {
    this.#tally.refuse(name);
  }

  /** How the KV cache is used now. Counting the committed pages takes some ms for a large cache. */
  kvStats(): KvStats {
    const { states } = this.#scheduler;
    const holders = [...this.#scheduler.sequences()].filter(({ hasBlocks }) => hasBlocks);
    return kvStats(this.#allocator.stats(), holders, {
      contextLength: this.#runner.contextLength,
      kvBytesPerToken: this.#runner.kvBytesPerToken,
      kvBytesPerSlot: this.#runner.kvBytesPerSlot,
      cachedBlocks: this.#cache.evictableBlocks,
      states: states && { ...states, stateBytes: this.#runner.stateBytes },
    });
  }

  /** Figures of this moment; `view`: and what can be seen of it. */
  stats(view = false): EngineStats {
    const { stepTime, between: [betweenMs, betweenMsPerSequence] } = this.#scheduler;
    const { coefficients: [fixedMs, msPerToken, msPerKvEntry], relativeError, stretch } = stepTime;
    const model = { fixedMs, msPerToken, msPerKvEntry, relativeError, stretch };
    return {
      ...this.#tally.figures(this.#scheduler.stats()),
      stepTime: { ...model, betweenMs, betweenMsPerSequence, fit: this.#fit.result },
      kv: this.kvStats(),
      ...this.#store === undefined ? {} : { prefixStore: this.#store.stats() },
      ...view ? { view: this.#view() } : {},
    };
  }

  #view(): EngineView {
    const names = this.#scheduler.stats().map(({ name }) => name);
    const now = this.#now();
    const ageOf = (id: number) => now - (this.#works.get(id)?.request.submittedAt ?? now);
    return this.#watch.view(
      this.#scheduler.sequences(),
      names,
      this.#allocator,
      ageOf,
      this.#scheduler.states,
    );
  }

  /** Gives memory back that nothing needs; for moments in which nobody waits for a token. */
  trim(): void {
    this.#allocator.trim();
  }

  /** What happened since the last call. */
  takeEvents(): StepEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #compute(plan: StepPlan, interruption?: Interruption): void {
    const startedAt = this.#now();
    const { items, load } = plan;
    for (const { id, first } of items) this.#works.get(id)!.start(startedAt, first);
    this.#onStep(items.map(({ id }) => id));
    const { interrupted, expected } = load.tokens >= INTERRUPTIBLE_TOKENS ? interruption ?? {} : {};
    const followed = this.#predictor?.follow(items, this.#works.size) ?? items;
    if (!this.#runner.forward(followed, interrupted, expected)) {
      this.#scheduler.abandon(plan.step);
      return;
    }
    const slices = this.#slices(items);
    for (const { item, work, wants: { hidden }, end } of slices) {
      if (hidden > 0) work.takeHidden(this.#runner.hidden(end - hidden, hidden), item.first);
    }
    scoreRows(this.#runner, slices.flatMap(({ wants }) => wants.scored));
    const ended = slices.flatMap((slice) => this.#pass(slice) ?? []);
    const chosen = chooseTokens(this.#ready(slices), {
      runner: this.#runner,
      now: this.#now,
      onError: (work, error) => this.#fail(work.id, error),
    });
    for (const { id } of chosen) this.#report(this.#works.get(id)!);
    const endedAt = this.#now();
    const ms = endedAt - startedAt;
    const draftTokens = items.reduce((sum, { draft }) => sum + draft.length, 0);
    this.#tally.step({
      ms,
      sequences: items.length,
      computedTokens: load.tokens,
      generatedTokens: chosen.reduce((sum, { more = [] }) => sum + 1 + more.length, 0),
      draftTokens,
      acceptedTokens: chosen.reduce((sum, { guessed = 0 }) => sum + guessed, 0),
    });
    this.#fit.observe({ ...load, rows: chosen.length + draftTokens }, ms);
    const shares = this.#shares(slices);
    this.#tally.share(ms, shares);
    this.#watch.noteStep(ms, shares);
    const prompts = slices.filter(({ item: { first, count }, work }) =>
      work.plan.sharesPrefix && first + count === work.plan.tokens.length
    );
    this.#scheduler.complete(plan.step, [...ended, ...chosen], ms, endedAt);
    this.#predictor?.settle();
    for (const { work: { request, plan } } of prompts) this.#store?.note(request.tenant, plan.tokens);
  }

  /** What each slice took of a step, by the model of its time. */
  #shares(slices: readonly Slice[]): StepShare[] {
    const [fixedMs, msPerToken, msPerKvEntry] = this.#scheduler.stepTime.coefficients;
    return slices.map(({ item: { first, count, draft }, work }) => {
      const tokens = count + draft.length;
      return {
        class: work.request.class,
        isDecode: first >= work.plan.tokens.length,
        tokens,
        weight: fixedMs / slices.length + msPerToken * tokens + msPerKvEntry * attendedKv(first, tokens),
      };
    });
  }

  /** What the works of a step want of their slices. */
  #slices(items: readonly StepItem[]): Slice[] {
    let next = 0;
    return items.map((item) => {
      const start = next, end = start + item.count;
      next = end + item.draft.length;
      const work = this.#works.get(item.id)!;
      return { item, work, wants: work.wants(item, start), end };
    });
  }

  /** Tells what a slice gave before a token is chosen; the result of a work that ends with it. */
  #pass({ item, work }: Slice): StepResult | null {
    try {
      work.pass(item);
    } catch (error) {
      this.#fail(work.id, error);
      return null;
    }
    const isLast = work.finishReason !== undefined;
    if (isLast || !item.reachesEnd) this.#report(work);
    return isLast ? { id: work.id, isLast } : null;
  }

  /** The sequences that want their next tokens. */
  #ready(slices: readonly Slice[]): Ready[] {
    return slices.flatMap(({ item, work, wants: { token: chooser }, end }) =>
      chooser === undefined || !this.#works.has(work.id) ? [] : [{ item, work, chooser, row: end - 1 }]
    );
  }

  #stop(id: number, reason: FinishReason): void {
    const restoring = this.#restoring?.drop(id);
    if (restoring !== undefined) this.#tally.accept(restoring.request.class);
    const work = restoring ?? this.#works.get(id);
    if (work === undefined) return;
    work.finish(reason);
    this.#scheduler.cancel(id);
    this.#report(work);
  }

  #report(work: Work): void {
    const { finishReason, request } = work;
    if (finishReason !== undefined) {
      this.#forget(work);
      this.#tally.finish(request.class, finishReason, work.usage);
    }
    const event = work.takeEvent(this.#now());
    if (event !== null) this.#events.push(event);
  }

  #forget(work: Work): void {
    this.#works.delete(work.id);
    this.#predictor?.forget(work.id);
    work.constraint?.[Symbol.dispose]();
  }

  #fail(id: number, error: unknown): void {
    const work = this.#works.get(id);
    if (work === undefined) return;
    this.#forget(work);
    this.#scheduler.cancel(id);
    this.#tally.fail(work.request.class);
    this.#events.push({ id, tokens: [], text: "", error: toWireError(error) });
  }
}
