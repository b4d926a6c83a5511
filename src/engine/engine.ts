import { BLOCK_TOKENS } from "../batch.ts";
import type { ModelRunner } from "../model_runner.ts";
import type { SampledToken } from "../sample_batch.ts";
import type { ChatMessage as TemplateMessage, ChatTemplate } from "../tokenizer/chat_template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { type BlockAllocator, roomBlocks } from "./kv_pool.ts";
import { type KvStats, kvStats } from "./kv_stats.ts";
import { toWireError } from "./errors.ts";
import type { GenerationRequest, Prompt, StepEvent } from "./protocol.ts";
import { wallClock } from "./clock.ts";
import { Sequence } from "./sequence.ts";

/** What the engine needs of a model. */
export type StepRunner =
  & Pick<
    ModelRunner,
    | "forward"
    | "logits"
    | "sample"
    | "contextLength"
    | "kvBytesPerToken"
    | "batchTokensMax"
    | "logitsRowsMax"
  >
  & { readonly hyperparameters: { readonly vocab: number } };

/** What an engine is made of. */
export interface EngineParts {
  runner: StepRunner;
  tokenizer: Tokenizer;
  /** Throws where the model has none: then only texts and tokens can be continued. */
  chatTemplate: Pick<ChatTemplate, "encode">;
  /** Hands out the blocks of the runner's KV cache. */
  allocator: BlockAllocator;
  /** Most requests computed together; default: as many as can want logits in one step. */
  sequencesMax?: number;
  /** Ms since 1970. */
  now?: () => number;
}

/** Tokens of a prompt computed in one step while other requests wait for their next token. */
const PREFILL_BESIDE_DECODE = 64;
/** Steps shorter than this are over before an interruption would pay. */
const INTERRUPTIBLE_TOKENS = 32;

/**
 * Computes several requests together, first come first served. Each step takes one token of every sequence that is
 * past its prompt, and fills the rest with prompts in order of arrival. When the KV cache is full the newest sequence
 * gives up its blocks and is computed again later, to the same bits. One request's error never reaches another.
 */
export class Engine {
  readonly #runner: StepRunner;
  readonly #tokenizer: Tokenizer;
  readonly #chatTemplate: Pick<ChatTemplate, "encode">;
  readonly #allocator: BlockAllocator;
  readonly #sequencesMax: number;
  readonly #now: () => number;
  /** In order of arrival. */
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  #events: StepEvent[] = [];

  constructor(parts: EngineParts) {
    this.#runner = parts.runner;
    this.#tokenizer = parts.tokenizer;
    this.#chatTemplate = parts.chatTemplate;
    this.#allocator = parts.allocator;
    const { logitsRowsMax, batchTokensMax } = parts.runner;
    this.#sequencesMax = Math.min(parts.sequencesMax ?? logitsRowsMax, logitsRowsMax, batchTokensMax);
    this.#now = parts.now ?? wallClock;
  }

  /** Whether there is anything to compute. */
  get busy(): boolean {
    return this.#waiting.length + this.#running.length > 0;
  }

  /** Takes a request. A bad one ends with an error event, as everything that happens to it later does. */
  add(id: number, request: GenerationRequest): void {
    try {
      const tokens = this.#promptTokens(request.prompt);
      this.#waiting.push(new Sequence(id, request, tokens, this.#tokenizer, this.#runner.contextLength));
    } catch (error) {
      this.#events.push({ id, text: "", error: toWireError(error) });
    }
  }

