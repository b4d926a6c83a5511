/** Answers of a model in this thread, with guesses and without, by a clock on which guesses pay. @module */

import type { DraftSource } from "../../scheduler/mod.ts";
import { openGguf } from "../../src/gguf/mod.ts";
import { Constraints } from "../../src/engine/constraints.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineParts } from "../../src/engine/engine_parts.ts";
import { KvPool } from "../../src/engine/kv_pool.ts";
import type { EngineStats } from "../../src/protocol/stats.ts";
import type { GenerationRequest } from "../../src/protocol/request.ts";
import { readModel } from "../../src/runner/model_file.ts";
import { loadModelRunner, type ModelRunner, type RunnerOptions } from "../../src/runner/model_runner.ts";
import type { ChatTemplate } from "../../src/tokenizer/chat_template.ts";
import { TemplateError } from "../../src/tokenizer/error.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { request } from "./fake_model.ts";

/** A model and what belongs to it. */
export interface GuessedModel {
  readonly runner: ModelRunner;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | TemplateError;
}

/** All that must not depend on guesses. */
export interface GuessedAnswer {
  tokens: number[];
  text: string;
  finishReason?: string;
  error?: string;
  /** Log-probabilities, as they are. */
  logprobs: string[];
}

/** What answering took. */
export interface Answered {
  readonly answers: readonly GuessedAnswer[];
  readonly stats: EngineStats;
}

/** Loads a model file. */
export async function loadGuessed(path: string, options: RunnerOptions = {}): Promise<GuessedModel> {
  using file = await openGguf(path);
  const { tokenizer, chatTemplate } = readModel(file);
  return { tokenizer, chatTemplate, runner: await loadModelRunner(file, options) };
}

/** Answers all requests at once. */
export function answer(
  { runner, tokenizer, chatTemplate }: GuessedModel,
  requests: readonly Partial<GenerationRequest>[],
  parts: Partial<EngineParts> = {},
): Answered {
  let now = 1000;
  const clocked = new Proxy(runner, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "forward") return value.bind(target);
      return (...args: Parameters<ModelRunner["forward"]>) => {
        // As on a machine that reads all weights for one token and for several.
        for (const { count, draft = [] } of args[0]) now += 0.2 * (count + draft.length);
        now += 10;
        return target.forward(...args);
      };
    },
  });
  const engine = new Engine({
    runner: clocked,
    tokenizer,
    chatTemplate: chatTemplate instanceof TemplateError
      ? {
        encode: () => {
          throw chatTemplate;
        },
      }
      : chatTemplate,
    allocator: new KvPool(runner.kvBlocks, { memory: runner.kvArena }),
    constraints: new Constraints(runner.kernels, tokenizer),
    now: () => now,
    clock: () => now,
    ...parts,
  });
  const answers = requests.map((): GuessedAnswer => ({ tokens: [], text: "", logprobs: [] }));
  requests.forEach((each, id) => engine.add(id, { ...request(""), ...each }));
  while (engine.busy) {
    engine.step();
    for (const { id, tokens, text, logprobs = [], completion, error } of engine.takeEvents()) {
      const each = answers[id];
      each.tokens.push(...tokens);
      each.text += text;
      each.logprobs.push(...logprobs.map((one) => JSON.stringify(one)));
      each.finishReason = completion?.finishReason;
      each.error = error?.message;
    }
  }
  const stats = engine.stats();
  // What is kept for others ends with this engine.
  for (const { first, length } of heldBlocks(runner)) runner.kvBlocks.release(first, length);
  return { answers, stats };
}

function heldBlocks({ kvBlocks }: ModelRunner) {
  return Array.from({ length: kvBlocks.blocks }, (_, first) => ({ first, length: 1 }))
    .filter(({ first }) => kvBlocks.references(first) > 0);
}

/** Knows the answers and tells most of each right. */
export class Knowing implements DraftSource {
  readonly msPerToken = 0;
  readonly #prompts: readonly number[];
  readonly #answers: readonly GuessedAnswer[];
  #calls = 0;

  /** `prompts`: tokens of the requests' prompts. */
  constructor(prompts: readonly number[], answers: readonly GuessedAnswer[]) {
    this.#prompts = prompts;
    this.#answers = answers;
  }

  guess(id: number, tokens: readonly number[], count: number): number[] {
    const from = tokens.length - this.#prompts[id];
    const guess = this.#answers[id].tokens.slice(from, from + count);
    // Every third guess has a wrong token, at any place.
    if (++this.#calls % 3 === 0 && guess.length > 0) guess[this.#calls % guess.length] ^= 1;
    return guess;
  }

  forget(): void {}
}
