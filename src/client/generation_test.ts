import { assertEquals, assertRejects } from "@std/assert";
import { Generation } from "./generation.ts";
import type { Completion } from "../protocol/answer.ts";

const completion: Completion = {
  finishReason: "stop",
  usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 2 },
  timings: { totalMs: 1 },
  seed: 7,
};

async function read(generation: Generation): Promise<string[]> {
  const parts: string[] = [];
  for await (const part of generation) parts.push(part);
  return parts;
}

Deno.test("Generation gives parts as they come and the whole at the end", async () => {
  const generation = new Generation(() => {});
  const parts = read(generation);
  await Promise.resolve();
  generation.push({ id: 1, tokens: [], text: "a" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  generation.push({ id: 1, tokens: [], text: "" });
  generation.push({ id: 1, tokens: [], text: "b", completion });
  assertEquals(await parts, ["a", "b"]);
  assertEquals((await generation.result).text, "ab");
});

Deno.test("Generation.result works without iterating", async () => {
  const generation = new Generation(() => {});
  generation.push({ id: 1, tokens: [], text: "ab", completion });
  assertEquals(await generation.result, { text: "ab", ...completion });
  assertEquals(await read(generation), ["ab"]);
});

Deno.test("Generation rejects with the error after the parts before it", async () => {
  const generation = new Generation(() => {});
  generation.push({ id: 1, tokens: [], text: "a" });
  generation.fail(new RangeError("no"));
  const parts: string[] = [];
  await assertRejects(async () => {
    for await (const part of generation) parts.push(part);
  }, RangeError);
  assertEquals(parts, ["a"]);
  await assertRejects(() => generation.result, RangeError);
});

Deno.test("Generation cancels when the reader leaves early, and only then", async () => {
  let cancels = 0;
  const left = new Generation(() => cancels++);
  left.push({ id: 1, tokens: [], text: "a" });
  for await (const _ of left) break;
  assertEquals(cancels, 1);
  const whole = new Generation(() => cancels++);
  whole.push({ id: 2, tokens: [], text: "a", completion });
  for await (const _ of whole) break;
  assertEquals(cancels, 1);
});

const cut: Completion = { ...completion, finishReason: "abort" };

Deno.test("Generation throws the signal's reason after the last part where that ended it; the result has what came", async () => {
  for (const reason of [undefined, new RangeError("too slow")]) {
    const controller = new AbortController();
    const generation = new Generation(() => {}, {}, { signal: controller.signal });
    generation.push({ id: 1, tokens: [], text: "a" });
    controller.abort(reason);
    generation.push({ id: 1, tokens: [], text: "b", completion: cut });
    const parts: string[] = [];
    const error = await assertRejects(async () => {
      for await (const part of generation) parts.push(part);
    }, Error);
    assertEquals(error, controller.signal.reason);
    assertEquals(error.name, reason === undefined ? "AbortError" : "RangeError");
    assertEquals(parts.join(""), "ab");
    assertEquals(await generation.result, { text: "ab", ...cut });
  }
});

Deno.test("Generation throws nothing where the answer ended by itself, by its deadline, or by its reader", async () => {
  const controller = new AbortController();
  const whole = new Generation(() => {}, {}, { signal: controller.signal });
  whole.push({ id: 1, tokens: [], text: "a", completion });
  const late = new Generation(() => {}, {}, { signal: controller.signal });
  late.push({ id: 2, tokens: [], text: "a", completion: { ...completion, finishReason: "deadline" } });
  const left = new Generation(() => {}, {}, undefined);
  left.push({ id: 3, tokens: [], text: "a", completion: cut });
  controller.abort();
  for (const generation of [whole, late, left]) assertEquals(await read(generation), ["a"]);
});

Deno.test("Generation tells the tokens as they come, and ends with what the listener throws", async () => {
  const seen: number[] = [];
  let cancels = 0;
  const onTokens = (tokens: readonly number[]) => {
    seen.push(...tokens);
    if (seen.length > 2) throw new RangeError("enough");
  };
  const generation = new Generation(() => cancels++, { onTokens });
  generation.push({ id: 1, tokens: [5], text: "a" });
  generation.push({ id: 1, tokens: [], text: "b" });
  generation.push({ id: 1, tokens: [6, 7], text: "c" });
  assertEquals([seen, cancels], [[5, 6, 7], 1]);
  await assertRejects(() => generation.result, RangeError, "enough");
});

Deno.test("Generation tells that a request was accepted, and each part with its log-probabilities", async () => {
  const heard: unknown[] = [];
  const generation = new Generation(() => {}, {
    onAccepted: (promptTokens) => heard.push(promptTokens),
    onPart: (part) => heard.push(part),
  });
  const logprobs = [{ id: 5, text: "a", bytes: [97], logprob: -1, top: [] }];
  generation.push({ id: 1, promptTokens: 3, tokens: [], text: "" });
  generation.push({ id: 1, tokens: [5], text: "a", logprobs });
  generation.push({ id: 1, tokens: [], text: "b", completion });
  assertEquals(heard, [3, { tokens: [5], text: "a", logprobs }, {
    tokens: [],
    text: "b",
    logprobs: undefined,
  }]);
  assertEquals((await generation.result).text, "ab");
});
