/** What the dialects make of requests, and how they write answers: without a server. */

import { assertEquals, assertThrows } from "@std/assert";
import type { GenerationResult } from "../src/client/generation.ts";
import { ApiError, errorResponse } from "../src/server/api_error.ts";
import { ANTHROPIC_ERRORS } from "../src/server/dialects/anthropic/errors.ts";
import type { Dialect, Plan } from "../src/server/dialects/dialect.ts";
import { MESSAGES } from "../src/server/dialects/messages.ts";
import { OLLAMA_CHAT, OLLAMA_GENERATE } from "../src/server/dialects/ollama.ts";
import { RESPONSES } from "../src/server/dialects/responses.ts";
import { askedFor } from "./support/asked.ts";

const ASKED = askedFor({ vocab: 100, defaultClass: "interactive", hasChatTemplate: true });
const RESULT: GenerationResult = {
  text: "one two",
  finishReason: "stop",
  usage: { promptTokens: 5, cachedTokens: 2, completionTokens: 3 },
  timings: { totalMs: 9, ttftMs: 4, queueMs: 1 },
  seed: 7,
};

async function plan(dialect: Dialect, body: object): Promise<Plan> {
  return await dialect.plan!(dialect.read(body) as never, ASKED);
}

async function workOf(dialect: Dialect, body: object) {
  const [{ prompt, options }] = (await plan(dialect, body)).works;
  // deno-lint-ignore no-explicit-any
  return { prompt, options } as any;
}

/** The events of a stream as objects, a Plan's writer given two parts. */
async function events(dialect: Dialect, body: object, result = RESULT) {
  const writer = (await plan(dialect, body)).events!;
  const soFar = { promptTokens: 5, completionTokens: 1 };
  const text = writer.first(0, soFar) + writer.part(0, { text: "one" }, soFar) +
    writer.part(0, { text: " two" }, soFar) + writer.last(0, result, soFar) + writer.end([result]);
  const isLines = writer.format !== undefined;
  return text.split(isLines ? "\n" : "\n\n").filter((each) => each !== "").map((each) =>
    JSON.parse(isLines ? each : each.slice(each.indexOf("data: ") + 6))
  );
}

Deno.test("/v1/messages reads system, blocks and results of tools", async () => {
  const { prompt, options } = await workOf(MESSAGES, {
    max_tokens: 9,
    stop_sequences: ["a"],
    top_k: 3,
    thinking: { type: "enabled", budget_tokens: 1024 },
    system: [{ type: "text", text: "A" }, { type: "text", text: "B" }],
    messages: [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "s" },
          { type: "text", text: "one" },
          { type: "text", text: "two" },
          { type: "tool_use", id: "t", name: "f", input: { x: 1 } },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "t" }, { type: "text", text: "go on" }] },
    ],
  });
  assertEquals(prompt, {
    messages: [
      { role: "system", content: "A\nB" },
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: "one\ntwo",
        reasoning_content: "hm",
        tool_calls: [{ id: "t", function: { name: "f", arguments: { x: 1 } } }],
      },
      { role: "tool", content: "", tool_call_id: "t" },
      { role: "user", content: "go on" },
    ],
    enableThinking: true,
  });
  assertEquals([options.maxTokens, options.stop, options.topK], [9, ["a"], 3]);
  const refusal = (fields: object) => {
    const body = { max_tokens: 1, messages: [{ role: "user", content: "a" }], ...fields };
    return assertThrows(() => MESSAGES.read(body), ApiError).param;
  };
  const image = { type: "image", source: {} };
  assertEquals(refusal({ messages: [{ role: "user", content: [image] }] }), "messages[0].content[0].type");
  assertEquals(refusal({ tool_choice: { type: "some" } }), "tool_choice.type");
  assertEquals(refusal({ output_config: { format: { type: "text" } } }), "output_config.format.type");
  assertEquals(refusal({ max_tokens: null }), "max_tokens");
});

