import type { RefusalReason, StepItem } from "../../scheduler/mod.ts";
import type { SampledToken } from "../runner/sample_batch.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import { continuesFinal } from "../tokenizer/conversation.ts";
import type { StreamDecoder } from "../tokenizer/stream_decoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { printableBytes } from "../tokenizer/utf8.ts";
import type { Constraint } from "./constraints.ts";
import { type PromptScore, PromptScorer } from "./prompt_scorer.ts";
import type {
  FinishReason,
  PromptLogprob,
  StepEvent,
  TokenLogprob,
  TopLogprob,
  Usage,
} from "../protocol/answer.ts";
import type { GenerationRequest } from "../protocol/request.ts";
import { StopStringFilter } from "./stop_strings.ts";
import type { Thinking } from "./thinking.ts";
import type { Wants, Work, WorkPlan } from "./work.ts";

/** The first token of a prompt, which has no score. */
type FirstToken = Pick<PromptLogprob, "id" | "logprob" | "rank"> & { readonly top: PromptScore["top"] };

/** Tokens without a choice that are taken at once: a step computes them in one piece, as it does a short prompt. */
const FORCED_MAX = 16;

/** What a request has said so far: turns its tokens into text, sees where it ends, and keeps the time. */
export class Answer implements Work {
  readonly id: number;
  readonly request: GenerationRequest;
  readonly plan: WorkPlan;
  readonly constraint?: Constraint;
  finishReason?: FinishReason;
  /** What of the caller's own ended it: a stop string, or the id of a stop token. */
  #stop?: string | number;
  /** Why it would have been refused, if it would have been. */
  overruled?: RefusalReason;

  /** Most tokens of the answer; 0: only the prompt is computed. */
  readonly #maxTokens: number;
  /** Set where the prompt's log-probabilities are wanted. */
  readonly #scorer?: PromptScorer;
  readonly #tokenizer: Tokenizer;
  readonly #ends: ReadonlySet<number>;
  readonly #decoder: StreamDecoder;
  /** Follows the prompt's tokens as they are scored, where they are. */
  #promptDecoder?: StreamDecoder;
  /** The token that nothing stands before, until it is told. */
  #firstToken?: FirstToken;
  readonly #stops: StopStringFilter;
  /** Follows what is thought, where the model's thoughts are marked. */
  readonly #thinking?: Thinking;
  /** Text of which it is not known yet whether it is said. */
  #held = "";
  /** Sampling without the tokens that end an answer, for as long as it must not end. */
  readonly #endless: SamplingParams;
  readonly #promptTokens: number;
  #cachedTokens = 0;
  #completionTokens = 0;
  #guessedTokens = 0;
  #rightTokens = 0;
  /** Whether tokens were taken in place of chosen ones because the limit is near. */
  #isClosed = false;
  /** Since the last event. */
  #tokens: number[] = [];
  #text = "";
  #logprobs: TokenLogprob[] = [];
  #startedAt?: number;
  #firstTokenAt?: number;
  #lastTokenAt?: number;

  /** `promptTokens`: the prompt. `contextLength`: most tokens that a sequence may have. */
  constructor(
    id: number,
    request: GenerationRequest,
    promptTokens: readonly number[],
    tokenizer: Tokenizer,
    contextLength: number,
    constraint?: Constraint,
    thinking?: Thinking,
  ) {
    this.id = id;
    this.constraint = constraint;
    this.#thinking = thinking;
    this.request = request;
    this.overruled = request.overrule?.reason;
    this.#maxTokens = Math.min(contextLength - promptTokens.length, request.maxTokens ?? Infinity);
    if (request.promptLogprobs !== undefined) {
      this.#scorer = new PromptScorer(promptTokens, request.promptLogprobs, request.promptScored);
    }
    this.plan = {
      // Without an answer nobody needs the logits of the last token.
      tokens: this.#maxTokens === 0
        ? promptTokens.slice(0, Math.max(1, promptTokens.length - 1))
        : promptTokens,
      maxTokens: Math.max(1, this.#maxTokens),
      sharesPrefix: this.#scorer === undefined,
      speculates: request.speculation,
      foretold: request.prediction === undefined
        ? []
        : tokenizer.encode(request.prediction, { addSpecial: false }),
    };
    this.#promptTokens = promptTokens.length;
    this.#tokenizer = tokenizer;
    // A grammar says where its texts end, and nothing goes on behind that.
    const goesOn = request.ignoreEnd && constraint === undefined;
    this.#ends = new Set([...(goesOn ? [] : tokenizer.eogIds), ...request.stopTokens]);
    // An answer to a prompt that is only BOS begins a text; a continued text keeps its space.
    const { prompt, sampling } = request;
    const atStart = "messages" in prompt
      ? !continuesFinal(prompt.messages, prompt)
      : promptTokens.every((token) => tokenizer.isControl(token));
    this.#decoder = tokenizer.stream({ atStart, special: request.specialTokens });
    const forbidden = request.minTokens ? [...this.#ends].map((id) => [id, -Infinity] as const) : [];
    this.#endless = { ...sampling, logitBias: [...sampling.logitBias, ...forbidden] };
    if (request.promptLogprobs !== undefined) this.#beginPrompt(promptTokens, request.promptScored ?? 0);
    this.#stops = new StopStringFilter(request.stop);
    for (const token of request.restored ?? []) this.#restore(token);
  }

  /** `scored`: tokens of the prompt whose scores another worker has delivered. */
  #beginPrompt(tokens: readonly number[], scored: number): void {
    this.#promptDecoder = this.#tokenizer.stream({ special: this.request.specialTokens });
    if (scored === 0) this.#firstToken = { id: tokens[0], logprob: null, rank: null, top: [] };
    for (const token of tokens.slice(0, scored)) if (this.#hasText(token)) this.#promptDecoder.push(token);
  }

  get sampling(): SamplingParams {
    return this.#completionTokens < (this.request.minTokens ?? 0) ? this.#endless : this.request.sampling;
  }

  /** Whether a stop string may end it: not one that the tokens before complete. */
  get #mayStop(): boolean {
    return this.#completionTokens > (this.request.minTokens ?? 0);
  }

  get usage(): Usage {
    return {
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
      ...this.#thinking === undefined ? {} : { reasoningTokens: this.#thinking.tokens },
      ...this.request.prediction === undefined ? {} : {
        acceptedPredictionTokens: this.#rightTokens,
        rejectedPredictionTokens: this.#guessedTokens - this.#rightTokens,
      },
    };
  }

  start(now: number, first: number): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = now;
    this.#cachedTokens = Math.min(first, this.#promptTokens);
  }

