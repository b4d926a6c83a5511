import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import type { Completion } from "../../protocol/answer.ts";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import type { ChatMessage } from "../../protocol/request.ts";
import { Generation } from "../generation.ts";
import type { ToolChatOptions } from "./options.ts";
import { type ChatEvent, ToolChat } from "./tool_chat.ts";
import { tool } from "./tools.ts";

const ASKED = [{ role: "user", content: "What is 17 + 25?" }];
const CALLS = { format: "hermes", isNative: true, control: [] };
const call = (name: string, args: unknown) =>
  `<tool_call>\n${
    JSON.stringify({ name, arguments: args }).replaceAll('":', '": ').replaceAll(',"', ', "')
  }\n</tool_call>`;

/** A model that answers with these texts in turn; what it was asked. */
function scripted(texts: readonly string[], end: Partial<Completion> = {}) {
  const asked: { messages: readonly ChatMessage[]; options: ChatOptions }[] = [];
  const answering = (messages: readonly ChatMessage[], options: ChatOptions): Generation => {
    const text = texts[asked.length];
    asked.push({ messages: [...messages], options });
    const { signal } = options;
    const generation = new Generation(() => {}, {}, { signal });
    const completion = (finishReason: Completion["finishReason"]): Completion => ({
      finishReason,
      usage: { promptTokens: 3, cachedTokens: 1, completionTokens: 2 },
      timings: { totalMs: 1 },
      seed: 0,
      ...end,
    });
    const push = (text: string, done?: Completion) =>
      generation.push({ id: 1, tokens: [1], text, completion: done });
    signal?.addEventListener("abort", () => push("", completion("abort")));
    (async () => {
      for (const part of text.match(/.{1,7}/gs) ?? []) {
        await Promise.resolve();
        push(part);
      }
      if (text !== ENDLESS) push("", completion("stop"));
    })();
    return generation;
  };
  return { asked, answering };
}
const ENDLESS = "and so on";

function chat(texts: readonly string[], options: ToolChatOptions, end?: Partial<Completion>) {
  const { asked, answering } = scripted(texts, end);
  return { asked, chat: new ToolChat(answering, ASKED, options, { toolCalls: CALLS }) };
}

const add = tool({
  description: "Adds.",
  parameters: z.object({ a: z.number(), b: z.number().max(50) }),
  execute: ({ a, b }) => a + b,
});

Deno.test("a chat runs what the model calls, and tells it the results", async () => {
  const { asked, chat: running } = chat(["Let me see." + call("add", { a: 17, b: 25 }), "It is 42."], {
    tools: { add },
    toolChoice: "required",
    maxTokens: 9,
  });
  const events: ChatEvent[] = [];
  for await (const event of running.events()) events.push(event);
  const { text, messages, calls, pending, finishReason, usage, rounds } = await running.result;
  assertEquals([text, finishReason, pending, rounds.length], ["It is 42.", "stop", [], 2]);
  assertEquals(usage, { promptTokens: 6, cachedTokens: 2, completionTokens: 4 });
  const called = { id: "call00000", name: "add", arguments: { a: 17, b: 25 } };
  assertEquals(calls, [{ ...called, output: 42, text: "42" }]);
  assertEquals(messages, [
    {
      role: "assistant",
      content: "Let me see.",
      tool_calls: [{ id: "call00000", function: { name: "add", arguments: { a: 17, b: 25 } } }],
    },
    { role: "tool", content: "42", name: "add", tool_call_id: "call00000" },
    { role: "assistant", content: "It is 42." },
  ]);
  assertEquals(events.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1]), [
    "text",
    "call",
    "result",
    "text",
  ]);
  // The choice is for the first answer; later ones may end.
  assertEquals(asked.map(({ options }) => options.grammar?.kind === "tools" && options.grammar.required), [
    true,
    false,
  ]);
  assertEquals(asked[1].messages, [...ASKED, ...messages.slice(0, 2)]);
  assertEquals([asked[0].options.maxTokens, asked[0].options.tools?.[0].function.name], [9, "add"]);
  // Whoever comes later sees all of it.
  let again = "";
  for await (const part of running) again += part;
  assertEquals(again, "Let me see.It is 42.");
});

