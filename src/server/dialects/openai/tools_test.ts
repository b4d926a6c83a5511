import { assertEquals, assertThrows } from "@std/assert";
import type { GenerationResult } from "../../../client/generation.ts";
import { HERMES } from "../../../grammar/tools/format.ts";
import { ApiError } from "../../api_error.ts";
import { object } from "../../schema/fields.ts";
import { readFields } from "../../schema/read.ts";
import { ChatAnswers } from "./chat_answers.ts";
import { callingOf } from "../conversation/tools.ts";
import type { Asked } from "../dialect.ts";
import { TOOL_FIELDS, toolsOf } from "./tools.ts";

const BODY = object({}, TOOL_FIELDS);
const read = (body: unknown) => toolsOf(readFields(BODY, body));
const parameters = { type: "object", properties: { city: { type: "string" } } };
const weather = {
  type: "function",
  function: { name: "weather", description: "Of a city", parameters },
} as const;
const clock = { type: "function", function: { name: "clock" } } as const;

Deno.test("toolsOf() takes tools, and the older functions, with a choice of one, some or none", () => {
  assertEquals(read({ tools: [weather] }), { tools: [weather], choice: "auto", parallel: true });
  assertEquals(read({ tools: [weather], tool_choice: "required", parallel_tool_calls: false }), {
    tools: [weather],
    choice: "required",
    parallel: false,
  });
  assertEquals(
    read({ tools: [weather], tool_choice: { type: "function", function: { name: "weather" } } })?.choice,
    { name: "weather" },
  );
  assertEquals(read({ functions: [weather.function], function_call: { name: "weather" } })?.choice, {
    name: "weather",
  });
  for (
    const body of [{}, { tools: [] }, { tools: [weather], tool_choice: "none" }, { tool_choice: "auto" }]
  ) assertEquals(read(body), undefined);
});

Deno.test("tools that cannot be are refused by name", () => {
  for (
    const [body, param] of [
      [{ tool_choice: "required" }, "tool_choice"],
      [{ tools: [{ type: "function" }] }, "tools[0].function"],
      [{ tools: [{ type: "custom", custom: {} }] }, "tools[0].type"],
      [{ tools: [weather], functions: [clock.function] }, "functions"],
    ] as const
  ) assertEquals(assertThrows(() => read(body), ApiError).param, param);
  const calls = { format: "hermes", isNative: true, control: [] };
  const tools = [weather, clock];
  assertThrows(
    () => callingOf({ tools, choice: { name: "other" }, parallel: true }, calls),
    ApiError,
    "none of",
  );
  assertThrows(
    () => callingOf({ tools: [clock, clock], choice: "auto", parallel: true }, calls),
    ApiError,
    "two functions",
  );
  assertEquals(callingOf({ tools, choice: { name: "clock" }, parallel: true }, calls).options.grammar, {
    kind: "tools",
    format: "hermes",
    control: [],
    tools: [{ name: "clock", parameters: undefined }],
    required: true,
    parallel: true,
  });
});

const TEXT = 'One moment.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Kyoto"}}\n</tool_call>';
const asked = {
  id: "ab-1",
  created: 1,
  modelName: "m",
  model: { info: { fingerprint: "fp" } },
} as unknown as Asked;
const result = {
  text: TEXT,
  finishReason: "stop",
  seed: 1,
  usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 9 },
} as GenerationResult;
const call = {
  id: "call_ab100",
  type: "function",
  function: { name: "weather", arguments: '{"city": "Kyoto"}' },
};

Deno.test("a chat's answer has its calls apart from its text, whole and in parts", () => {
  const plan = { n: 1, includeUsage: false };
  // deno-lint-ignore no-explicit-any
  const { choices: [choice] } = new ChatAnswers(asked, plan, { calls: HERMES }).whole([result]) as any;
  assertEquals(choice.message, {
    role: "assistant",
    content: "One moment.\n",
    refusal: null,
    tool_calls: [call],
  });
  assertEquals(choice.finish_reason, "tool_calls");

  const answers = new ChatAnswers(asked, plan, { calls: HERMES });
  answers.first(0, { promptTokens: 1, completionTokens: 0 });
  const chunks = [...TEXT].flatMap((letter) => [answers.part(0, letter)].flat()).concat(
    [answers.last(0, result)].flat(),
  );
  // deno-lint-ignore no-explicit-any
  const deltas = chunks.map((chunk: any) => chunk.choices[0].delta);
  assertEquals(deltas.map(({ content = "" }) => content).join(""), "One moment.\n");
  const parts = deltas.flatMap(({ tool_calls = [] }) => tool_calls);
  assertEquals(parts[0], {
    index: 0,
    id: call.id,
    type: "function",
    function: { name: "weather", arguments: "" },
  });
  assertEquals(parts.map((part) => part.function.arguments).join(""), call.function.arguments);
  // deno-lint-ignore no-explicit-any
  assertEquals((chunks.at(-1) as any).choices[0].finish_reason, "tool_calls");
});

Deno.test("an answer without calls is as it would be without tools", () => {
  const plain = { ...result, text: "It is <tool warm." };
  const answers = new ChatAnswers(asked, { n: 1, includeUsage: false }, { calls: HERMES });
  // deno-lint-ignore no-explicit-any
  const { choices: [choice] } = answers.whole([plain]) as any;
  assertEquals(choice.message, { role: "assistant", content: "It is <tool warm.", refusal: null });
  assertEquals(choice.finish_reason, "stop");
});
