import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS, type SequenceSlice } from "../batch.ts";
import type { SampleRequest } from "../sample_batch.ts";
import { resolveSampling } from "../sampling.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { Engine, type EngineParts, type StepRunner } from "./engine.ts";
import type { Completion, GenerationRequest } from "./protocol.ts";
import { FirstFitPool } from "./testing.ts";

const VOCAB = 50;
const END = 0;

/** A model whose next token depends on all tokens before it, which it looks up in its cache as a real one would. */
class FakeRunner implements StepRunner {
  readonly hyperparameters = { vocab: VOCAB };
  readonly contextLength: number;
  readonly kvTokens: number;
  readonly kvBytesPerToken = 2;
  readonly batchTokensMax = 32;
  readonly logitsRowsMax = 4;
  readonly cache: Int32Array;
  readonly steps: number[][] = [];
  failAt = -1;
  #ends: number[] = [];
  #nexts: number[] = [];

  constructor(contextLength: number, kvTokens: number) {
    this.contextLength = contextLength;
    this.kvTokens = kvTokens;
    this.cache = new Int32Array(kvTokens).fill(-1);
  }

  forward(slices: readonly SequenceSlice[], interrupted?: () => boolean): boolean {
    if (interrupted?.()) return false;
    this.steps.push(slices.map((slice) => slice.count));
    if (this.steps.length - 1 === this.failAt) throw new Error("the kernels refused");
    this.#ends = [];
    let count = 0;
    for (const slice of slices) {
      for (let p = slice.first; p < slice.first + slice.count; p++) {
        this.cache[slot(slice, p)] = slice.tokens[p];
      }
      let hash = 7;
      for (let p = 0; p < slice.first + slice.count; p++) {
        assertEquals(this.cache[slot(slice, p)], slice.tokens[p], `position ${p} is not in the cache`);
        hash = (hash * 31 + slice.tokens[p]) % 1009;
      }
      count += slice.count;
      this.#ends[count - 1] = 1 + hash % (VOCAB - 1);
    }
    assert(count <= this.batchTokensMax, `${count} tokens in a step`);
    return true;
  }

  logits(indices: ArrayLike<number>): void {
    this.#nexts = Array.from(indices, (index) => this.#ends[index]);
  }

