/** A model, requests and an engine for tests that go without kernels. @module */

import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS, type SequenceSlice } from "../../src/runner/batch.ts";
import type { SampleRequest } from "../../src/runner/sample_batch.ts";
import { resolveSampling } from "../../src/protocol/sampling.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineParts, StepRunner } from "../../src/engine/engine_parts.ts";
import { FirstFitPool } from "./fake_kv_pool.ts";
import type { Completion } from "../../src/protocol/answer.ts";
import type { EmbeddingRequest, GenerationRequest, Pooling } from "../../src/protocol/request.ts";

export const VOCAB = 50;
export const END = 0;
export const HIDDEN = 2;

/**
 * A model whose next token depends on all tokens before it, which it looks up in its cache as a real one
 * would.
 */
export class FakeRunner implements StepRunner {
  readonly hyperparameters = { vocab: VOCAB, hidden: HIDDEN };
  readonly contextLength: number;
  readonly kvTokens: number;
  readonly kvBytesPerToken = 2;
  readonly kvBytesPerSlot = 2;
  readonly kvWindows = [undefined];
  readonly batchTokensMax = 32;
  readonly logitsRowsMax = 4;
  readonly stateBytes = 100;
  readonly stateBlocks: number;
  readonly stateSlots: number;
  readonly cache: Int32Array;
  readonly steps: number[][] = [];
  /** The smaller, the sooner answers repeat themselves. */
  period = 1009;
  failAt = -1;
  /** By slot, the hash of all tokens that a state has seen. */
  readonly #stateHashes: number[] = [];
  #ends: number[] = [];
  #states: number[][] = [];
  #nexts: number[] = [];

  /** `stateBlocks`: blocks whose memory the state of a sequence takes; 0: there are none. */
  constructor(contextLength: number, kvTokens: number, stateBlocks = 0) {
    this.stateBlocks = stateBlocks;
    this.stateSlots = stateBlocks === 0 ? 0 : Math.floor(kvTokens / BLOCK_TOKENS / stateBlocks);
    this.contextLength = contextLength;
    this.kvTokens = kvTokens;
    this.cache = new Int32Array(kvTokens).fill(-1);
  }

  staying<T>(ops: () => T): T {
    return ops();
  }

