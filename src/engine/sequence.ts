import type { SequenceSlice } from "../batch.ts";
import type { SampledToken, SampleRequest } from "../sample_batch.ts";
import type { SamplingParams } from "../sampling.ts";
import type { StreamDecoder } from "../tokenizer/stream_decoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { FinishReason, GenerationRequest, StepEvent, TokenLogprob } from "./protocol.ts";
import { StopStringFilter } from "./stop_strings.ts";

/**
 * One request on its way: its tokens, how many of them are in the KV cache, and the text that came out so far. A
 * sequence always lets computed tokens catch up with all tokens, so a long prompt, the next token and a start from
 * nothing after a preemption are the same thing.
 */
export class Sequence implements SequenceSlice, SampleRequest {
  readonly id: number;
  readonly params: SamplingParams;
  /** Prompt, then answer. */
  readonly tokens: number[];
  readonly promptTokens: number;
  /** Tokens in the KV cache: the next step computes from here. */
  first = 0;
  /** Tokens that the step being planned computes. */
  count = 0;
  readonly blocks: number[] = [];
  finishReason?: FinishReason;

  readonly #request: GenerationRequest;
  readonly #tokenizer: Tokenizer;
  readonly #ends: ReadonlySet<number>;
  readonly #decoder: StreamDecoder;
  readonly #stops: StopStringFilter;
  readonly #tokensMax: number;
  #text = "";
  #logprobs: TokenLogprob[] = [];
  #startedAt?: number;
  #firstTokenAt?: number;
  #lastTokenAt?: number;

  /** `tokens`: the prompt. `contextLength`: most tokens that a sequence may have. */
  constructor(
    id: number,
    request: GenerationRequest,
    tokens: number[],
    tokenizer: Tokenizer,
    contextLength: number,
  ) {
    this.id = id;
    this.params = request.sampling;
    this.tokens = tokens;
    this.promptTokens = tokens.length;
    this.#request = request;
    this.#tokenizer = tokenizer;
    this.#ends = new Set([...(request.ignoreEnd ? [] : tokenizer.eogIds), ...request.stopTokens]);
    // An answer to a prompt that is only BOS begins a text; a continued text keeps its space.
    const atStart = "messages" in request.prompt || tokens.every((token) => tokenizer.isControl(token));
    this.#decoder = tokenizer.stream({ atStart });
    this.#stops = new StopStringFilter(request.stop);
    this.#tokensMax = Math.min(contextLength, tokens.length + (request.maxTokens ?? contextLength));
  }

  /** Tokens that are not in the KV cache yet. */
  get missing(): number {
    return this.tokens.length - this.first;
  }

  /** Whether the planned step reaches the last token, so that its logits choose the next one. */
  get reachesEnd(): boolean {
    return this.first + this.count === this.tokens.length;
  }

  /** Notes that the sequence has begun to be computed. */
  start(now: number): void {
    this.#startedAt ??= now;
  }

  /** Takes the next token: decides whether the answer ends with it, and what text it gives. */
  accept({ id, logprob, top }: SampledToken, now: number): void {
    this.tokens.push(id);
    this.#firstTokenAt ??= now;
    this.#lastTokenAt = now;
    if (this.#ends.has(id)) return this.finish("stop");
    if (this.params.logprobs !== undefined) {
      const named = (token: number, value: number) => ({
        id: token,
        text: this.#hasText(token) ? this.#tokenizer.tokenText(token) : "",
        logprob: value,
      });
      this.#logprobs.push({ ...named(id, logprob), top: top.map((other) => named(other.id, other.logprob)) });
    }
    const { text, stopped } = this.#stops.push(this.#hasText(id) ? this.#decoder.push(id) : "");
    this.#text += text;
    if (stopped) this.finishReason = "stop";
    else if (this.tokens.length >= this.#tokensMax) this.finish("length");
  }

  /** Token tables may be padded beyond the tokenizer's vocabulary. */
  #hasText(id: number): boolean {
    return id < this.#tokenizer.vocabSize;
  }

  /** Ends the answer. What was held back as a possible stop string was text after all. */
  finish(reason: FinishReason): void {
    const { text, stopped } = this.#stops.push(this.#decoder.flush());
    this.#text += stopped ? text : text + this.#stops.flush();
    this.finishReason = reason;
  }

  /** What is new since the last call, or null. */
  takeEvent(now: number): StepEvent | null {
    if (this.#text === "" && this.#logprobs.length === 0 && this.finishReason === undefined) return null;
    const event: StepEvent = { id: this.id, text: this.#text };
    if (this.#logprobs.length > 0) event.logprobs = this.#logprobs;
    if (this.finishReason !== undefined) event.completion = this.#completion(this.finishReason, now);
    this.#text = "";
    this.#logprobs = [];
    return event;
  }

  #completion(finishReason: FinishReason, now: number): StepEvent["completion"] {
    const { submittedAt } = this.#request;
    const completionTokens = this.tokens.length - this.promptTokens;
    const started = this.#startedAt, first = this.#firstTokenAt, last = this.#lastTokenAt;
    return {
      finishReason,
      usage: { promptTokens: this.promptTokens, completionTokens },
      timings: {
        totalMs: now - submittedAt,
        ttftMs: first === undefined ? undefined : first - submittedAt,
        prefillTokensPerSecond: perSecond(this.promptTokens, started, first),
        decodeTokensPerSecond: perSecond(completionTokens - 1, first, last),
      },
      seed: this.params.seed,
    };
  }
}

function perSecond(count: number, fromMs: number | undefined, toMs: number | undefined): number | undefined {
  if (fromMs === undefined || toMs === undefined || count < 1 || toMs <= fromMs) return undefined;
  return count * 1000 / (toMs - fromMs);
}