  /**
   * Takes a token that was delivered before. It did not end the answer, or nobody would have asked for more.
   */
  #restore(token: number): void {
    this.#completionTokens++;
    this.#thinking?.next(this.constraint);
    this.constraint?.accept(token);
    this.#hear(token);
  }

  /**
   * Takes the next token: decides whether the answer ends with it, and what text it gives. Returns the one that it took: another
   * one than was chosen where one must come.
   */
  accept({ id: chosen, logprob: ofChosen, top }: SampledToken, now: number): number {
    const id = this.#closing(this.#thinking?.next(this.constraint) ?? chosen);
    const logprob = id === chosen ? ofChosen : top.find((other) => other.id === id)?.logprob ?? -Infinity;
    this.#take({ id, logprob, top }, now);
    return id;
  }

  /**
   * The token itself, or the first one of the shortest way to the end where behind the token there were none within the limit. What
   * is taken depends on the tokens before alone: nothing but the reason of the end is to be remembered.
   */
  #closing(id: number): number {
    const { constraint } = this;
    if (this.request.closeOnLength !== true || constraint === undefined || this.#ends.has(id)) return id;
    const left = this.#maxTokens - this.#completionTokens;
    if (constraint.closesBehind(id, left - 1)) return id;
    const way = constraint.closing(left);
    // The limit allows no end at all.
    if (way === undefined) return id;
    this.#isClosed = true;
    const [end] = this.#tokenizer.eogIds;
    return way[0] ?? end ?? id;
  }

  #take({ id, logprob, top }: SampledToken, now: number): void {
    this.#tokens.push(id);
    this.#completionTokens++;
    this.#firstTokenAt ??= now;
    this.#lastTokenAt = now;
    const isEnd = this.#ends.has(id);
    if (this.#wantsLogprobs && (!isEnd || this.request.endLogprob === true)) {
      const others = top.map((other) => this.#named(other.id, other.logprob));
      const chosen = this.#named(id, logprob);
      this.#logprobs.push({ ...chosen, bytes: isEnd ? [] : chosen.bytes, top: others });
    }
    if (isEnd) {
      if (this.request.stopTokens.includes(id)) this.#stop = id;
      return this.finish(this.#isClosed ? "length" : "stop");
    }
    this.constraint?.accept(id);
    const { text, stop } = this.#hear(id);
    this.#text += text;
    this.#stop = stop;
    if (stop !== undefined) this.finishReason = "stop";
    else if (this.constraint?.isEnd) this.finish(this.#isClosed ? "length" : "stop");
    else if (this.#completionTokens >= this.#maxTokens) this.finish("length");
  }

  takeForced(now: number): readonly number[] {
    const forced: number[] = [];
    // Log-probabilities are those of the logits: who wants them has every token computed.
    if (this.constraint === undefined || this.#wantsLogprobs) return forced;
    while (forced.length < FORCED_MAX && this.finishReason === undefined) {
      const id = this.constraint.only;
      if (id === undefined) break;
      forced.push(this.accept({ id, logprob: 0, top: [] }, now));
    }
    return forced;
  }

  noteGuesses(guessed: number, right: number): void {
    this.#guessedTokens += guessed;
    this.#rightTokens += right;
  }

  /** The text that a token gives, and the stop string that it completes: in what is said, not in thoughts. */
  #hear(id: number): { text: string; stop?: string } {
    const text = this.#hasText(id) ? this.#decoder.push(id) : "";
    const thinking = this.#thinking;
    if (thinking === undefined) return this.#stops.push(text, this.#mayStop);
    const wasSaid = thinking.isSaid;
    thinking.push(id);
    const all = this.#held + text;
    this.#held = thinking.isSaid === undefined ? all : "";
    if (thinking.isSaid === undefined) return { text: "" };
    if (thinking.isSaid) return this.#stops.push(all, this.#mayStop);
    return { text: wasSaid ? this.#stops.flush() + all : all };
  }

  get #wantsLogprobs(): boolean {
    return this.request.sampling.logprobs !== undefined;
  }

  /** The scores of the prompt that are new, as tokens; the prompt's decoder follows them. */
  #takePromptLogprobs(): PromptLogprob[] {
    const decoder = this.#promptDecoder;
    if (decoder === undefined) return [];
    const named = ({ id, logprob, rank, top }: PromptScore | FirstToken): PromptLogprob => {
      const others = top.map((other) => this.#named(other.id, other.logprob, decoder));
      const token = { ...this.#named(id, 0, decoder), logprob, rank, top: others };
      if (this.#hasText(id)) decoder.push(id);
      return token;
    };
    const scores = this.#scorer?.take() ?? [];
    if (scores.length === 0 && this.#tokens.length === 0 && this.finishReason === undefined) return [];
    const first = this.#firstToken;
    this.#firstToken = undefined;
    return [...first === undefined ? [] : [named(first)], ...scores.map(named)];
  }

  /** A token as what it would add to the text if it came next. */
  #named(id: number, logprob: number, decoder = this.#decoder): TopLogprob {
    if (!this.#hasText(id)) return { id, text: "", bytes: [], logprob };
    const bytes = [...decoder.bytesOf(id)];
    const text = bytes.length === 0 ? this.#tokenizer.tokenText(id) : printableBytes(bytes);
    return { id, text, bytes, logprob };
  }

  /** Token tables may be padded beyond the tokenizer's vocabulary. */
  #hasText(id: number): boolean {
    return id < this.#tokenizer.vocabSize;
  }

  wants(item: StepItem, start: number): Wants {
    return {
      hidden: 0,
      scored: this.#scorer?.rows(item, start) ?? [],
      ...item.reachesEnd && this.#maxTokens > 0 ? { token: this } : {},
    };
  }

  /** It wants none. */
  takeHidden(): void {}

  pass({ reachesEnd }: StepItem): void {
    this.#scorer?.check();
    if (reachesEnd && this.#maxTokens === 0) this.finishReason = "length";
  }

  /** Ends the answer. What was held back as a possible stop string was text after all. */
  finish(reason: FinishReason): void {
    const { text, stop } = this.#stops.push(this.#held + this.#decoder.flush(), this.#mayStop);
    this.#held = "";
    this.#text += stop === undefined ? text + this.#stops.flush() : text;
    this.finishReason = reason;
  }

  takeEvent(now: number): StepEvent | null {
    const prompt = this.#takePromptLogprobs();
    if (this.#tokens.length === 0 && prompt.length === 0 && this.finishReason === undefined) return null;
    const event: StepEvent = { id: this.id, tokens: this.#tokens, text: this.#text };
    if (prompt.length > 0) event.promptLogprobs = prompt;
    if (this.#wantsLogprobs) event.logprobs = this.#logprobs;
    if (this.finishReason !== undefined) event.completion = this.#completion(this.finishReason, now);
    this.#tokens = [];
    this.#text = "";
    this.#logprobs = [];
    return event;
  }

  #completion(finishReason: FinishReason, now: number): StepEvent["completion"] {
    const { submittedAt, restored: known } = this.request;
    const restored = known?.length ?? 0;
    const started = this.#startedAt, first = this.#firstTokenAt, last = this.#lastTokenAt;
    return {
      finishReason,
      usage: this.usage,
      timings: {
        queueMs: started === undefined || known !== undefined ? undefined : started - submittedAt,
        totalMs: now - submittedAt,
        ttftMs: first === undefined ? undefined : first - submittedAt,
        prefillTokensPerSecond: perSecond(this.#promptTokens - this.#cachedTokens, started, first),
        decodeTokensPerSecond: perSecond(this.#completionTokens - 1 - restored, first, last),
      },
      seed: this.request.sampling.seed,
      ...this.#stop === undefined ? {} : { stop: this.#stop },
      ...this.overruled === undefined ? {} : { overruled: this.overruled },
    };
  }
}

function perSecond(count: number, fromMs: number | undefined, toMs: number | undefined): number | undefined {
  if (fromMs === undefined || toMs === undefined || count < 1 || toMs <= fromMs) return undefined;
  return count * 1000 / (toMs - fromMs);
}