Deno.test("/v1/messages streams a message of blocks", async () => {
  const body = { max_tokens: 9, stream: true, messages: [{ role: "user", content: "a" }] };
  const all = await events(MESSAGES, body, { ...RESULT, stop: "x" });
  assertEquals(all.map(({ type }) => type), [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
  assertEquals(all[0].message.usage, { input_tokens: 5, output_tokens: 0 });
  assertEquals(all[5], {
    type: "message_delta",
    delta: { stop_reason: "stop_sequence", stop_sequence: "x" },
    usage: { input_tokens: 3, cache_creation_input_tokens: 0, cache_read_input_tokens: 2, output_tokens: 3 },
  });
});

Deno.test("/v1/messages writes errors as Anthropic does", async () => {
  const error = new ApiError(503, "No room", { code: "queue_full", retryAfterMs: 2000 });
  const response = errorResponse(error, ANTHROPIC_ERRORS);
  assertEquals([response.status, response.headers.get("retry-after")], [529, "2"]);
  assertEquals(await response.json(), {
    type: "error",
    error: { type: "overloaded_error", message: "No room" },
  });
});

Deno.test("/v1/responses reads items, with thoughts and calls of the assistant's message", async () => {
  const { prompt } = await workOf(RESPONSES, {
    instructions: "Be brief",
    reasoning: { effort: "low", summary: "auto" },
    input: [
      { role: "user", content: [{ type: "input_text", text: "hi" }, { type: "input_text", text: "there" }] },
      {
        type: "reasoning",
        id: "r",
        summary: [{ type: "summary_text", text: "hm" }],
        encrypted_content: null,
      },
      {
        type: "message",
        id: "m",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: "one" }],
      },
      { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c", output: "two" },
      { role: "developer", content: "three" },
    ],
  });
  assertEquals(prompt, {
    messages: [
      { role: "system", content: "Be brief" },
      { role: "user", content: "hi\nthere" },
      {
        role: "assistant",
        content: "one",
        reasoning_content: "hm",
        tool_calls: [{ id: "c", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", content: "two", tool_call_id: "c" },
      { role: "developer", content: "three" },
    ],
    enableThinking: true,
    reasoningEffort: "low",
  });
});

Deno.test("/v1/responses numbers its events, and ends with the whole response", async () => {
  const all = await events(RESPONSES, { input: "a", stream: true, max_output_tokens: 3 }, {
    ...RESULT,
    finishReason: "length",
  });
  assertEquals(all.map(({ sequence_number }) => sequence_number), all.map((_, i) => i));
  const { type, response } = all.at(-1);
  assertEquals([type, response.status, response.incomplete_details.reason], [
    "response.incomplete",
    "incomplete",
    "max_output_tokens",
  ]);
  assertEquals(response.output[0].content[0].text, "one two");
  assertEquals(response.usage, {
    input_tokens: 5,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 8,
  });
});

Deno.test("/api/chat and /api/generate read options in Ollama's names", async () => {
  const { prompt, options } = await workOf(OLLAMA_CHAT, {
    model: "m:latest",
    think: "high",
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: { x: 1 } } }] },
      { role: "tool", tool_name: "f", content: "two" },
    ],
    options: {
      num_predict: -1,
      seed: -1,
      top_k: 5,
      stop: ["a", ""],
      repeat_last_n: -1,
      num_ctx: 99,
      mirostat: 0,
    },
  });
  assertEquals(prompt, {
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: { x: 1 } } }] },
      { role: "tool", content: "two", name: "f" },
    ],
    enableThinking: true,
    reasoningEffort: "high",
  });
  assertEquals([options.maxTokens, options.seed, options.topK, options.stop], [undefined, undefined, 5, [
    "a",
  ]]);
  assertEquals(OLLAMA_CHAT.read({ model: "m:latest" }).model, "m");
  const generate = await workOf(OLLAMA_GENERATE, { prompt: "a", system: "b" });
  assertEquals(generate.prompt, {
    messages: [{ role: "system", content: "b" }, { role: "user", content: "a" }],
  });
  assertEquals((await workOf(OLLAMA_GENERATE, { prompt: "a", raw: true })).prompt, { text: "a" });
  assertEquals((await plan(OLLAMA_GENERATE, {})).works, []);
  const refused = assertThrows(() => OLLAMA_CHAT.read({ options: { mirostat: 1 } }), ApiError);
  assertEquals(refused.param, "options.mirostat");
});

Deno.test("/api/chat streams lines, the last one with what was counted", async () => {
  const all = await events(OLLAMA_CHAT, { messages: [{ role: "user", content: "a" }] });
  assertEquals(all.map(({ message, done }) => [message.content, done]), [["one", false], [" two", false], [
    "",
    true,
  ]]);
  const { done_reason, total_duration, prompt_eval_duration, eval_duration, prompt_eval_count, eval_count } =
    all[2];
  assertEquals([done_reason, total_duration, prompt_eval_duration, eval_duration], ["stop", 9e6, 3e6, 5e6]);
  assertEquals([prompt_eval_count, eval_count], [5, 3]);
  const body = { messages: [{ role: "user", content: "a" }], stream: false };
  const whole = (await plan(OLLAMA_CHAT, body)).whole([RESULT]) as {
    message: { content: string };
    done: boolean;
  };
  assertEquals([whole.message.content, whole.done], ["one two", true]);
});
