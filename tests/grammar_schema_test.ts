/**
 * JSON Schemas as grammars: the official suite's instances are taken where they are valid and not where they are not, and random
 * texts of a schema's grammar fit the schema.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomSchema } from "../bench/support/schemas.ts";
import { GrammarError, type GrammarSource } from "../src/grammar/mod.ts";
import { SchemaDocument } from "../src/grammar/json_schema/document.ts";
import { fits } from "../src/grammar/json_schema/fits.ts";
import { Budget } from "../src/grammar/error.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { TextGrammars } from "./support/grammar.ts";
import { orders } from "./support/json_orders.ts";
import { groupsOf, hasSuite } from "./support/schema_suite.ts";

/** Instances that are valid and are not taken, or the other way about, and why that is so. */
const KNOWN: readonly [RegExp, string][] = [
  [/^format\.json/, "formats are kept, where the suite's own tests of them allow readers to ignore them"],
  [/^hostname\.json/, "names that begin with xn-- are left out: their rules are those of another alphabet"],
  [/leap second/, "times have no leap seconds"],
  [/^email\.json.*(quoted string|address-literal)/, "addresses have plain local parts and names of hosts"],
  [/^content\.json/, "what a text holds is not looked at"],
  [/^(bignum|float-overflow)\.json/, "numbers have no more than 40 digits"],
  [/^duration\.json.*many digits/, "numbers have no more than 40 digits"],
  [/^vocabulary\.json/, "a schema's own vocabulary does not take keywords away"],
];

for (const [draft, share] of [["draft7", 0.75], ["draft2020-12", 0.55]] as const) {
  Deno.test({
    name: `grammars take the valid instances of ${draft}'s official suite and no others`,
    ignore: !hasSuite,
    async fn() {
      using grammars = new TextGrammars();
      let groups = 0, supported = 0;
      const wrong: string[] = [];
      for await (const [file, { description, schema, tests }] of groupsOf(draft)) {
        groups++;
        let matches: (text: string) => boolean;
        try {
          matches = grammars.matcher({ kind: "schema", schema });
        } catch (error) {
          assert(error instanceof GrammarError, `${file}: ${error}`);
          if (!error.message.startsWith("No text at all")) continue;
          matches = () => false;
        }
        supported++;
        for (const { description: about, data, valid } of tests) {
          const name = `${file} | ${description} | ${about}`;
          if (KNOWN.some(([pattern]) => pattern.test(name))) continue;
          const taken = orders(data).some((text) => matches(text));
          if (taken !== valid) wrong.push(name);
        }
      }
      assertEquals(wrong.filter((name) => !name.includes("fifteen nines")), []);
      assert(supported / groups >= share, `${supported} of ${groups}`);
    },
  });
}

Deno.test("random texts of a schema's grammar are JSON that fits the schema", () => {
  using grammars = new TextGrammars();
  const random = randomFrom(21);
  let texts = 0;
  for (let i = 0; i < 60; i++) {
    const schema = randomSchema(random);
    using grammar = grammars.open({ kind: "schema", schema });
    const document = new SchemaDocument(schema);
    for (let j = 0; j < 3; j++) {
      const text = grammars.sample(grammar, random, 2000);
      if (text === null) continue;
      texts++;
      const value = JSON.parse(text);
      assert(
        fits(document, value, [{ node: document.root, without: "" }], new Budget(1e6, "")),
        `${text} of ${JSON.stringify(schema)}`,
      );
    }
  }
  assert(texts > 60, `${texts}`);
});

const refusals: readonly [unknown, string][] = [
  [{ contains: {} }, "The keyword contains is not supported (at /contains)"],
  [
    { properties: { a: { unevaluatedItems: false } } },
    "unevaluatedItems is not supported (at /properties/a/unevaluatedItems)",
  ],
  [
    { properties: { "a/b": { frobnicate: 1 } } },
    '"frobnicate" is not known (at /properties/a~1b/frobnicate)',
  ],
  [{ type: "text" }, "type must be one of"],
  [{ minLength: -1 }, "minLength must be a whole number"],
  [{ $ref: "https://example.com/other.json" }, "leads out of the schema"],
  [{ $ref: "#/nowhere" }, "leads nowhere"],
  [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "1 and 0"],
  [{ type: "string", format: "iri" }, 'The format "iri" is not supported (at /format)'],
  [{ type: "string", pattern: "(?<=a)b" }, "lookbehind is not supported"],
  [{ type: "array", uniqueItems: true }, "uniqueItems"],
  [{ not: { minimum: 3 } }, "not is supported with a type alone"],
  [{ type: "integer", minimum: 5, maximum: 4 }, "No text at all fits"],
  [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, "No text at all fits"],
  ["string", "A schema is an object or a boolean"],
];

Deno.test("compileGrammar() refuses what it cannot follow by its name and place", () => {
  using grammars = new TextGrammars();
  for (const [schema, message] of refusals) {
    const error = assertThrows(
      () => grammars.open({ kind: "schema", schema }),
      GrammarError,
      "",
    ) as GrammarError;
    assert(
      error.message.includes(message) || message === "1 and 0" && error.message.includes("overlap"),
      error.message,
    );
  }
});

