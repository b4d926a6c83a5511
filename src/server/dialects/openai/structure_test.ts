import { assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../../api_error.ts";
import { object } from "../../schema/fields.ts";
import { readFields } from "../../schema/read.ts";
import { STRUCTURE_FIELDS, structureOf } from "./structure.ts";

const BODY = object({}, STRUCTURE_FIELDS);
const structure = (body: unknown) => structureOf(readFields(BODY, body));
const schema = { type: "object" };

Deno.test("structureOf() knows an answer's form by all the names that clients have for it", () => {
  const cases: [unknown, string, unknown][] = [
    [{ response_format: { type: "json_object" } }, "response_format", {
      kind: "schema",
      schema: { type: "object" },
    }],
    [
      { response_format: { type: "json_schema", json_schema: { name: "a", schema, strict: true } } },
      "response_format",
      { kind: "schema", schema },
    ],
    [{ response_format: { type: "json_object", schema } }, "response_format", { kind: "schema", schema }],
    [{ structured_outputs: { json: schema } }, "structured_outputs.json", { kind: "schema", schema }],
    [{ structured_outputs: { choice: ["a", "b"] } }, "structured_outputs.choice", {
      kind: "choice",
      texts: ["a", "b"],
    }],
    [{ guided_json: JSON.stringify(schema) }, "guided_json", { kind: "schema", schema }],
    [{ guided_regex: "a+" }, "guided_regex", { kind: "regex", pattern: "a+" }],
    [{ guided_choice: ["a"] }, "guided_choice", { kind: "choice", texts: ["a"] }],
    [{ json_schema: schema }, "json_schema", { kind: "schema", schema }],
    [{ grammar: 'root ::= "a"' }, "grammar", { kind: "gbnf", grammar: 'root ::= "a"' }],
    [{ ebnf: 'root ::= "a"' }, "ebnf", { kind: "gbnf", grammar: 'root ::= "a"' }],
  ];
  for (const [body, field, grammar] of cases) assertEquals(structure(body), { field, grammar } as never);
});

Deno.test("structureOf() asks for nothing where nothing is asked", () => {
  for (
    const body of [{}, { response_format: { type: "text" } }, {
      grammar: "",
      guided_json: null,
      structured_outputs: null,
    }]
  ) {
    assertEquals(structure(body), undefined);
  }
});

Deno.test("structureOf() refuses two forms, and forms without what they need", () => {
  for (
    const [body, param, message] of [
      [
        { guided_regex: "a", response_format: { type: "json_object" } },
        "guided_regex",
        "both say what the answer must be",
      ],
      [
        { response_format: { type: "json_schema" } },
        "response_format",
        'needs "json_schema" with a "schema"',
      ],
      [{ guided_json: "{" }, "guided_json", "no JSON"],
      [{ response_format: { type: "xml" } }, "response_format.type", "one of"],
      [
        { structured_outputs: { structural_tag: "{}" } },
        "structured_outputs.structural_tag",
        "not supported",
      ],
    ] as const
  ) {
    const error = assertThrows(() => structure(body), ApiError, message);
    assertEquals([error.status, error.param], [400, param]);
  }
});
