import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import {
  embeddingRequest,
  engineOf,
  FakeRunner,
  finish,
  HIDDEN,
  type Outcome,
  request,
  tokenizer,
  VOCAB,
} from "../../tests/support/fake_model.ts";
import type { Engine } from "./engine.ts";
import type { EngineParts } from "./engine_parts.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { GenerationRequest } from "../protocol/request.ts";
import { FirstFitPool } from "../../tests/support/fake_kv_pool.ts";

function answerAlone(text: string, options: Partial<GenerationRequest> = {}): Outcome {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request(text, options));
  return finish(engine).get(1)!;
}

Deno.test("Engine computes a request to its last token", () => {
  const { text, completion } = answerAlone("HELLO");
  assertEquals(text.length, 40);
  assertEquals(completion?.finishReason, "length");
  assertEquals(completion?.usage, { promptTokens: 5, cachedTokens: 0, completionTokens: 40 });
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
    const cachedBlocks = engine.kvStats().cachedBytes / runner.kvBytesPerToken / BLOCK_TOKENS;
    assertEquals(pool.freeBlocks + cachedBlocks, kvTokens / BLOCK_TOKENS, "blocks were lost");
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
  assertEquals(stopped.completion?.stop, text.slice(5, 8));
  const token = text.charCodeAt(10) - 65;
  const byToken = answerAlone("HELLO", { stopTokens: [token] });
  assertEquals(byToken.text, text.slice(0, text.indexOf(text[10])));
  assertEquals(byToken.completion?.finishReason, "stop");
  assertEquals(byToken.completion?.stop, token);
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
  for (let i = 0; i < 3; i++) engine.step({ interrupted: () => true });
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
  const after = engine.kvStats();
  assertEquals([after.sequences, after.allocatedBytes], [0, after.cachedBytes]);
});

Deno.test("Engine takes what is known of a prompt from the prefix cache, for the same tenant only", () => {
  const engine = engineOf(new FakeRunner(128, 512));
  const prompt = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJK";
  engine.add(1, request(prompt, { tenant: "a" }));
  finish(engine);
  engine.add(2, request(prompt + "L", { tenant: "a" }));
  engine.add(3, request(prompt + "L", { tenant: "b" }));
  const outcomes = finish(engine);
  assertEquals(outcomes.get(2)?.completion?.usage.cachedTokens, 32);
  assertEquals(outcomes.get(3)?.completion?.usage.cachedTokens, 0);
  assertEquals(outcomes.get(2)?.text, answerAlone(prompt + "L").text);
  assertEquals(outcomes.get(3)?.text, outcomes.get(2)?.text);
  const { promptTokens, cachedTokens } = engine.stats();
  assertEquals([promptTokens, cachedTokens], [37 + 38 + 38, 32]);
});

Deno.test("Engine without a prefix cache keeps no blocks", () => {
  const engine = engineOf(new FakeRunner(128, 512), { prefixCache: false });
  engine.add(1, request("A".repeat(40)));
  finish(engine);
  assertEquals(engine.kvStats().allocatedBytes, 0);
});

Deno.test("Engine goes on after tokens that another engine has delivered", () => {
  const whole = answerAlone("HELLO");
  const engine = engineOf(new FakeRunner(128, 256));
  const restored = [...whole.text.slice(0, 17)].map((c) => c.charCodeAt(0) - 65);
  engine.add(1, request("HELLO", { restored }));
  const { text, completion } = finish(engine).get(1)!;
  assertEquals(text, whole.text.slice(17));
  assertEquals(completion?.usage, whole.completion?.usage);
});

Deno.test("Engine ends a request at its deadline with what it has", () => {
  let now = 1000;
  const engine = engineOf(new FakeRunner(128, 256), { now: () => now });
  engine.add(1, request("HELLO", { submittedAt: now, deadlineMs: 50 }));
  for (let i = 0; i < 5; i++) engine.step();
  now += 50;
  const { text, completion } = finish(engine).get(1)!;
  assertEquals([text.length, completion?.finishReason], [5, "deadline"]);
  assertEquals(engine.stats().classes[0].finished.deadline, 1);
});

