/** Answers as OpenAI's clients expect them: chats and completions, whole and in parts. @module */

import type { GenerationResult } from "../engine/generation.ts";
import type { TokenLogprob, Usage } from "../engine/protocol.ts";

/** What all objects of one response have in common. */
export interface ResponseHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

/** How the answers to a request are written. `index`: the place of an answer. */
export interface AnswerFormat {
  whole(results: readonly GenerationResult[], n: number): unknown;
  /** Before the first part; null where there is nothing to say. */
  first(index: number): unknown | null;
  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): unknown;
  last(index: number, result: GenerationResult): unknown;
  usage(results: readonly GenerationResult[], n: number): unknown;
}

const encoder = new TextEncoder();

/** Answers of `n` choices to each prompt: a prompt is counted once. */
export function usageOf(results: readonly GenerationResult[], n: number) {
  const prompts = results.filter((_, i) => i % n === 0);
  const sum = (of: readonly GenerationResult[], field: keyof Usage) =>
    of.reduce((total, { usage }) => total + usage[field], 0);
  const promptTokens = sum(prompts, "promptTokens");
  const completionTokens = sum(results, "completionTokens");
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(prompts, "cachedTokens") },
  };
}

/** How an answer ended. Clients know "stop" and "length" alone; `kumi` has the engine's own reason. */
function ending({ finishReason, seed }: GenerationResult) {
  return {
    finish_reason: finishReason === "stop" ? "stop" : "length",
    kumi: { finish_reason: finishReason, seed },
  };
}

function bytesOf(text: string): number[] {
  return [...encoder.encode(text)];
}

function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined) {
  if (logprobs === undefined) return null;
  const named = ({ text, logprob }: { text: string; logprob: number }) => ({
    token: text,
    logprob,
    bytes: bytesOf(text),
  });
  return {
    content: logprobs.map((each) => ({ ...named(each), top_logprobs: each.top.map(named) })),
    refusal: null,
  };
}

/** /v1/chat/completions. `withUsage`: parts say that the usage comes later. */
export class ChatFormat implements AnswerFormat {
  readonly #head: ResponseHead;
  readonly #null: { usage?: null };

  constructor(head: ResponseHead, withUsage: boolean) {
    this.#head = head;
    this.#null = withUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[], n: number): unknown {
    const choices = results.map((result, index) => ({
      index,
      message: { role: "assistant", content: result.text, refusal: null },
      logprobs: chatLogprobs(result.logprobs),
      ...ending(result),
    }));
    return { ...this.#named("chat.completion"), choices, usage: usageOf(results, n) };
  }

  first(index: number): unknown {
    return this.#chunk(index, { role: "assistant", content: "", refusal: null });
  }

  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): unknown {
    return this.#chunk(index, { content: text }, chatLogprobs(logprobs));
  }

  last(index: number, result: GenerationResult): unknown {
    return this.#chunk(index, {}, null, ending(result));
  }

  usage(results: readonly GenerationResult[], n: number): unknown {
    return { ...this.#named("chat.completion.chunk"), choices: [], usage: usageOf(results, n) };
  }

  #named(object: string) {
    const { id, created, model } = this.#head;
    return { id: `chatcmpl-${id}`, object, created, model };
  }

  #chunk(
    index: number,
    delta: object,
    logprobs: unknown = null,
    end: object = { finish_reason: null },
  ): unknown {
    const choices = [{ index, delta, logprobs, ...end }];
    return { ...this.#named("chat.completion.chunk"), choices, ...this.#null };
  }
}

/** /v1/completions. Remembers how far each answer has come: log-probabilities say where in the text a token is. */
export class TextFormat implements AnswerFormat {
  readonly #head: ResponseHead;
  readonly #null: { usage?: null };
  readonly #offsets = new Map<number, number>();

  constructor(head: ResponseHead, withUsage: boolean) {
    this.#head = head;
    this.#null = withUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[], n: number): unknown {
    const choices = results.map((result, index) => ({
      index,
      text: result.text,
      logprobs: this.#logprobs(index, result.logprobs),
      ...ending(result),
    }));
    return { ...this.#named(), choices, usage: usageOf(results, n) };
  }

  first(): null {
    return null;
  }

  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): unknown {
    return this.#chunk(index, text, this.#logprobs(index, logprobs));
  }

  last(index: number, result: GenerationResult): unknown {
    return this.#chunk(index, "", null, ending(result));
  }

  usage(results: readonly GenerationResult[], n: number): unknown {
    return { ...this.#named(), choices: [], usage: usageOf(results, n) };
  }

  #named() {
    const { id, created, model } = this.#head;
    return { id: `cmpl-${id}`, object: "text_completion", created, model };
  }

  #chunk(index: number, text: string, logprobs: unknown, end: object = { finish_reason: null }): unknown {
    return { ...this.#named(), choices: [{ index, text, logprobs, ...end }], ...this.#null };
  }

  #logprobs(index: number, logprobs: readonly TokenLogprob[] | undefined) {
    if (logprobs === undefined) return null;
    let offset = this.#offsets.get(index) ?? 0;
    const offsets = logprobs.map(({ text }) => (offset += text.length) - text.length);
    this.#offsets.set(index, offset);
    return {
      tokens: logprobs.map(({ text }) => text),
      token_logprobs: logprobs.map(({ logprob }) => logprob),
      top_logprobs: logprobs.map(({ top }) =>
        Object.fromEntries(top.map((each) => [each.text, each.logprob]))
      ),
      text_offset: offsets,
    };
  }
}
