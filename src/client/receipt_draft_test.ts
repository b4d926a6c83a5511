import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Completion, StepEvent } from "../protocol/answer.ts";
import { digestPrompt, TokenChain } from "../protocol/receipts/token_chain.ts";
import type { GenerationRequest } from "../protocol/request.ts";
import { resolveSampling } from "../protocol/sampling.ts";
import { ReceiptDraft, type ReceiptModel } from "./receipt_draft.ts";

const MODEL: ReceiptModel = {
  info: { kvFormat: "q8_0", contextLength: 512 },
  sha256: () => Promise.resolve("ab"),
};
const COMPLETION: Completion = {
  finishReason: "length",
  usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 4 },
  timings: { totalMs: 1 },
  seed: 5,
};
const prompt = [4, 5, 6];

const request = {
  prompt: { tokens: prompt },
  submittedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678) + 0.25,
  sampling: resolveSampling({ seed: 5, temperature: 0.5, logitBias: { 7: -2 } }, 50),
} as unknown as GenerationRequest;

const taken: StepEvent = { id: 1, promptTokens: 3, promptDigest: digestPrompt(prompt), tokens: [], text: "" };
const step = (...tokens: number[]): StepEvent => ({ id: 1, tokens, text: "" });

Deno.test("ReceiptDraft says what was asked, of which model, and what came out", async () => {
  const draft = new ReceiptDraft(request, { ...MODEL, weights: "q4_k" });
  for (const event of [taken, step(1, 2), step(3), step(9)]) draft.push(event);
  const { sampling, ...rest } = await draft.finish(COMPLETION);
  assertEquals([sampling.seed, sampling.temperature, sampling.logit_bias], [5, 0.5, [[7, -2]]]);
  const chain = new TokenChain(digestPrompt(prompt));
  chain.push([1, 2, 3, 9]);
  assertEquals(rest.answer, {
    tokens: 4,
    sha256: chain.sha256,
    marks: chain.marks,
    finish_reason: "length",
  });
  assertEquals(rest.prompt, { tokens: 3, sha256: digestPrompt(prompt).sha256 });
  assertEquals(rest.model, { sha256: "ab", weights: "q4_k" });
  assertEquals([rest.kv_format, rest.context_length, rest.time], ["q8_0", 512, "2026-01-02T03:04:05.678Z"]);
  assertEquals("instructions" in rest, false);
});

Deno.test("ReceiptDraft goes on after a worker's end, which has the prompt told again", async () => {
  const whole = new ReceiptDraft(request, MODEL), replayed = new ReceiptDraft(request, MODEL);
  for (const event of [taken, step(1, 2), step(3)]) whole.push(event);
  for (const event of [taken, step(1, 2), taken, step(3)]) replayed.push(event);
  assertEquals(await replayed.finish(COMPLETION), await whole.finish(COMPLETION));
  const other = new ReceiptDraft(request, MODEL);
  for (const event of [taken, step(1, 2), step(4)]) other.push(event);
  assertNotEquals(
    (await other.finish(COMPLETION)).answer.sha256,
    (await whole.finish(COMPLETION)).answer.sha256,
  );
});

Deno.test("ReceiptDraft gives none for a request that was never taken, or a model that nobody knows", async () => {
  await assertRejects(
    () => new ReceiptDraft(request, MODEL).finish(COMPLETION),
    Error,
    "before it was taken",
  );
  const gone = new ReceiptDraft(request, { ...MODEL, sha256: () => Promise.reject(new Error("changed")) });
  gone.push(taken);
  await assertRejects(() => gone.finish(COMPLETION), Error, "changed");
});
