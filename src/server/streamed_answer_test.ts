import { assertEquals } from "@std/assert";
import type { GenerationResult } from "../client/generation.ts";
import { ApiError } from "./api_error.ts";
import { ChatAnswers } from "./dialects/openai/chat_answers.ts";
import { TextAnswers } from "./dialects/completions.ts";
import { ChunkEvents } from "./dialects/openai/answers.ts";
import { askedFor } from "../../tests/support/asked.ts";
import { StreamedAnswer } from "./streamed_answer.ts";

const PLAN = { n: 1, includeUsage: false, continuousUsage: false };
const chats = (count = 1, plan = PLAN) =>
  new StreamedAnswer(new ChunkEvents(new ChatAnswers(askedFor({}), plan), plan), count, () => {});
const texts = () =>
  new StreamedAnswer(new ChunkEvents(new TextAnswers(askedFor({}), PLAN), PLAN), 1, () => {});
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
  const answer = chats(2);
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
  const empty = chats();
  empty.ended(0, RESULT);
  const said = choices(empty.take());
  assertEquals(said.map(({ delta }) => delta), [{ role: "assistant", content: "", refusal: null }, {}]);
  assertEquals(said.at(-1).finish_reason, "stop");
  const failed = chats();
  failed.fail(new ApiError(500, "no"));
  const { error } = JSON.parse(failed.take().slice("data: ".length));
  assertEquals(error.message, "no");
});

Deno.test("StreamedAnswer gives an empty list of log-probabilities where an answer has no token, but not at every end", () => {
  const result = { ...RESULT, logprobs: [] };
  const chat = chats();
  chat.ended(0, result);
  assertEquals(choices(chat.take()).map(({ logprobs }) => logprobs), [
    null,
    { content: [], refusal: null },
    null,
  ]);
  const text = texts();
  text.ended(0, result);
  const lists = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  assertEquals(choices(text.take()).map(({ logprobs }) => logprobs), [lists, null]);
  const other = texts();
  const token = { id: 5, text: "a", bytes: [97], logprob: -1, top: [] };
  other.part(0, { tokens: [5], text: "a", logprobs: [token] });
  other.take();
  other.ended(0, { ...result, logprobs: [token] });
  assertEquals(choices(other.take()).map(({ logprobs }) => logprobs), [null]);
});

Deno.test("StreamedAnswer tells each event's usage so far where it is wanted, and [DONE] at the end", () => {
  const plan = { ...PLAN, includeUsage: true, continuousUsage: true };
  const answer = chats(1, plan);
  answer.accepted(0, 7);
  answer.part(0, { tokens: [5, 6], text: "a" });
  const events = answer.take().split("\n\n").slice(0, -1).map((event) => JSON.parse(event.slice(6)));
  assertEquals(events.map(({ usage }) => usage.completion_tokens), [2, 2]);
  assertEquals(events[0].usage.prompt_tokens, 7);
  answer.take();
  answer.finish([RESULT]);
  const [usage, done] = answer.take().split("\n\n");
  assertEquals(JSON.parse(usage.slice(6)).usage.total_tokens, 2);
  assertEquals(done, "data: [DONE]");
});
