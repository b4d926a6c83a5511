/** Clients of other interfaces whose requests OpenAI-compatible servers answer. */

import { assert, assertEquals } from "@std/assert";
import { withUpstream } from "./support/routed_server.ts";
import { errorOf } from "./support/server.ts";

const TOOLS = [{
  name: "add",
  description: "Adds.",
  parameters: { type: "object", properties: { a: { type: "number" } } },
}];
const CALL = [
  { delta: { reasoning_content: "Let me" } },
  { delta: { reasoning_content: " add." } },
  { delta: { content: "Wait." } },
  {
    delta: {
      tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "add", arguments: "" } }],
    },
  },
  { delta: { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] } },
  { delta: { tool_calls: [{ index: 0, function: { arguments: "1}" } }] } },
  {
    delta: {
      tool_calls: [{ index: 1, id: "c2", type: "function", function: { name: "add", arguments: "{}" } }],
    },
  },
];

Deno.test("Anthropic's messages are asked of an upstream, with tools, thoughts and what was called", async () => {
  await using both = await withUpstream({ deltas: CALL });
  const { server, there } = both;
  const body = {
    model: "m",
    max_tokens: 50,
    system: "Be kind.",
    stop_sequences: ["END"],
    tools: TOOLS.map(({ parameters, ...rest }) => ({ ...rest, input_schema: parameters })),
    messages: [
      { role: "user", content: "1 + 1?" },
      { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "add", input: { a: 1 } }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "2" }] },
    ],
  };
  const answer = await (await server.ask("/v1/messages", body)).json();
  const kinds = answer.content.map(({ type, thinking, text, name, input }: Record<string, unknown>) =>
    [type, thinking ?? text ?? name, input].filter((each) => each !== undefined)
  );
  assertEquals(kinds, [["thinking", "Let me add."], ["text", "Wait."], ["tool_use", "add", { a: 1 }], [
    "tool_use",
    "add",
    {},
  ]]);
  assertEquals([answer.stop_reason, answer.usage.output_tokens], ["tool_use", 3]);
  const sent = there.seen[0].body;
  assertEquals([sent.model, sent.max_tokens, sent.stop, sent.stream, sent.tool_choice], [
    "org/m",
    50,
    ["END"],
    true,
    "auto",
  ]);
  assertEquals((sent.messages as { role: string }[]).map(({ role }) => role), [
    "system",
    "user",
    "assistant",
    "tool",
  ]);
  const [, , called, result] = sent.messages as Record<string, unknown>[];
  assertEquals(called.tool_calls, [{
    id: "t1",
    type: "function",
    function: { name: "add", arguments: '{"a":1}' },
  }]);
  assertEquals([result.content, result.tool_call_id], ["2", "t1"]);
  assertEquals((sent.tools as unknown[]).length, 1);
  assertEquals(server.log[0].place, "gpu");
  const stream = await (await server.ask("/v1/messages", { ...body, stream: true })).text();
  assert(
    stream.includes('"partial_json"') && stream.includes("thinking_delta") &&
      stream.endsWith('"message_stop"}\n\n'),
  );
});

Deno.test("OpenAI's responses and Ollama's chats are asked of an upstream, whole and as they come", async () => {
  await using both = await withUpstream();
  const { server, there } = both;
  const format = { type: "json_schema", name: "a", schema: { type: "object", properties: {} } };
  const response = await (await server.ask("/v1/responses", {
    model: "m",
    input: "Hi",
    instructions: "Be kind.",
    text: { format },
    reasoning: { effort: "high" },
  })).json();
  assertEquals(response.output.at(-1).content[0].text, "Hello from there");
  const sent = there.seen[0].body;
  assertEquals(
    (sent.response_format as { json_schema: { schema: object } }).json_schema.schema,
    format.schema,
  );
  assertEquals(sent.reasoning_effort, "high");
  const events = await (await server.ask("/v1/responses", { model: "m", input: "Hi", stream: true })).text();
  assert(events.includes("response.output_text.delta") && events.includes("response.completed"));
  const lines = (await (await server.ask("/api/chat", {
    model: "m:latest",
    messages: [{ role: "user", content: "Hi" }],
    options: { temperature: 0, num_predict: 7 },
  })).text()).trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ message }) => message.content).join(""), "Hello from there");
  assertEquals([lines.at(-1).done, lines.at(-1).eval_count], [true, 3]);
  assertEquals([there.seen.at(-1)!.body.temperature, there.seen.at(-1)!.body.max_tokens], [0, 7]);
  assertEquals(there.seen.length, 3);
  assertEquals(server.heard.filter(([name]) => name === "finished").length, 3);
});

Deno.test("a translated request that an upstream does not answer fails in its dialect's own words", async () => {
  await using both = await withUpstream({ response: () => new Response(null, { status: 500 }) });
  const { server } = both;
  const response = await server.ask("/v1/messages", {
    model: "large",
    max_tokens: 5,
    messages: [{ role: "user", content: "Hi" }],
  });
  assertEquals([response.status, (await response.json()).error.type], [502, "api_error"]);
  assertEquals(server.heard.filter(([name]) => name === "refused").length, 1);
  both.there.behaviour.response = undefined;
  both.there.behaviour.breaksAfter = 1;
  const body = { model: "large", max_tokens: 5, messages: [{ role: "user", content: "Hi" }], stream: true };
  const stream = await (await server.ask("/v1/messages", body)).text();
  assert(stream.includes("Hello") && stream.includes("event: error") && !stream.includes("message_stop"));
});

Deno.test("what other servers have no common name for is refused where they alone have the model", async () => {
  await using both = await withUpstream();
  const { server, there } = both;
  const error = await errorOf(
    server.ask("/v1/responses", { model: "large", input: "Hi", top_logprobs: 2 }),
    400,
  );
  assertEquals(error.param, "top_logprobs");
  await (await server.ask("/api/generate", { model: "large", prompt: "Hi", raw: true })).text();
  await (await server.ask("/v1/rerank", { model: "large", query: "a", documents: ["b"] })).text();
  assertEquals(there.seen.length, 0);
});