Deno.test("Engine refuses what its classes do not take, and says why", () => {
  const tight = {
    name: "tight",
    priority: 0,
    maxBatch: 1,
    maxWaitMs: 0,
    queueLimit: { requests: 1, tokens: 20 },
    preemptible: false,
  };
  const engine = engineOf(new FakeRunner(128, 256), { classes: [tight] });
  engine.add(1, request("A", { class: "tight" }));
  engine.step();
  engine.add(2, request("B", { class: "tight" }));
  engine.add(3, request("C", { class: "tight" }));
  engine.add(4, request("D".repeat(21), { class: "tight" }));
  engine.add(5, request("E"));
  const errors = new Map(engine.takeEvents().map(({ id, error }) => [id, error]));
  assertEquals(errors.get(2), undefined);
  assertEquals([errors.get(3)?.name, errors.get(3)?.reason], ["RefusedError", "queue-full"]);
  assert(errors.get(3)!.retryAfterMs! > 0);
  assertEquals([errors.get(4)?.reason, errors.get(4)?.retryAfterMs], ["too-long", undefined]);
  assert(errors.get(5)?.message.includes('"interactive"; there are: tight'));
  const outcomes = finish(engine);
  assertEquals([...outcomes.keys()].sort(), [1, 2]);
  const { accepted, refused, finished } = engine.stats().classes[0];
  assertEquals([accepted, refused, finished.length], [2, 2, 2]);
});

Deno.test("Engine takes what it would refuse where refusals are to be judged, and says why", () => {
  const queueLimit = { requests: 1, tokens: 20 };
  const tight = { name: "tight", priority: 0, maxBatch: 1, maxWaitMs: 0, queueLimit, preemptible: false };
  const engine = engineOf(new FakeRunner(128, 256), { classes: [tight] });
  engine.add(1, request("A", { class: "tight", overrule: {} }));
  engine.step();
  engine.add(2, request("B", { class: "tight" }));
  engine.add(3, request("C", { class: "tight", overrule: {} }));
  engine.add(4, request("D", { class: "tight", overrule: { reason: "slo" } }));
  const outcomes = finish(engine);
  const why = [1, 2, 3, 4].map((id) => outcomes.get(id)?.completion?.overruled);
  assertEquals(why, [undefined, undefined, "queue-full", "slo"]);
});

Deno.test("Engine lets bulk requests wait for company and says how long", () => {
  let now = 1000;
  const engine = engineOf(new FakeRunner(128, 256), { now: () => now });
  engine.add(1, request("A", { class: "batch" }));
  assertEquals(engine.step(), { hasComputed: false, waitMs: 2000 });
  now += 2000;
  assertEquals(engine.step().hasComputed, true);
});

Deno.test("Engine tells which requests a step computes, and when it is over", () => {
  const told: number[][] = [];
  const engine = engineOf(new FakeRunner(128, 256), { onStep: (ids) => told.push([...ids]) });
  engine.add(7, request("A"));
  engine.add(9, request("B"));
  engine.step();
  assertEquals(told, [[7, 9], []]);
});

Deno.test("Engine tells for how long a request queued, unless another engine had it before", () => {
  let now = 1000;
  const engine = engineOf(new FakeRunner(128, 256), { now: () => now });
  engine.add(1, request("A", { submittedAt: now, maxTokens: 2 }));
  engine.add(2, request("B", { submittedAt: now, maxTokens: 2, restored: [] }));
  engine.add(3, request("C", { submittedAt: now }));
  now += 30;
  engine.abort(3);
  const outcomes = finish(engine);
  assertEquals([1, 2, 3].map((id) => outcomes.get(id)?.completion?.timings.queueMs), [
    30,
    undefined,
    undefined,
  ]);
});

