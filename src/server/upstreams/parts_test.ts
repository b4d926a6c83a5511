import { assertEquals } from "@std/assert";
import { readAnswer } from "../../grammar/answer_reader.ts";
import { HERMES } from "../../grammar/tools/format.ts";
import { THINK } from "../../grammar/thoughts/format.ts";
import { AnswerText } from "./answer_text.ts";
import { chatBody, isPortable } from "./chat_body.ts";
import { UpstreamFailure } from "./failure.ts";
import { Meter } from "./meter.ts";
import { UpstreamNotes } from "./notes.ts";
import { bodyFor, isInTokens, maxTokensOf, promptTokensOf } from "./request.ts";

const MANNER = { thoughts: THINK, calls: HERMES };
const call = (index: number | undefined, name?: string, args?: string) => ({
  tool_calls: [{ index, function: { name, arguments: args } }],
});

/** What a dialect reads of an answer that came so. */
function read(deltas: object[]) {
  const text = new AnswerText();
  const all = deltas.map((delta) => text.push({ choices: [{ delta }] })).join("") + text.end();
  return readAnswer(all, MANNER, "either").map((piece) =>
    piece.kind === "call" ? `${piece.name}(${piece.arguments})` : `${piece.kind}: ${piece.text}`
  );
}

Deno.test("AnswerText writes thoughts, texts and calls so that a dialect's reader finds them again", () => {
  assertEquals(read([{ role: "assistant", content: "" }, { content: "a" }, { content: "b" }]), ["text: ab"]);
  assertEquals(read([{ reasoning_content: "x" }, { reasoning: "y" }, { content: "a" }]), [
    "thought: xy",
    "text: a",
  ]);
  assertEquals(read([{ reasoning: "only" }]), ["thought: only"]);
  assertEquals(
    read([call(0, "f", ""), call(0, undefined, '{"a":'), call(0, undefined, "1}"), call(1, "g", "{}")]),
    [
      'f({"a":1})',
      "g({})",
    ],
  );
  assertEquals(read([call(0, "none")]), ["none({})"]);
  assertEquals(read([{ reasoning: "t" }, call(undefined, "f", "{}")]), ["thought: t", "f({})"]);
});

Deno.test("Meter counts events and texts, and doubts what cannot be", () => {
  const meter = (usage: unknown, words = 40) => {
    const meter = new Meter(10);
    for (let i = 0; i < words; i++) meter.take({ choices: [{ delta: { content: " word" } }] });
    meter.take({ choices: [], usage });
    return meter.result;
  };
  const tokens = (usage: unknown) => {
    const { promptTokens, answerTokens, isDoubted } = meter(usage);
    return [promptTokens, answerTokens, isDoubted];
  };
  assertEquals(tokens({ prompt_tokens: 12, completion_tokens: 44 }), [12, 44, false]);
  assertEquals(tokens({ prompt_tokens: 12, completion_tokens: 4400 }), [10, 50, true]);
  assertEquals(tokens({ prompt_tokens: 12, completion_tokens: 1 }), [10, 50, true]);
  assertEquals(tokens({ prompt_tokens: 1e6, completion_tokens: 44 }), [10, 50, true]);
  // Thoughts that are not shown are tokens, too.
  const hidden = { completion_tokens_details: { reasoning_tokens: 4360 } };
  assertEquals(tokens({ prompt_tokens: 12, completion_tokens: 4400, ...hidden }), [12, 4400, false]);
  for (const usage of [undefined, null, 5, "x", {}, { prompt_tokens: "12" }, { prompt_tokens: 1.5 }]) {
    assertEquals(tokens(usage), [10, 50, false]);
  }
  for (const choices of [null, [null], [{}], [{ delta: null }], [{ delta: { tool_calls: [null, 5] } }], {}]) {
    assertEquals(new Meter(1).take({ choices }), 0);
  }
});

Deno.test("promptTokensOf() and maxTokensOf() read what any dialect has", () => {
  const text = "a".repeat(400);
  assertEquals(promptTokensOf({ model: text, messages: [{ role: "", content: [{ text }] }] }), 100);
  assertEquals(promptTokensOf({ prompt: [1, 2, 3] }), 3);
  assertEquals(promptTokensOf({ prompt: [[1, 2], [3]], kumi: { data: text } }), 3);
  assertEquals([maxTokensOf({}), maxTokensOf({ max_tokens: -1 })], [undefined, undefined]);
  assertEquals(maxTokensOf({ max_tokens: 9, max_completion_tokens: 7, n: 2 }), 14);
  assertEquals(maxTokensOf({ options: { num_predict: 5 } }), 5);
});

Deno.test("isInTokens() tells tokens from texts and from items", () => {
  const all = [{ prompt: [1] }, { prompt: [[1]] }, { input: [1] }, { input: [[1]] }, {
    logit_bias: { 1: 1 },
  }];
  assertEquals(all.map(isInTokens), all.map(() => true));
  const none = [{ prompt: "a" }, { prompt: ["a"] }, { input: ["a"] }, { input: [{ role: "user" }] }, {
    logit_bias: null,
  }];
  assertEquals(none.map(isInTokens), none.map(() => false));
});

Deno.test("bodyFor() and chatBody() say what other servers know", () => {
  const body = {
    model: "a",
    messages: [],
    class: "c",
    deadline_ms: 1,
    priority: 1,
    cache_salt: "s",
    kumi: {},
  };
  assertEquals(bodyFor(body, "b", false), { model: "b", messages: [] });
  assertEquals(bodyFor(body, "b", true), { ...body, model: "b" });
  const chat = {
    messages: [{ role: "user", content: "Hi" } as const],
    options: { maxTokens: 5, topK: undefined, stop: [] },
  };
  assertEquals(chatBody(chat, "b"), {
    model: "b",
    messages: chat.messages,
    max_tokens: 5,
    stream: true,
    stream_options: { include_usage: true },
  });
  const any = chatBody({ ...chat, grammar: { kind: "schema", schema: { type: "object" } } }, "b");
  assertEquals(any.response_format, { type: "json_object" });
  assertEquals([isPortable(chat), isPortable({ ...chat, grammar: { kind: "regex", pattern: "a" } })], [
    true,
    false,
  ]);
});

Deno.test("UpstreamNotes tells of each trouble once a minute, on one line", () => {
  const lines: string[] = [];
  let now = 0;
  const notes = new UpstreamNotes((line) => lines.push(line), () => now);
  const fail = (kind: "slow" | "status") => notes.failed("gpu", new UpstreamFailure(kind, "first\nsecond"));
  fail("slow");
  fail("slow");
  fail("status");
  notes.failed("gpu", new Error("the client's"));
  assertEquals(lines.length, 2);
  assertEquals([lines[0].startsWith('kumi: upstream "gpu" failed (slow): first'), lines[0].includes("\n")], [
    true,
    false,
  ]);
  now = 60_000;
  fail("slow");
  notes.doubted("gpu", {
    told: { promptTokens: 1, answerTokens: 2 },
    counted: { promptTokens: 3, answerTokens: 4 },
  });
  assertEquals(lines.length, 4);
});
