/** A model whose answers are given, for tests of a server without an engine. @module */

import { Generation } from "../../src/client/generation.ts";
import type { GenerationOptions } from "../../src/protocol/options/generation.ts";
import type { Model } from "../../src/client/model.ts";
import type { Completion } from "../../src/protocol/answer.ts";
import { ModelHost } from "../../src/server/model_host.ts";

/** Tokens of every prompt. */
export const PROMPT_TOKENS = 3;

/** What of a model a server asks. */
type Served = Pick<Model, "info" | "health" | "stats" | "generate" | "tokenize">;

/** Answers each request with `words`, one a step. */
export class ServedModel {
  /** What was asked of it, but for test requests of the server's own. */
  readonly asked: { readonly prompt: unknown; readonly options: GenerationOptions }[] = [];
  /** Set: answers end with this error after their first word. */
  error?: Error;
  readonly info = { vocab: 100, contextLength: 64, fingerprint: "fp", defaultClass: "interactive" };

  constructor(readonly words: readonly string[], readonly end: Partial<Completion> = {}) {}

  health() {
    return { ready: true, workers: [] };
  }

  stats() {
    return Promise.resolve({ workers: [{ classes: [{ name: "interactive" }] }] });
  }

  tokenize(text: string) {
    return Promise.resolve([...text].map((letter) => letter.charCodeAt(0) % 100));
  }

  generate(prompt: unknown, options: GenerationOptions): Generation {
    // A server's test request wants the log-probability of each of its tokens.
    if (options.logprobs === undefined) this.asked.push({ prompt, options });
    const { onAccepted, onTokens, onPart } = options;
    const generation = new Generation(() => {}, { onAccepted, onTokens, onPart });
    this.#answer(generation, options);
    return generation;
  }

  async #answer(generation: Generation, { logprobs, maxTokens = 0 }: GenerationOptions): Promise<void> {
    const words = logprobs === undefined ? this.words : new Array<string>(maxTokens).fill("a");
    await Promise.resolve();
    generation.push({ id: 1, promptTokens: PROMPT_TOKENS, tokens: [], text: "" });
    for (const [i, text] of words.entries()) {
      await new Promise((resolve) => setTimeout(resolve));
      const bytes = [...new TextEncoder().encode(text)];
      const told = { id: i, text, bytes, logprob: -1, top: [] };
      generation.push({
        id: 1,
        tokens: [i],
        text,
        ...logprobs === undefined ? {} : { logprobs: [told] },
        ...i === words.length - 1 ? { completion: this.#completion(words.length) } : {},
      });
      if (this.error !== undefined) return generation.fail(this.error);
    }
  }

  #completion(completionTokens: number): Completion {
    return {
      finishReason: "stop",
      usage: { promptTokens: PROMPT_TOKENS, cachedTokens: 0, completionTokens },
      timings: { totalMs: 1 },
      seed: 0,
      ...this.end,
    };
  }

  /** Behind a server, and ready. */
  async hosted(): Promise<ModelHost> {
    const host = new ModelHost(this as unknown as Served as Model, 0);
    await host.settled;
    return host;
  }
}
