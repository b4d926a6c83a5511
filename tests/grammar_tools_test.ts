/** Grammars of calls in each manner, with the library: what they allow is read back as calls that fit. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readAnswer } from "../src/grammar/answer_reader.ts";
import { GrammarError, type GrammarSource } from "../src/grammar/mod.ts";
import { entryBytes } from "../src/grammar/thoughts/grammar.ts";
import { HARMONY_THOUGHTS } from "../src/grammar/thoughts/format.ts";
import { TOOL_FORMATS } from "../src/grammar/tools/format.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { TextGrammars } from "./support/grammar.ts";

const TOOLS = [
  {
    name: "find",
    parameters: {
      type: "object",
      properties: {
        query: { type: "string", description: "What to look for" },
        kind: { enum: ["a", "b c"] },
        most: { type: "integer", minimum: 1, maximum: 20 },
        code: { $ref: "#/$defs/code" },
      },
      required: ["query", "kind"],
      $defs: { code: { type: "string", pattern: "^[A-Z]{2}$" } },
    },
  },
  { name: "now", parameters: { type: "object", properties: {} } },
];

/** Whether arguments fit, by hand. */
function fits(name: string, text: string): void {
  const { query, kind, most, code, ...rest } = JSON.parse(text);
  const others = Object.keys(rest);
  if (name === "now") {
    return assertEquals([query, kind, most, code], [undefined, undefined, undefined, undefined], text);
  }
  assertEquals(name, "find");
  assert(typeof query === "string" && ["a", "b c"].includes(kind), text);
  assert(most === undefined || Number.isInteger(most) && most >= 1 && most <= 20, text);
  assert(code === undefined || /^[A-Z]{2}$/.test(code), text);
  assert(others.every((other) => !["query", "kind"].includes(other)), text);
}

const source = (format: string, more: object = {}): GrammarSource => ({
  kind: "tools",
  format,
  control: [],
  tools: TOOLS,
  required: true,
  parallel: true,
  ...more,
} as GrammarSource);

/** Free text may be cut inside of a character: then it is none that can be read. */
function sampled(sample: () => string | null): string | null {
  try {
    return sample();
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

Deno.test("calls that a grammar allows are read as calls that fit their schemas, in every manner", () => {
  using grammars = new TextGrammars();
  const random = randomFrom(5);
  for (const calls of TOOL_FORMATS) {
    const isHarmony = calls.name === "harmony";
    const plain = source(calls.name);
    const whole: GrammarSource = isHarmony
      ? { kind: "thoughts", format: "harmony", control: [], then: plain }
      : plain;
    using grammar = grammars.open(whole);
    let seen = 0;
    for (let i = 0; i < 25; i++) {
      const text = sampled(() =>
        grammars.sample(grammar, random, 700, isHarmony ? entryBytes("either") : undefined)
      );
      if (text === null) continue;
      const manner = { calls, tools: TOOLS, ...isHarmony ? { thoughts: HARMONY_THOUGHTS } : {} };
      const pieces = readAnswer(text, manner, "either");
      const called = pieces.flatMap((piece) => piece.kind === "call" ? [piece] : []);
      assert(called.length > 0, `${calls.name}: ${text}`);
      for (const { name, arguments: args } of called) fits(name, args);
      seen += called.length;
    }
    assert(seen > 3, `${calls.name}: ${seen} calls`);
  }
});

Deno.test("an answer with tools and a shape is one of both", () => {
  using grammars = new TextGrammars();
  const answer = { kind: "schema", schema: { type: "integer" } };
  for (const format of ["hermes", "llama3", "qwen3-coder"]) {
    using matches = grammars.matcher(source(format, { required: false, answer }));
    assertEquals(["7", "x", ""].map(matches), [true, false, false], format);
  }
  using matches = grammars.matcher(source("hermes", { required: false, answer }));
  assert(matches('<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'));
});

Deno.test("parameters of which a schema says more than tags can keep are refused by name", () => {
  using grammars = new TextGrammars();
  const parameters = { type: "object", properties: {}, minProperties: 1 };
  const refuse = () => grammars.open(source("glm", { tools: [{ name: "f", parameters }] }));
  assertThrows(refuse, GrammarError, '"minProperties" is not supported here');
});