  forward(slices: readonly SequenceSlice[], interrupted?: () => boolean): boolean {
    if (interrupted?.()) {
      for (const { state } of slices) if (state !== undefined) this.#stateHashes[state.write] = -1;
      return false;
    }
    this.steps.push(slices.map((slice) => slice.count));
    if (this.steps.length - 1 === this.failAt) throw new Error("the kernels refused");
    this.#ends = [];
    this.#states = [];
    let count = 0;
    for (const slice of slices) {
      const draft = Array.from(slice.draft ?? []), known = slice.first + slice.count;
      const tokenAt = (p: number) => p < known ? slice.tokens[p] : draft[p - known];
      const end = known + draft.length;
      for (let p = slice.first; p < end; p++) this.cache[slot(slice, p)] = tokenAt(p);
      let hash = 7;
      for (let p = 0; p < end; p++) {
        assertEquals(this.cache[slot(slice, p)], tokenAt(p), `position ${p} is not in the cache`);
        hash = (hash * 31 + tokenAt(p)) % this.period;
        if (p < slice.first) continue;
        this.#states.push([hash, tokenAt(p)]);
        this.#ends.push(1 + hash % (VOCAB - 1));
      }
      this.#passState(
        slice,
        Array.from({ length: end - slice.first }, (_, i) => tokenAt(slice.first + i)),
        hash,
      );
      count += end - slice.first;
    }
    assert(count <= this.batchTokensMax, `${count} tokens in a step`);
    return true;
  }

  /** The state after a slice, which computes these tokens, comes from the one before it. It has to be what all tokens give. */
  #passState({ first, state }: SequenceSlice, tokens: readonly number[], expected: number): void {
    if (this.stateBlocks === 0) return;
    assert(state !== undefined, "a slice has no state");
    let hash = first === 0 ? 7 : this.#stateHashes[state.read];
    for (const token of tokens) hash = (hash * 31 + token) % this.period;
    assertEquals(hash, expected, `the state before position ${first} is another`);
    this.#stateHashes[state.write] = hash;
  }

  hidden(first: number, count: number): Float32Array {
    return Float32Array.from(this.#states.slice(first, first + count).flat());
  }

  logits(indices: ArrayLike<number>): void {
    assert(indices.length <= this.logitsRowsMax, `${indices.length} rows of logits`);
    this.#nexts = Array.from(indices, (index) => this.#ends[index]);
  }

  /** The likelier the nearer to the token that comes. */
  score(targets: Uint32Array) {
    return Array.from(targets, (target, i) => {
      const rank = 1 + Math.abs(target - this.#nexts[i]);
      return { logprob: -rank, rank, best: this.#nexts[i], bestLogprob: -1 };
    });
  }

  sample(requests: readonly SampleRequest[], rowFirst = 0) {
    return requests.map(({ params }, row) => {
      const i = rowFirst + row;
      const forbidden = new Set(params.logitBias.filter(([, bias]) => bias === -Infinity).map(([id]) => id));
      let id = this.#nexts[i];
      while (forbidden.has(id)) id = 1 + id % (VOCAB - 1);
      const top = Array.from({ length: params.logprobs ?? 0 }, (_, k) => ({
        id: (this.#nexts[i] + k) % VOCAB,
        logprob: -1 - k,
      }));
      return { id, logprob: -1, top };
    });
  }
}

function slot({ tables: [{ start, runs }] }: SequenceSlice, position: number): number {
  let place = Math.floor(position / BLOCK_TOKENS) - start;
  for (const { first, length } of runs) {
    if (place < length) return (first + place) * BLOCK_TOKENS + position % BLOCK_TOKENS;
    place -= length;
  }
  throw new RangeError(`no block for position ${position}`);
}

/** Tokens are the letters of a text, by their code from "A" on. */
export const tokenizer = {
  vocabSize: VOCAB,
  eogIds: new Set([END]),
  isControl: (id: number) => id === END,
  encode: (text: string) => [...text].map((c) => c.charCodeAt(0) - 65),
  tokenText: (id: number) => String.fromCharCode(65 + id),
  stream: () => ({
    bytesOf: (id: number) => Uint8Array.of(65 + id),
    push: (id: number) => String.fromCharCode(65 + id),
    flush: () => "",
  }),
} as unknown as Tokenizer;

export function request(text: string, options: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    prompt: { text },
    sampling: resolveSampling({ seed: 1 }, VOCAB),
    maxTokens: 40,
    stop: [],
    stopTokens: [],
    ignoreEnd: false,
    submittedAt: Date.now(),
    class: "interactive",
    tenant: "",
    priority: 0,
    ...options,
  };
}

export function embeddingRequest(text: string, pooling: Pooling): EmbeddingRequest {
  const { prompt, submittedAt, tenant, priority, class: name } = request(text);
  return { prompt, submittedAt, tenant, priority, class: name, pooling };
}

export const chatTemplate = {
  encode: () => {
    throw new RangeError("no chat template");
  },
};

export function engineOf(runner: FakeRunner, parts: Partial<EngineParts> = {}): Engine {
  const allocator = new FirstFitPool(runner.kvTokens / BLOCK_TOKENS);
  return new Engine({ runner, tokenizer, chatTemplate, allocator, ...parts });
}

export interface Outcome {
  text: string;
  completion?: Completion;
  error?: string;
}

export function finish(engine: Engine, outcomes = new Map<number, Outcome>()): Map<number, Outcome> {
  for (let i = 0; engine.busy || i === 0; i++) {
    assert(i < 5000, "the engine makes no progress");
    engine.step();
    for (const { id, text, completion, error } of engine.takeEvents()) {
      const outcome = outcomes.get(id) ?? { text: "" };
      assertEquals(outcome.completion, undefined, `request ${id} went on after its end`);
      outcome.text += text;
      outcome.completion = completion;
      outcome.error = error?.message;
      outcomes.set(id, outcome);
    }
  }
  return outcomes;
}