const texts: readonly [GrammarSource, readonly string[], readonly string[]][] = [
  [{ kind: "choice", texts: ["yes", "no", "yes, but"] }, ["yes", "no", "yes, but"], ["", "y", "yesno", "No"]],
  [{ kind: "regex", pattern: "[a-z]+@[a-z]+\\.(com|org)" }, ["a@b.com"], ["a@b.net", " a@b.com"]],
  [
    { kind: "gbnf", grammar: 'root ::= "[" (item ("," item)*)? "]" # list\nitem ::= [0-9]{1,3} | root' },
    ["[]", "[1]", "[12,[3,[]]]"],
    ["[1,]", "[1234]", "]"],
  ],
  [
    {
      kind: "gbnf",
      grammar: 'root ::= (greet\n  name |\n  "-")\ngreet ::= "hi "\nname ::= [^\\x00-\\x1f ]+',
    },
    [
      "hi Bob",
      "-",
      "hi 日本",
    ],
    ["hi ", "hi a b"],
  ],
  [{ kind: "schema", schema: { type: "object" } }, ['{"a":{"b":[1,"x",null]}}', "{}", '{ "a": 1, "b": 2 }'], [
    "[]",
    '{"a"}',
    '{"a":1,}',
    '{"a":1   }',
  ]],
  [
    {
      kind: "schema",
      schema: {
        properties: { a: { type: "integer" }, b: { type: "string" } },
        required: ["b"],
        type: "object",
        additionalProperties: false,
      },
    },
    ['{"a":1,"b":"x"}', '{"b":"\\n"}'],
    ['{"b":"x","a":1}', '{"a":1}', '{"a":1.5,"b":"x"}', '{"b":"x","c":1}'],
  ],
  [{ kind: "schema", schema: { type: "string", minLength: 2, maxLength: 3 } }, [
    '"ab"',
    '"日本語"',
    '"\\u0041\\n"',
    '"😀😀"',
  ], ['"a"', '"abcd"', '"\\ud83d"']],
];

Deno.test("grammars take their own texts whole, and no others", () => {
  using grammars = new TextGrammars();
  for (const [source, good, bad] of texts) {
    using matches = grammars.matcher(source);
    for (const text of good) assert(matches(text), `${text} of ${JSON.stringify(source)}`);
    for (const text of bad) assert(!matches(text), `${text} is not of ${JSON.stringify(source)}`);
  }
});

Deno.test("gbnf grammars are refused with line and column", () => {
  using grammars = new TextGrammars();
  for (
    const [grammar, message] of [
      ['start ::= "a"', "no rule root"],
      ["root ::= other", "There is no rule other (at line 1, column 10)"],
      ['root ::= root "a" | "b"', "left recursion"],
      ['root ::= "a\nb"\nroot ::= "c"', "twice"],
      ["root ::= [a", "ends inside"],
      ['root ::= ("a"', ") is missing"],
      ['root = "a"', "::= is missing"],
    ]
  ) assertThrows(() => grammars.open({ kind: "gbnf", grammar }), GrammarError, message);
});

Deno.test("forced() gives what must follow, and states lead back to where they were", () => {
  using grammars = new TextGrammars();
  using grammar = grammars.open({ kind: "schema", schema: { enum: [{ name: "x" }] } });
  const state = grammar.acceptBytes(grammar.start(), new TextEncoder().encode("{"))!;
  const next = grammar.acceptBytes(state, new TextEncoder().encode('"name'))!;
  assertEquals(new TextDecoder().decode(grammar.forced(next)), '":');
  // Taking tokens back is going on from an older state.
  assertEquals(grammar.acceptBytes(state, new TextEncoder().encode('"name')), next);
  assertEquals(grammar.acceptBytes(state, new TextEncoder().encode("x")), undefined);
});

const weather = {
  name: "weather",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const clock = { name: "clock", parameters: { type: "object", properties: {}, additionalProperties: false } };
const call = (name: string, args: string) =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;

Deno.test("answers with tools are text, and calls whose arguments fit their schemas", () => {
  using grammars = new TextGrammars();
  const tools = [weather, clock];
  const source = {
    kind: "tools",
    format: "hermes",
    control: [],
    tools,
    required: false,
    parallel: true,
  } as const;
  using free = grammars.matcher(source);
  const one = call("weather", '{"city":"Kyoto"}'), other = call("clock", "{}");
  for (const text of ["", "Hello <tool_", one, `I look. ${one}`, `${one}\n${other}`]) {
    assert(free(text), text);
  }
  for (
    const text of [
      call("weather", "{}"),
      call("clock", '{"city":"x"}'),
      call("other", "{}"),
      `${one} and more`,
      "<tool_call>",
      one.slice(0, -1),
    ]
  ) assert(!free(text), text);
  using must = grammars.matcher({ ...source, required: true, parallel: false });
  assert(must(one) && !must("Hello") && !must(`${one}\n${other}`));
  using whole = grammars.matcher({ ...source, format: "llama3" });
  assert(
    whole('{"name": "weather", "parameters": {"city":"x"}}') && whole("Hello {") &&
      !whole('{"name": "weather"'),
  );
});
