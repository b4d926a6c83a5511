/** What an answer must be, in the names that clients of OpenAI's, vLLM's, SGLang's and llama.cpp's servers have. @module */

import type { GrammarSource } from "../../../grammar/mod.ts";
import { badField } from "../../api_error.ts";
import { anything, flag, list, object, text, unsupported, unused, word } from "../../schema/fields.ts";
import type { FieldsOf } from "../../schema/read.ts";

const GRAMMAR_MAX = 1 << 20;
const CHOICES_MAX = 1000;
const schema = (help: string) => anything({ help });
const texts = list(text(1 << 16, { min: 1 }), 1, CHOICES_MAX, { help: "The answer is one of these texts." });
const pattern = text(1 << 16, { help: "A regular expression that the whole answer matches." });
const gbnf = text(GRAMMAR_MAX, { help: "A grammar in llama.cpp's notation (GBNF)." });

/** Fields of requests for chats and completions. */
export const STRUCTURE_FIELDS = {
  response_format: object({ type: word(["text", "json_object", "json_schema", "regex", "grammar"]) }, {
    json_schema: object({}, {
      schema: schema("A JSON Schema, of draft 7 or 2020-12."),
      name: text(256),
      description: text(1 << 16),
      strict: flag("Taken: answers always keep to the schema."),
    }),
    schema: schema("A JSON Schema, where llama.cpp's clients write it."),
    pattern,
    grammar: gbnf,
  }, { help: "json_object: any object of JSON; json_schema: a text of JSON that fits the schema." }),
  structured_outputs: object({}, {
    json: schema("A JSON Schema, or its text."),
    json_object: flag("Any object of JSON."),
    regex: pattern,
    choice: texts,
    grammar: gbnf,
    structural_tag: unsupported("Structural tags are not supported by this server", { empty: true }),
  }, {
    others: unused([
      "disable_any_whitespace",
      "disable_additional_properties",
      "disable_fallback",
      "backend",
      "whitespace_pattern",
    ]),
    help: "As vLLM names them.",
  }),
  guided_json: schema("A JSON Schema, or its text; vLLM's older name."),
  guided_regex: pattern,
  guided_choice: texts,
  guided_grammar: gbnf,
  json_schema: schema("A JSON Schema; llama.cpp's name."),
  grammar: gbnf,
  regex: pattern,
  ebnf: gbnf,
};

const STRUCTURE_BODY = object({}, STRUCTURE_FIELDS);
export type StructureFields = FieldsOf<typeof STRUCTURE_BODY>;

/** An answer's form, and the field that asks for it. */
export interface Structure {
  readonly field: string;
  readonly grammar: GrammarSource;
}

const ANY_OBJECT = { type: "object" };

/** What a request asks of its answer's form. Throws an ApiError, 400, for two forms at once. */
export function structureOf(fields: StructureFields): Structure | undefined {
  const forms = [...formats(fields), ...guided(fields)];
  if (forms.length > 1) {
    throw badField(
      forms[1].field,
      `"${forms[0].field}" and "${forms[1].field}" both say what the answer must be: give one`,
    );
  }
  return forms[0];
}

function formats({ response_format: format }: StructureFields): Structure[] {
  const field = "response_format";
  if (format == null || format.type === "text") return [];
  if (format.type === "json_object") {
    return [{ field, grammar: { kind: "schema", schema: format.schema ?? ANY_OBJECT } }];
  }
  if (format.type === "regex" || format.type === "grammar") {
    const source = format.type === "regex" ? format.pattern : format.grammar;
    if (source == null) {
      throw badField(
        field,
        `"response_format" of type ${format.type} needs its "${
          format.type === "regex" ? "pattern" : "grammar"
        }"`,
      );
    }
    return [{
      field,
      grammar: format.type === "regex"
        ? { kind: "regex", pattern: source }
        : { kind: "gbnf", grammar: source },
    }];
  }
  const schema = format.json_schema?.schema ?? format.schema;
  if (schema == null) {
    throw badField(field, '"response_format" of type json_schema needs "json_schema" with a "schema"');
  }
  return [{ field, grammar: { kind: "schema", schema } }];
}

function guided(fields: StructureFields): Structure[] {
  const { structured_outputs: outputs } = fields;
  const schemas: Record<string, unknown> = {
    guided_json: fields.guided_json,
    json_schema: fields.json_schema,
    "structured_outputs.json": outputs?.json,
    "structured_outputs.json_object": outputs?.json_object === true ? ANY_OBJECT : undefined,
  };
  const patterns = {
    guided_regex: fields.guided_regex,
    regex: fields.regex,
    "structured_outputs.regex": outputs?.regex,
  };
  const grammars = {
    grammar: fields.grammar,
    ebnf: fields.ebnf,
    guided_grammar: fields.guided_grammar,
    "structured_outputs.grammar": outputs?.grammar,
  };
  const choices = { guided_choice: fields.guided_choice, "structured_outputs.choice": outputs?.choice };
  const given = <T>(
    values: Record<string, T>,
    make: (field: string, value: NonNullable<T>) => GrammarSource,
  ) =>
    Object.entries(values).flatMap(([field, value]) =>
      value == null || value === "" ? [] : [{ field, grammar: make(field, value) }]
    );
  return [
    ...given(schemas, (field, value) => ({ kind: "schema", schema: readSchema(field, value) })),
    ...given(patterns, (_, pattern) => ({ kind: "regex", pattern })),
    ...given(grammars, (_, grammar) => ({ kind: "gbnf", grammar })),
    ...given(choices, (_, texts) => ({ kind: "choice", texts })),
  ];
}

/** Some clients send a schema as text. */
function readSchema(field: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch (error) {
    throw badField(field, `"${field}" is a text that is no JSON: ${(error as Error).message}`);
  }
}
