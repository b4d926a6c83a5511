import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import { resolveSampling } from "../protocol/sampling.ts";
import { FirstFitPool } from "../../tests/support/fake_kv_pool.ts";
import { engineOf, FakeRunner, finish, request, VOCAB } from "../../tests/support/fake_model.ts";
import { DraftModel } from "./draft_model.ts";

const sampling = resolveSampling({ seed: 1 }, VOCAB);

function draftOf(runner: FakeRunner, vocab = VOCAB) {
  const allocator = new FirstFitPool(runner.kvTokens / BLOCK_TOKENS);
  let now = 0;
  const draft = new DraftModel({
    runner,
    allocator,
    vocab,
    samplingOf: () => sampling,
    clock: () => now += 4,
  });
  return { draft, allocator };
}

/** What the fake model answers. */
function answerTo(text: string): number[] {
  const engine = engineOf(new FakeRunner(128, 256));
  engine.add(1, request(text));
  return [...finish(engine).get(1)!.text].map((letter) => letter.charCodeAt(0) - 65);
}

Deno.test("DraftModel goes on as the model would, and computes no token twice that was right", () => {
  const runner = new FakeRunner(128, 256);
  const { draft } = draftOf(runner);
  const text = "HELLO".repeat(10);
  const prompt = [...text].map((letter) => letter.charCodeAt(0) - 65), answer = answerTo(text);
  assertEquals(draft.guess(1, prompt, 4), answer.slice(0, 4));
  // 32 tokens at most in a step.
  assertEquals(runner.steps, [[32], [18], [1], [1], [1]]);
  assertEquals(draft.guess(1, [...prompt, ...answer.slice(0, 5)], 3), answer.slice(5, 8));
  assertEquals(runner.steps.slice(5), [[2], [1], [1]], "the fourth guess was not computed yet");
  assert(draft.msPerToken > 0);
});

Deno.test("DraftModel goes back where its guesses were wrong", () => {
  const runner = new FakeRunner(128, 256);
  const { draft } = draftOf(runner);
  const tokens = [1, 2, 3];
  draft.guess(1, tokens, 8);
  for (const wrong of [40, 41, 42]) {
    tokens.push(wrong);
    const fresh = draftOf(new FakeRunner(128, 256)).draft.guess(1, tokens, 6);
    assertEquals(draft.guess(1, tokens, 6), fresh);
  }
});

Deno.test("DraftModel keeps two sequences, gives blocks back, and guesses nothing where there is no room", () => {
  const runner = new FakeRunner(128, 64);
  const { draft, allocator } = draftOf(runner);
  for (const id of [1, 2, 3]) assertEquals(draft.guess(id, [1, 2, id], 2).length, 2);
  assertEquals(allocator.freeBlocks, 2);
  for (const id of [2, 3]) draft.forget(id);
  assertEquals(allocator.freeBlocks, 4);
  assertEquals(draft.guess(4, new Array(100).fill(1), 3), [], "four blocks of 16 tokens");
  assertEquals(draft.guess(5, new Array(127).fill(1), 3).length <= 1, true);
  const { draft: small } = draftOf(new FakeRunner(128, 64), 1);
  assertEquals(small.guess(1, [1, 2], 3), [], "tokens that the other model has not");
});

Deno.test("Engine with a draft model gives the same answers in fewer steps", () => {
  const [plain, guessing] = [new FakeRunner(128, 512), new FakeRunner(128, 512)];
  let now = 1000;
  const forward = guessing.forward.bind(guessing);
  guessing.forward = (slices, interrupted) => {
    now += 10;
    return forward(slices, interrupted);
  };
  const draft = { runner: new FakeRunner(128, 256), allocator: new FirstFitPool(16) };
  const parts = { speculation: {}, draft: { ...draft, clock: () => now }, now: () => now };
  const answers = [engineOf(plain), engineOf(guessing, parts)].map((engine) => {
    for (const id of [1, 2]) engine.add(id, request(["HELLO", "ABC"][id - 1], { maxTokens: 60 }));
    const outcomes = finish(engine);
    return [1, 2].map((id) => outcomes.get(id)!.text);
  });
  assertEquals(answers[1], answers[0]);
  assert(guessing.steps.length < 0.6 * plain.steps.length, `${guessing.steps.length} ${plain.steps.length}`);
});