  sample(requests: readonly SampleRequest[]) {
    return requests.map((_, i) => ({ id: this.#nexts[i], logprob: -1, top: [] }));
  }
}

function slot({ blocks }: SequenceSlice, position: number): number {
  return blocks[Math.floor(position / BLOCK_TOKENS)] * BLOCK_TOKENS + position % BLOCK_TOKENS;
}

/** Tokens are the letters of a text, by their code from "A" on. */
const tokenizer = {
  vocabSize: VOCAB,
  eogIds: new Set([END]),
  isControl: (id: number) => id === END,
  encode: (text: string) => [...text].map((c) => c.charCodeAt(0) - 65),
  tokenText: (id: number) => String.fromCharCode(65 + id),
  stream: () => ({ push: (id: number) => String.fromCharCode(65 + id), flush: () => "" }),
} as unknown as Tokenizer;

function request(text: string, options: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    prompt: { text },
    sampling: resolveSampling({ seed: 1 }, VOCAB),
    maxTokens: 40,
    stop: [],
    stopTokens: [],
    ignoreEnd: false,
    submittedAt: Date.now(),
    ...options,
  };
}

const chatTemplate = {
  encode: () => {
    throw new RangeError("no chat template");
  },
};

function engineOf(runner: FakeRunner, parts: Partial<EngineParts> = {}): Engine {
  const allocator = new FirstFitPool(runner.kvTokens / BLOCK_TOKENS);
  return new Engine({ runner, tokenizer, chatTemplate, allocator, ...parts });
}

interface Outcome {
  text: string;
  completion?: Completion;
  error?: string;
}

function finish(engine: Engine, outcomes = new Map<number, Outcome>()): Map<number, Outcome> {
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

function answerAlone(text: string, options: Partial<GenerationRequest> = {}): Outcome {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request(text, options));
  return finish(engine).get(1)!;
}

Deno.test("Engine computes a request to its last token", () => {
  const { text, completion } = answerAlone("HELLO");
  assertEquals(text.length, 40);
  assertEquals(completion?.finishReason, "length");
  assertEquals(completion?.usage, { promptTokens: 5, completionTokens: 40 });
});

Deno.test("Engine cuts long prompts into steps and keeps decoding beside them", () => {
  const runner = new FakeRunner(128, 512);
  const engine = engineOf(runner);
  engine.add(1, request("A"));
  engine.step();
  engine.add(2, request("B".repeat(70)));
  finish(engine);
  assertEquals(runner.steps.slice(0, 4), [[1], [1, 31], [1, 31], [1, 8]]);
});

Deno.test("Engine gives each request the same answer alone, in a batch, and after preemptions", () => {
  const texts = ["A", "HELLO", "Z".repeat(45), "QRS", "B".repeat(60), "CC", "D".repeat(33), "EF"];
  const alone = texts.map((text) => answerAlone(text).text);
  for (const kvTokens of [128, 160, 512]) {
    const runner = new FakeRunner(128, kvTokens);
    const pool = new FirstFitPool(kvTokens / BLOCK_TOKENS);
    const engine = engineOf(runner, { allocator: pool });
    texts.forEach((text, id) => engine.add(id, request(text)));
    const outcomes = finish(engine);
    assertEquals(texts.map((_, id) => outcomes.get(id)?.text), alone, `${kvTokens} tokens of cache`);
    assertEquals(pool.freeBlocks, kvTokens / BLOCK_TOKENS, "blocks were lost");
    const computed = runner.steps.flat().reduce((sum, count) => sum + count, 0);
    const needed = texts.reduce((sum, text) => sum + text.length + 39, 0);
    assertEquals(computed > needed, kvTokens < 512, "preemptions compute tokens again");
  }
});

Deno.test("Engine ends at the context's length", () => {
  const { text, completion } = answerAlone("A".repeat(120), { maxTokens: undefined });
  assertEquals(text.length, 8);
  assertEquals(completion?.finishReason, "length");
});

Deno.test("Engine refuses a prompt that does not fit, is empty, or has foreign tokens, and goes on", () => {
  const engine = engineOf(new FakeRunner(64, 64));
  engine.add(1, request("A".repeat(64)));
  engine.add(2, request(""));
  engine.add(3, request("", { prompt: { tokens: [1, VOCAB] } }));
  engine.add(4, request("", { prompt: { messages: [{ role: "user", content: "Hi" }] } }));
  engine.add(5, request("A", { maxTokens: 3 }));
  const outcomes = finish(engine);
  assert(outcomes.get(1)?.error?.includes("64 tokens"));
  assert(outcomes.get(2)?.error?.includes("empty"));
  assert(outcomes.get(3)?.error?.includes(`one is ${VOCAB}`));
  assert(outcomes.get(4)?.error?.includes("no chat template"));
  assertEquals(outcomes.get(5)?.text.length, 3);
});

Deno.test("Engine stops at stop strings and stop tokens", () => {
  const { text } = answerAlone("HELLO");
  const stopped = answerAlone("HELLO", { stop: [text.slice(5, 8)] });
  assertEquals(stopped.text, text.slice(0, text.indexOf(text.slice(5, 8))));
  assertEquals(stopped.completion?.finishReason, "stop");
  const token = text.charCodeAt(10) - 65;
  const byToken = answerAlone("HELLO", { stopTokens: [token] });
  assertEquals(byToken.text, text.slice(0, text.indexOf(text[10])));
  assertEquals(byToken.completion?.finishReason, "stop");
});

Deno.test("Engine.abort() ends waiting and running requests with what they have", () => {
  const runner = new FakeRunner(128, 256);
  const engine = engineOf(runner, { sequencesMax: 1 });
  engine.add(1, request("HELLO"));
  engine.add(2, request("WAITS"));
  for (let i = 0; i < 5; i++) engine.step();
  engine.abort(1);
  engine.abort(2);
  engine.abort(3);
  const outcomes = finish(engine);
  assertEquals(outcomes.get(1)?.completion?.finishReason, "abort");
  assertEquals(outcomes.get(1)?.text, answerAlone("HELLO").text.slice(0, 5));
  assertEquals(outcomes.get(2)?.completion?.usage.completionTokens, 0);
});

Deno.test("Engine ends the requests of a step that the kernels refuse, and serves the next ones", () => {
  const runner = new FakeRunner(128, 256);
  runner.failAt = 2;
  const engine = engineOf(runner);
  engine.add(1, request("HELLO"));
  const outcomes = finish(engine);
  assert(outcomes.get(1)?.error?.includes("refused"));
  engine.add(2, request("HELLO"));
  assertEquals(finish(engine).get(2)?.text, answerAlone("HELLO").text);
});

Deno.test("Engine repeats a step that was interrupted", () => {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request("A".repeat(40)));
  for (let i = 0; i < 3; i++) engine.step(() => true);
  assertEquals(finish(engine).get(1)?.text, answerAlone("A".repeat(40)).text);
});

Deno.test("Engine.kvStats() tells what the running requests have", () => {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request("A".repeat(20)));
  engine.add(2, request("B".repeat(5)));
  engine.step();
  const { sequences, runs, usedBytes, allocatedBytes, maxLengthReservationBytes } = engine.kvStats();
  assertEquals([sequences, runs], [2, 2]);
  assertEquals([usedBytes, allocatedBytes, maxLengthReservationBytes], [2 * 25, 2 * 48, 2 * 256]);
  finish(engine);
  assertEquals(engine.kvStats().allocatedBytes, 0);
});