Deno.test("Engine.stats() counts steps by what they computed", () => {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request("A".repeat(40), { maxTokens: 2 }));
  engine.step();
  engine.add(2, request("B", { maxTokens: 1 }));
  finish(engine);
  const { steps, computedTokens, stepHistograms: { ms, tokens, sequences } } = engine.stats();
  const total = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0);
  assertEquals([total(ms.counts), total(tokens.counts), total(sequences.counts)], [steps, steps, steps]);
  assertEquals(tokens.sum, computedTokens);
  // 32 of the first prompt; its other 8 beside the second request; the first one's last token.
  assertEquals([steps, computedTokens, sequences.sum], [3, 42, 4]);
});

Deno.test("Engine.stats() divides the steps' time among classes, prompts and answers", () => {
  let now = 1000;
  // Each step takes 10 ms: the clock is read before and after it.
  const engine = engineOf(new FakeRunner(128, 256), { now: () => now += 10 });
  engine.add(1, request("A".repeat(40), { maxTokens: 3, class: "batch" }));
  engine.add(2, request("B", { maxTokens: 1 }));
  finish(engine);
  const { classes, stepHistograms, computedTokens } = engine.stats();
  const work = Object.fromEntries(classes.map((each) => [each.name, each.work]));
  assertEquals([work.batch.prefillTokens, work.batch.decodeTokens], [40, 2]);
  assertEquals([work.interactive.prefillTokens, work.interactive.decodeTokens], [computedTokens - 42, 0]);
  const all = classes.reduce((sum, { work: { prefillMs, decodeMs } }) => sum + prefillMs + decodeMs, 0);
  assert(Math.abs(all - stepHistograms.ms.sum) < 1e-9 && all > 0, `${all} ms`);
  assert(work.batch.decodeMs > 0 && work.interactive.prefillMs > 0);
});

Deno.test("Engine gives each text the same embedding alone, in a batch, after preemptions and beside answers", () => {
  const texts = ["A", "HELLO", "Z".repeat(45), "QRS", "B".repeat(60), "ZZZZZ", "D".repeat(33), "EF"];
  const pooling = (i: number) => i % 4 === 3 ? "last" : "mean";
  const alone = texts.map((text, i) => {
    const engine = engineOf(new FakeRunner(128, 256));
    engine.add(1, embeddingRequest(text, pooling(i)));
    return finish(engine).get(1)!.completion?.embedding;
  });
  const [mean] = alone;
  assertEquals(mean!.length, HIDDEN);
  for (const kvTokens of [128, 160, 512]) {
    const runner = new FakeRunner(128, kvTokens);
    const engine = engineOf(runner, { allocator: new FirstFitPool(kvTokens / BLOCK_TOKENS) });
    // What an answer has left in the prefix cache must not be missing in a mean.
    for (const round of [0, 1]) {
      texts.forEach((text, i) => {
        engine.add(100 * round + i, embeddingRequest(text, pooling(i)));
        engine.add(100 * round + 50 + i, request(text));
      });
      const outcomes = finish(engine);
      const embedded = texts.map((_, i) => outcomes.get(100 * round + i)?.completion);
      assertEquals(embedded.map((completion) => completion?.embedding), alone, `${kvTokens} tokens of cache`);
      for (const completion of embedded) assertEquals(completion?.usage.completionTokens, 0);
    }
  }
});

Deno.test("Engine ends an embedding that is aborted without one, and one that is no number with an error", () => {
  const runner = new FakeRunner(128, 256);
  const engine = engineOf(runner);
  engine.add(1, embeddingRequest("B".repeat(70), "mean"));
  engine.step();
  engine.abort(1);
  const aborted = finish(engine).get(1)!.completion!;
  assertEquals([aborted.finishReason, aborted.embedding], ["abort", undefined]);
  runner.hidden = (_, count) => new Float32Array(count * HIDDEN).fill(NaN);
  engine.add(2, embeddingRequest("A", "mean"));
  engine.add(3, request("A"));
  const outcomes = finish(engine);
  assert(outcomes.get(2)!.error!.includes("not numbers"));
  assertEquals(outcomes.get(3)!.text.length, 40);
});

