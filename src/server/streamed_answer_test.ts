import { assertEquals } from "@std/assert";
import type { GenerationResult } from "../client/generation.ts";
import { ApiError } from "./api_error.ts";
import { ChatFormat, TextFormat } from "./formats.ts";
import { StreamedAnswer } from "./streamed_answer.ts";

const HEAD = { id: "1", created: 0, model: "m", system_fingerprint: "fp" };
const SHAPE = { count: 1, n: 1, includeUsage: false };
const RESULT: GenerationResult = {
  text: "",
  finishReason: "stop",
  usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 },
  timings: { totalMs: 1 },
  seed: 1,
};

// deno-lint-ignore no-explicit-any
function choices(text: string): any[] {
  return text.split("\n\n").slice(0, -1).map((event) =>
    JSON.parse(event.slice("data: ".length)).choices?.[0]
  );
}

Deno.test("StreamedAnswer says the role with the first token, and nothing before", () => {
  const answer = new StreamedAnswer(new ChatFormat(HEAD, false), { ...SHAPE, count: 2 }, () => {});
  assertEquals(answer.take(), "");
  // A token whose character lacks bytes says nothing yet.
  assertEquals(answer.part(1, { tokens: [5], text: "" }), false);
  assertEquals(answer.take(), "");
  assertEquals(answer.part(1, { tokens: [6], text: "é" }), true);
  const first = choices(answer.take());
  assertEquals(first.map(({ index, delta }) => [index, delta]), [
    [1, { role: "assistant", content: "", refusal: null }],
    [1, { content: "é" }],
  ]);
  answer.part(1, { tokens: [7], text: "a" });
  assertEquals(choices(answer.take()).map(({ delta }) => delta), [{ content: "a" }]);
});

Deno.test("StreamedAnswer says the role of an answer without text with its end, and none before an error", () => {
  const empty = new StreamedAnswer(new ChatFormat(HEAD, false), SHAPE, () => {});
  empty.ended(0, RESULT);
  const said = choices(empty.take());
  assertEquals(said.map(({ delta }) => delta), [{ role: "assistant", content: "", refusal: null }, {}]);
  assertEquals(said.at(-1).finish_reason, "stop");
  const failed = new StreamedAnswer(new ChatFormat(HEAD, false), SHAPE, () => {});
  failed.fail(new ApiError(500, "no"));
  const { error } = JSON.parse(failed.take().slice("data: ".length));
  assertEquals(error.message, "no");
});

Deno.test("StreamedAnswer gives an empty list of log-probabilities where an answer has no token, but not at every end", () => {
  const result = { ...RESULT, logprobs: [] };
  const chat = new StreamedAnswer(new ChatFormat(HEAD, false), SHAPE, () => {});
  chat.ended(0, result);
  assertEquals(choices(chat.take()).map(({ logprobs }) => logprobs), [
    null,
    { content: [], refusal: null },
    null,
  ]);
  const text = new StreamedAnswer(new TextFormat(HEAD, false), SHAPE, () => {});
  text.ended(0, result);
  const lists = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  assertEquals(choices(text.take()).map(({ logprobs }) => logprobs), [lists, null]);
  const other = new StreamedAnswer(new TextFormat(HEAD, false), SHAPE, () => {});
  const token = { id: 5, text: "a", bytes: [97], logprob: -1, top: [] };
  other.part(0, { tokens: [5], text: "a", logprobs: [token] });
  other.take();
  other.ended(0, { ...result, logprobs: [token] });
  assertEquals(choices(other.take()).map(({ logprobs }) => logprobs), [null]);
});
