import { assertEquals } from "@std/assert";
import { type AnswerPiece, CallParser } from "./call_parser.ts";
import {
  DEEPSEEK,
  DEEPSEEK31,
  formatOf,
  FUNCTIONARY,
  GLM,
  GRANITE,
  HERMES,
  LLAMA3,
  MINIMAX,
  MISTRAL,
  MISTRAL_ARGS,
  PHI4,
  QWEN_CODER,
  type ToolFormat,
} from "./format.ts";

const ARGS = '{"city":"Kyoto \\"}{","days":[1,{"a":2}]}';

/** What models write, and the text and calls in it. */
const TRANSCRIPTS: readonly [ToolFormat, string, string, readonly [string, string][]][] = [
  [
    HERMES,
    `Let me see.\n<tool_call>\n{"name": "weather", "arguments": ${ARGS}}\n</tool_call>`,
    "Let me see.\n",
    [["weather", ARGS]],
  ],
  [
    HERMES,
    `<tool_call>\n{"name": "a", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name":"b","arguments":${ARGS}}\n</tool_call>`,
    "",
    [["a", "{}"], ["b", ARGS]],
  ],
  [HERMES, "A <tool_cal is no call, 1 < 2.", "A <tool_cal is no call, 1 < 2.", []],
  [LLAMA3, `{"name": "weather", "parameters": ${ARGS}}`, "", [["weather", ARGS]]],
  [LLAMA3, 'It is {"name": "x"}.', 'It is {"name": "x"}.', []],
  [MISTRAL, `[TOOL_CALLS][{"name": "a", "arguments": ${ARGS}}, {"name": "b", "arguments": {}}]`, "", [[
    "a",
    ARGS,
  ], ["b", "{}"]]],
  [MISTRAL, `[TOOL_CALLS] [{"name":"a","arguments":${ARGS}}]`, "", [["a", ARGS]]],
  [GRANITE, `<|tool_call|>[{"name": "a", "arguments": ${ARGS}}]`, "", [["a", ARGS]]],
  [
    DEEPSEEK,
    `Hm.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>a\n\`\`\`json\n${ARGS}\n\`\`\`<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>b\n\`\`\`json\n{}\n\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
    "Hm.",
    [["a", ARGS], ["b", "{}"]],
  ],
  [FUNCTIONARY, `>>>weather\n${ARGS}`, "", [["weather", ARGS]]],
  [PHI4, `<|tool_call|>[{"name": "a", "arguments": ${ARGS}}]<|/tool_call|>`, "", [["a", ARGS]]],
  [MISTRAL_ARGS, `Hm.[TOOL_CALLS]a[ARGS]${ARGS}[TOOL_CALLS]b[ARGS]{}`, "Hm.", [["a", ARGS], ["b", "{}"]]],
  [
    DEEPSEEK31,
    `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>a<｜tool▁sep｜>${ARGS}<｜tool▁call▁end｜><｜tool▁call▁begin｜>b<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
    "",
    [["a", ARGS], ["b", "{}"]],
  ],
  [
    QWEN_CODER,
    `I look.\n<tool_call>\n<function=weather>\n<parameter=city>\nKyoto "}{\n\n</param\n</parameter>\n<parameter=days>\n[1, {"a": "</parameter> \\" 2 "}]\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>`,
    "I look.\n",
    [["weather", '{"city": "Kyoto \\"}{\\n\\n</param", "days": [1, {"a": "</parameter> \\" 2 "}]}'], [
      "now",
      "{}",
    ]],
  ],
  [
    GLM,
    `<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Kyo\nto</arg_value>\n<arg_key>days</arg_key>\n<arg_value> [1, 2] </arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>`,
    "",
    [["weather", '{"city": "Kyo\\nto", "days": [1, 2]}'], ["now", "{}"]],
  ],
  [
    MINIMAX,
    `Hm <minimax:tool_call>\n<invoke name="weather">\n<parameter name="city">Kyoto</parameter>\n<parameter name="days">[]</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>`,
    "Hm ",
    [["weather", '{"city": "Kyoto", "days": []}'], ["now", "{}"]],
  ],
];
const TOOLS = [{
  name: "weather",
  parameters: { type: "object", properties: { city: { type: "string" }, days: { type: "array" } } },
}, { name: "now" }];

function read(parts: readonly string[], format: ToolFormat) {
  const parser = new CallParser(format, TOOLS);
  const pieces: AnswerPiece[] = [...parts.flatMap((part) => parser.push(part)), ...parser.end()];
  const text = pieces.flatMap((piece) => piece.kind === "text" ? [piece.text] : []).join("");
  const calls: [string, string][] = [];
  for (const piece of pieces) {
    if (piece.kind === "call") calls.push([piece.name, ""]);
    if (piece.kind === "arguments") calls[piece.index][1] += piece.text;
  }
  return { text, calls };
}

Deno.test("CallParser reads what models write, cut at any place", () => {
  for (const [format, transcript, text, calls] of TRANSCRIPTS) {
    assertEquals(read([transcript], format), { text, calls: [...calls] }, transcript);
    for (let cut = 1; cut < transcript.length; cut++) {
      assertEquals(read([transcript.slice(0, cut), transcript.slice(cut)], format), {
        text,
        calls: [...calls],
      }, `${transcript} at ${cut}`);
    }
    assertEquals(read([...transcript], format), { text, calls: [...calls] });
  }
});

Deno.test("CallParser gives the arguments of a call that was cut as they are", () => {
  assertEquals(read(['<tool_call>\n{"name": "a", "arguments": {"b": "c'], HERMES), {
    text: "",
    calls: [["a", '{"b": "c']],
  });
  assertEquals(read(["x<tool_call>\n{"], HERMES).text, "x<tool_call>\n{");
});

Deno.test("formatOf() knows a model's way by its template", () => {
  assertEquals(formatOf("{{ messages }}"), undefined);
  assertEquals(formatOf("{% if tools %}<tool_call>")?.name, "hermes");
  assertEquals(formatOf("{% if tools %}[TOOL_CALLS]")?.name, "mistral");
  assertEquals(formatOf("{% if tools %}[TOOL_CALLS][ARGS]")?.name, "mistral-args");
  assertEquals(formatOf("{% if tools %}<tool_call><function=x><parameter=y>"), QWEN_CODER);
  assertEquals(formatOf("{% if tools %}<tool_call><arg_key>"), GLM);
  assertEquals(formatOf("{% if tools %}<|channel|>commentary to=functions.")?.name, "harmony");
  assertEquals(formatOf('{% if tools %}{"name": "parameters": ')?.name, "llama3");
});