Deno.test("Engine does not end an answer before minTokens, also where another engine goes on with it", () => {
  const free = answerAlone("HELLO").text;
  const at = (index: number) => free.charCodeAt(index) - 65;
  // Without a minimum these end it.
  assertEquals(
    answerAlone("HELLO", { stopTokens: [at(4)] }).completion?.usage.completionTokens,
    free.indexOf(free[4]) + 1,
  );
  assertEquals(answerAlone("HELLO", { stop: [free.slice(3, 5)] }).text, free.slice(0, 3));
  const minTokens = 6;
  const stopped = answerAlone("HELLO", { stopTokens: [at(4)], minTokens });
  assertEquals(stopped.text.slice(0, minTokens).includes(free[4]), false);
  assertEquals(stopped.text.slice(0, 4), free.slice(0, 4));
  assertEquals(stopped.completion!.usage.completionTokens >= minTokens, true);
  // A stop string that is complete within them does not count, also not later.
  assertEquals(answerAlone("HELLO", { stop: [free.slice(3, 5)], minTokens }).text, free);
  assertEquals(answerAlone("HELLO", { stop: [free.slice(4, 7)], minTokens }).text, free.slice(0, 4));
  for (const options of [{ stopTokens: [at(4)], minTokens }, { stop: [free.slice(4, 7)], minTokens }]) {
    const whole = answerAlone("HELLO", options);
    const tokens = [...(options.stop === undefined ? whole.text : free)].map((letter) =>
      letter.charCodeAt(0) - 65
    );
    for (const count of [1, 4, 5]) {
      const restored = tokens.slice(0, count);
      const rest = answerAlone("HELLO", { ...options, restored });
      const shown = options.stop === undefined ? count : Math.min(count, 4);
      assertEquals(rest.text, whole.text.slice(shown));
      assertEquals(rest.completion?.usage, whole.completion?.usage);
    }
  }
});

Deno.test("Engine keeps the space at the beginning of an answer that goes on with a message", () => {
  const seen: unknown[] = [];
  const watched = {
    ...tokenizer,
    stream: (options: { atStart: boolean }) => {
      seen.push(options.atStart);
      return tokenizer.stream();
    },
  } as unknown as Tokenizer;
  const engine = engineOf(new FakeRunner(64, 64), {
    tokenizer: watched,
    chatTemplate: { encode: () => [1, 2] },
  });
  const user = { role: "user", content: "A" }, assistant = { role: "assistant", content: "B" };
  const call = { ...assistant, tool_calls: [{ function: { name: "f" } }] };
  const prompts = [
    { messages: [user] },
    { messages: [user, assistant] },
    { messages: [user, assistant], addGenerationPrompt: true },
    { messages: [user], continueFinalMessage: true },
    { messages: [user, call] },
  ];
  prompts.forEach((prompt, id) => engine.add(id, request("", { prompt, maxTokens: 1 })));
  assertEquals(seen, [true, false, true, false, true]);
});

/** Runs on a clock by which steps cost little more with more tokens, as those of real models do. */
function guessingEngine(runner: FakeRunner, parts: Partial<EngineParts> = {}): Engine {
  let now = 1000;
  const forward = runner.forward.bind(runner);
  runner.forward = (slices, interrupted) => {
    const tokens = slices.reduce((sum, { count, draft = [] }) => sum + count + draft.length, 0);
    now += 10 + 0.5 * tokens;
    return forward(slices, interrupted);
  };
  return engineOf(runner, { speculation: {}, now: () => now, ...parts });
}

/** Answers repeat themselves soon, with tokens of their own for each prompt. */
function repeating(kvTokens = 512): FakeRunner {
  const runner = new FakeRunner(128, kvTokens);
  runner.period = 13;
  return runner;
}

function answersOf(engine: Engine, options: readonly Partial<GenerationRequest>[]): Outcome[] {
  options.forEach((each, id) => engine.add(id, request("HELLO".slice(id % 4), each)));
  const outcomes = finish(engine);
  return options.map((_, id) => outcomes.get(id)!);
}