Deno.test("what a handler throws, and arguments that its schema refuses, are told to the model", async () => {
  const broken = { execute: () => Promise.reject(new RangeError("no network")) };
  const circle: unknown[] = [];
  circle.push(circle);
  const odd = { execute: () => circle };
  const texts = [
    call("broken", {}) + "\n" + call("add", { a: 1, b: 99 }) + "\n" + call("odd", {}) + "\n" +
    call("other", {}),
    "Sorry.",
  ];
  const { calls, messages } = await chat(texts, { tools: { broken, add, odd } }).chat.result;
  assertEquals(calls.map(({ name, text }) => [name, Object.keys(JSON.parse(text))]), [
    ["broken", ["error"]],
    ["add", ["error"]],
    ["odd", ["error"]],
    ["other", ["error"]],
  ]);
  assertEquals(calls[0].error?.name, "RangeError");
  assert(calls[1].text.includes("The arguments do not fit: b: "), calls[1].text);
  assert(calls[3].text.includes("There is no tool named"), calls[3].text);
  assertEquals(messages.map(({ role, tool_call_id }) => tool_call_id ?? role), [
    "assistant",
    "call00000",
    "call00001",
    "call00002",
    "call00003",
    "assistant",
  ]);
});

Deno.test("results are told as texts, or as JSON", async () => {
  const tools = {
    text: { execute: () => "as it is" },
    json: { execute: () => Promise.resolve({ a: [1] }) },
    nothing: { execute: () => {} },
  };
  const texts = [Object.keys(tools).map((name) => call(name, {})).join("\n"), "Done."];
  const { calls } = await chat(texts, { tools }).chat.result;
  assertEquals(calls.map(({ text }) => text), ["as it is", '{"a":[1]}', "null"]);
});

Deno.test("a chat ends after maxRounds answers, and with calls that have no handler", async () => {
  const forever = new Array<string>(9).fill(call("add", { a: 1, b: 2 }));
  const bounded = chat(forever, { tools: { add }, maxRounds: 3 });
  const { finishReason, calls, pending, rounds } = await bounded.chat.result;
  assertEquals([finishReason, calls.length, rounds.length, bounded.asked.length], ["rounds", 2, 3, 3]);
  assertEquals(pending.map(({ id }) => id), ["call00002"]);
  const ask = { description: "Asks the user." };
  const open = await chat([call("add", { a: 1, b: 2 }) + "\n" + call("ask", { q: "?" })], {
    tools: { add, ask },
  }).chat.result;
  assertEquals([open.finishReason, open.calls.map(({ name }) => name)], ["calls", ["add"]]);
  assertEquals(open.pending, [{ id: "call00001", name: "ask", arguments: { q: "?" } }]);
  assertEquals(open.messages.map(({ role }) => role), ["assistant", "tool"]);
});

Deno.test("calls that were cut are not run", async () => {
  const cut = call("add", { a: 1, b: 2 }).slice(0, -20);
  const { finishReason, calls } = await chat([cut], { tools: { add } }, { finishReason: "length" }).chat
    .result;
  assertEquals([finishReason, calls], ["length", []]);
});

Deno.test("an abort ends an answer, or handlers that do not heed it", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const answering = chat([ENDLESS], { tools: { add }, signal }).chat;
  let seen = "";
  const reason = await assertRejects(async () => {
    for await (const part of answering) {
      seen += part;
      controller.abort();
    }
  }, DOMException);
  assertEquals([seen, reason.name, (await answering.result).finishReason], [ENDLESS, "AbortError", "abort"]);

  const later = new AbortController();
  let heard: AbortSignal | undefined;
  const slow = {
    execute: (_: unknown, context: { signal: AbortSignal }) => {
      heard = context.signal;
      later.abort();
      return new Promise(() => {});
    },
  };
  const running = chat([call("slow", {})], { tools: { slow }, signal: later.signal }).chat;
  const { finishReason, pending } = await running.result;
  assertEquals([finishReason, pending.length, heard?.aborted], ["abort", 1, true]);
});

Deno.test("a loop that is left ends the chat", async () => {
  const { chat: running, asked } = chat([ENDLESS], { tools: { add } });
  for await (const _ of running) break;
  assertEquals((await running.result).finishReason, "abort");
  assertEquals(asked[0].options.signal?.aborted, true);
});

Deno.test("an answer that fails rejects the chat, and its loops throw that", async () => {
  const failing = () => {
    const generation = new Generation(() => {});
    generation.fail(new Error("refused"));
    return generation;
  };
  const running = new ToolChat(failing, ASKED, { tools: { add } }, { toolCalls: CALLS });
  await assertRejects(() => running.result, Error, "refused");
  await assertRejects(() => Array.fromAsync(running), Error, "refused");
});

Deno.test("tools that cannot be are refused at once", () => {
  assertThrows(
    () => chat([""], { tools: { add }, toolChoice: { name: "sub" } }),
    RangeError,
    '"sub", is none of',
  );
  const odd = { parameters: z.date() };
  assertThrows(() => chat([""], { tools: { odd } }), TypeError, 'The schema of tool "odd" is no JSON Schema');
});