  #promptTokens(prompt: Prompt): number[] {
    const tokens = this.#encode(prompt);
    const { contextLength, hyperparameters: { vocab } } = this.#runner;
    if (tokens.length === 0) {
      throw new RangeError("The prompt is empty and the model has no token to begin with");
    }
    if (tokens.length >= contextLength) {
      throw new RangeError(
        `The prompt has ${tokens.length} tokens and leaves no room for an answer in a context of ${contextLength}`,
      );
    }
    const bad = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocab);
    if (bad !== undefined) {
      throw new RangeError(`Tokens must be integers from 0 to ${vocab - 1}, one is ${bad}`);
    }
    return tokens;
  }

  #encode(prompt: Prompt): number[] {
    if ("text" in prompt) return this.#tokenizer.encode(prompt.text, { addSpecial: true });
    if ("tokens" in prompt) return [...prompt.tokens];
    // The template checks the roles, whatever the caller's types say.
    const messages = prompt.messages as TemplateMessage[];
    return this.#chatTemplate.encode(messages, { enableThinking: prompt.enableThinking });
  }

  /** Ends a request where it is; what it has so far is its result. An id that is already gone is ignored. */
  abort(id: number): void {
    const sequence = [...this.#waiting, ...this.#running].find((candidate) => candidate.id === id);
    if (sequence === undefined) return;
    sequence.finish("abort");
    this.#retire(sequence);
  }

  /** Ends every request with an error. */
  failAll(error: unknown): void {
    for (const sequence of [...this.#running, ...this.#waiting]) this.#fail(sequence, error);
  }

  /** Computes one step, if there is anything to compute. `interrupted` may end a long one early, to no effect. */
  step(interrupted?: () => boolean): void {
    const batch = this.#plan();
    if (batch.length === 0) return;
    try {
      this.#compute(batch, interrupted);
    } catch (error) {
      // The kernels refused the step. Nobody can tell whose fault it is, so all that were in it end here.
      for (const sequence of batch) this.#fail(sequence, error);
    }
  }

  /** How the KV cache is used now. Counting the committed pages takes some ms for a large cache. */
  kvStats(): KvStats {
    const holders = this.#running.filter(({ blocks }) => blocks.length > 0);
    return kvStats(this.#allocator.stats(), holders, this.#runner);
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

  /** Decides what the next step computes and reserves its KV blocks. Running sequences are in order of arrival. */
  #plan(): Sequence[] {
    for (const sequence of this.#running) sequence.count = 0;
    let decoding = 0;
    for (const sequence of [...this.#running]) {
      if (sequence.missing === 1 && this.#grow(sequence, 1)) decoding++;
    }
    const room = this.#runner.batchTokensMax - decoding;
    let budget = decoding === 0 ? room : Math.min(room, PREFILL_BESIDE_DECODE);
    for (const sequence of [...this.#running]) {
      const count = Math.min(sequence.missing, budget);
      if (sequence.count === 0 && count > 0 && this.#grow(sequence, count)) budget -= count;
    }
    while (budget > 0 && this.#admit()) {
      const sequence = this.#running[this.#running.length - 1];
      const count = Math.min(sequence.missing, budget);
      if (this.#grow(sequence, count)) budget -= count;
    }
    return this.#running.filter((sequence) => sequence.count > 0);
  }

  /** Lets the oldest waiting sequence in, if its whole prompt and one token more have room. */
  #admit(): boolean {
    const sequence = this.#waiting[0];
    if (sequence === undefined || this.#running.length >= this.#sequencesMax) return false;
    const blocks = Math.ceil((sequence.missing + 1) / BLOCK_TOKENS);
    if (blocks > this.#allocator.freeBlocks && this.#running.length > 0) return false;
    this.#waiting.shift();
    this.#running.push(sequence);
    sequence.start(this.#now());
    return true;
  }

  /** Gives a sequence the blocks for `count` more tokens; newer sequences make room, then it has to itself. */
  #grow(sequence: Sequence, count: number): boolean {
    if (!this.#running.includes(sequence)) return false;
    const { blocks } = sequence;
    const wanted = Math.ceil((sequence.first + count) / BLOCK_TOKENS) - blocks.length;
    const room = roomBlocks(this.#allocator.freeBlocks - wanted, this.#running.length);
    while (wanted > 0) {
      const taken = this.#allocator.tryAllocate(wanted, blocks.at(-1), room);
      if (taken !== null) {
        blocks.push(...taken);
        break;
      }
      const newest = this.#running[this.#running.length - 1];
      this.#preempt(newest);
      if (newest === sequence) return false;
    }
    sequence.count = count;
    return true;
  }

  #preempt(sequence: Sequence): void {
    this.#freeBlocks(sequence);
    sequence.count = 0;
    this.#running.pop();
    this.#waiting.unshift(sequence);
  }

  #compute(batch: readonly Sequence[], interrupted?: () => boolean): void {
    const tokens = batch.reduce((sum, sequence) => sum + sequence.count, 0);
    if (!this.#runner.forward(batch, tokens >= INTERRUPTIBLE_TOKENS ? interrupted : undefined)) return;
    const rows: number[] = [];
    const ready: Sequence[] = [];
    let end = 0;
    for (const sequence of batch) {
      end += sequence.count;
      if (!sequence.reachesEnd) continue;
      rows.push(end - 1);
      ready.push(sequence);
    }
    for (const sequence of batch) sequence.first += sequence.count;
    if (ready.length === 0) return;
    this.#runner.logits(rows);
    const sampled = this.#runner.sample(ready);
    ready.forEach((sequence, i) => this.#advance(sequence, sampled[i]));
  }

  #advance(sequence: Sequence, sampled: SampledToken): void {
    try {
      if (sampled.id >= this.#runner.hyperparameters.vocab) {
        throw new Error("The model's logits are not numbers: its file may be damaged");
      }
      sequence.accept(sampled, this.#now());
    } catch (error) {
      return this.#fail(sequence, error);
    }
    if (sequence.finishReason !== undefined) return this.#retire(sequence);
    const event = sequence.takeEvent(this.#now());
    if (event !== null) this.#events.push(event);
  }

  #retire(sequence: Sequence): void {
    this.#remove(sequence);
    const event = sequence.takeEvent(this.#now());
    if (event !== null) this.#events.push(event);
  }

  #fail(sequence: Sequence, error: unknown): void {
    this.#remove(sequence);
    this.#events.push({ id: sequence.id, text: "", error: toWireError(error) });
  }

  #remove(sequence: Sequence): void {
    this.#freeBlocks(sequence);
    this.#running = this.#running.filter((other) => other !== sequence);
    this.#waiting = this.#waiting.filter((other) => other !== sequence);
  }

  #freeBlocks(sequence: Sequence): void {
    this.#allocator.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.first = 0;
  }
}