/** What must not depend on guesses. */
function shown({ text, completion, error }: Outcome) {
  const { acceptedPredictionTokens: _, rejectedPredictionTokens: __, ...usage } = completion!.usage;
  return { text, error, finishReason: completion!.finishReason, stop: completion!.stop, usage };
}

Deno.test("Engine gives the same answers with guesses, whatever ends them, in fewer steps", () => {
  const free = answersOf(engineOf(repeating()), [{ maxTokens: 100 }])[0].text;
  const cases: Partial<GenerationRequest>[] = [
    { maxTokens: 100 },
    ...Array.from({ length: 20 }, (_, i) => ({ maxTokens: 60 + i })),
    { maxTokens: 100, stop: [free.slice(70, 73)], minTokens: 66 },
    { maxTokens: 100, stopTokens: [free.charCodeAt(1) - 65], minTokens: 66 },
    { maxTokens: 100, sampling: { ...request("").sampling, logprobs: 3 } },
    { maxTokens: 100, prediction: "Z".repeat(20) + free },
  ];
  for (const options of cases) {
    const plain = repeating(), guessing = repeating();
    const [expected] = answersOf(engineOf(plain), [options]);
    const engine = guessingEngine(guessing);
    const [outcome] = answersOf(engine, [options]);
    assertEquals(shown(outcome), shown(expected));
    assertEquals(engine.stats().generatedTokens, expected.completion!.usage.completionTokens);
    assert(
      guessing.steps.length < 0.7 * plain.steps.length,
      `${guessing.steps.length} ${plain.steps.length}`,
    );
  }
});

Deno.test("Engine gives the same answers with guesses in batches, after preemptions and interruptions", () => {
  const options = Array.from({ length: 6 }, (_, i) => ({ maxTokens: 50 + 11 * i }));
  const expected = answersOf(engineOf(repeating()), options).map(shown);
  for (const kvTokens of [128, 160, 512]) {
    const pool = new FirstFitPool(kvTokens / BLOCK_TOKENS);
    const engine = guessingEngine(repeating(kvTokens), { allocator: pool });
    assertEquals(answersOf(engine, options).map(shown), expected, `${kvTokens}`);
    const { acceptedTokens, draftTokens } = engine.stats();
    assert(acceptedTokens > 0 && draftTokens >= acceptedTokens, `${acceptedTokens} of ${draftTokens}`);
    const { cachedBytes } = engine.kvStats();
    assertEquals(
      pool.freeBlocks + cachedBytes / 2 / BLOCK_TOKENS,
      kvTokens / BLOCK_TOKENS,
      "blocks were lost",
    );
  }
});

Deno.test("Engine guesses from a foretold answer at once, tells how much was right, and not where nobody wants it", () => {
  const runner = new FakeRunner(128, 512);
  const [expected] = answersOf(engineOf(runner), [{ maxTokens: 60 }]);
  const ask = (options: Partial<GenerationRequest>) => {
    const guessing = new FakeRunner(128, 512);
    // The first steps measure.
    const engine = guessingEngine(guessing);
    answersOf(engine, [{ maxTokens: 20 }]);
    const before = guessing.steps.length;
    engine.add(9, request("HELLO", { maxTokens: 60, ...options }));
    const outcome = finish(engine).get(9)!;
    assertEquals(outcome.text, expected.text);
    return { steps: guessing.steps.length - before, usage: outcome.completion!.usage };
  };
  const foretold = ask({ prediction: expected.text });
  assert(foretold.steps < 25, `${foretold.steps}`);
  assert(foretold.usage.acceptedPredictionTokens! >= 35, `${foretold.usage.acceptedPredictionTokens}`);
  const silent = ask({ prediction: expected.text, speculation: false });
  assertEquals(silent.steps, 60);
  assertEquals([silent.usage.acceptedPredictionTokens, silent.usage.rejectedPredictionTokens], [0, 0]);
  assertEquals(ask({}).usage.acceptedPredictionTokens, undefined);
});
