/** Answers as OpenAI's clients expect them: chats and completions, whole and in parts. @module */

import type { GenerationResult } from "../client/generation.ts";
import type { PromptLogprob, TokenLogprob, TopLogprob, Usage } from "../protocol/answer.ts";
import { CompletionLogprobs, finite, joinLists, promptLogprobs } from "./completion_logprobs.ts";

/** What all objects of one response have in common. */
export interface ResponseHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/** What answers tell of their prompts, where that is wanted. */
export interface PromptShape {
  /** The text of each answer's prompt, with which its own begins. */
  readonly echoed?: readonly string[];
  /** Alternatives to each token of an echoed prompt; undefined: its tokens are not told. */
  readonly echoTop?: number;
  /** Alternatives to each token in the field `prompt_logprobs`; undefined: no such field. */
  readonly promptTop?: number;
}

/** How the answers to a request are written. `index`: the place of an answer. */
export interface AnswerFormat {
  whole(results: readonly GenerationResult[], n: number): unknown;
  /** Before the first part; null where there is nothing to say. */
  first(index: number): unknown | null;
  part(
    index: number,
    text: string,
    logprobs?: readonly TokenLogprob[],
    prompt?: readonly PromptLogprob[],
  ): unknown;
  last(index: number, result: GenerationResult): unknown;
  usage(results: readonly GenerationResult[], n: number): unknown;
}

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

function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined) {
  if (logprobs === undefined) return null;
  const named = ({ text, logprob, bytes }: TopLogprob) => ({ token: text, logprob: finite(logprob), bytes });
  return {
    content: logprobs.map((each) => ({ ...named(each), top_logprobs: each.top.map(named) })),
    refusal: null,
  };
}

/** The field of a prompt's log-probabilities, where it is wanted. `n` answers to a prompt: the first one has them. */
function promptField(results: readonly GenerationResult[], index: number, n: number, top?: number) {
  if (top === undefined) return {};
  return { prompt_logprobs: promptLogprobs(results[index - index % n].promptLogprobs ?? [], top) };
}

/** /v1/chat/completions. `withUsage`: parts say that the usage comes later. */
export class ChatFormat implements AnswerFormat {
  readonly #head: ResponseHead;
  readonly #null: { usage?: null };
  readonly #prompt: PromptShape;

  constructor(head: ResponseHead, withUsage: boolean, prompt: PromptShape = {}) {
    this.#head = head;
    this.#null = withUsage ? { usage: null } : {};
    this.#prompt = prompt;
  }

  whole(results: readonly GenerationResult[], n: number): unknown {
    const choices = results.map((result, index) => ({
      index,
      message: { role: "assistant", content: result.text, refusal: null },
      logprobs: chatLogprobs(result.logprobs),
      ...ending(result),
    }));
    const prompt = promptField(results, 0, n, this.#prompt.promptTop);
    return { ...this.#named("chat.completion"), choices, usage: usageOf(results, n), ...prompt };
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
    const { id, created, model, system_fingerprint } = this.#head;
    return { id: `chatcmpl-${id}`, object, created, model, system_fingerprint };
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

/** /v1/completions. Remembers how far each answer has come. */
export class TextFormat implements AnswerFormat {
  readonly #head: ResponseHead;
  readonly #null: { usage?: null };
  readonly #prompt: PromptShape;
  readonly #logprobs = new Map<number, CompletionLogprobs>();

  constructor(head: ResponseHead, withUsage: boolean, prompt: PromptShape = {}) {
    this.#head = head;
    this.#null = withUsage ? { usage: null } : {};
    this.#prompt = prompt;
  }

  whole(results: readonly GenerationResult[], n: number): unknown {
    const choices = results.map((result, index) => ({
      index,
      text: (this.#prompt.echoed?.[index] ?? "") + result.text,
      logprobs: this.#logprobsOf(index, result.logprobs, result.promptLogprobs),
      ...promptField(results, index, n, this.#prompt.promptTop),
      ...ending(result),
    }));
    return { ...this.#named(), choices, usage: usageOf(results, n) };
  }

  /** The echoed prompt. */
  first(index: number): unknown | null {
    const { echoed } = this.#prompt;
    return echoed === undefined ? null : this.#chunk(index, echoed[index], null);
  }

  part(
    index: number,
    text: string,
    logprobs?: readonly TokenLogprob[],
    prompt?: readonly PromptLogprob[],
  ): unknown {
    return this.#chunk(index, text, this.#logprobsOf(index, logprobs, prompt));
  }

  last(index: number, result: GenerationResult): unknown {
    return this.#chunk(index, "", null, ending(result));
  }

  usage(results: readonly GenerationResult[], n: number): unknown {
    return { ...this.#named(), choices: [], usage: usageOf(results, n) };
  }

  #named() {
    const { id, created, model, system_fingerprint } = this.#head;
    return { id: `cmpl-${id}`, object: "text_completion", created, model, system_fingerprint };
  }

  #chunk(index: number, text: string, logprobs: unknown, end: object = { finish_reason: null }): unknown {
    return { ...this.#named(), choices: [{ index, text, logprobs, ...end }], ...this.#null };
  }

  #logprobsOf(index: number, logprobs?: readonly TokenLogprob[], prompt?: readonly PromptLogprob[]) {
    const { echoTop } = this.#prompt;
    const known = this.#logprobs.get(index) ?? new CompletionLogprobs();
    this.#logprobs.set(index, known);
    const echoed = echoTop === undefined || prompt === undefined ? null : known.takePrompt(prompt, echoTop);
    const own = logprobs === undefined ? null : known.take(logprobs);
    return echoed === null || own === null ? echoed ?? own : joinLists(echoed, own);
  }
}
