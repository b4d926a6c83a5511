/**
 * Answers of a real model to prompts that ask for JSON, each by one of five schemas: how many are valid, by a validator that
 * shares nothing with the grammars where npm can be reached.
 *
 * deno task run bench/shaped_answers.ts MODEL.gguf [--prompts 200] [--threads N]
 * @module
 */

import { parseArgs } from "@std/cli";
import { loadModel } from "../mod.ts";
import { compileGrammar } from "../src/grammar/mod.ts";
import { loadAjv } from "../tests/support/ajv.ts";

const { _: [path], ...args } = parseArgs(Deno.args, {
  string: ["prompts", "threads"],
  default: { prompts: "200" },
});
if (path === undefined) throw new RangeError("Give a GGUF file");

const closed = (properties: Record<string, unknown>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const word = { type: "string", minLength: 1, maxLength: 40 };

/** What is asked for, and the schema that its answer has. */
const FORMS: readonly { readonly of: string; readonly schema: unknown }[] = [
  {
    of: "a person",
    schema: closed({
      name: word,
      age: { type: "integer", minimum: 0, maximum: 120 },
      email: { type: "string", format: "email", maxLength: 60 },
    }),
  },
  {
    of: "a recipe",
    schema: closed({
      title: word,
      minutes: { type: "integer", minimum: 1, maximum: 600 },
      ingredients: {
        type: "array",
        items: closed({ name: word, grams: { type: "number", minimum: 0, maximum: 5000 } }),
        minItems: 1,
        maxItems: 4,
      },
    }),
  },
  {
    of: "an event",
    schema: closed({
      what: word,
      date: { type: "string", format: "date" },
      place: { anyOf: [word, { type: "null" }] },
      kind: { enum: ["concert", "talk", "sport"] },
    }),
  },
  {
    of: "a product",
    schema: closed({
      code: { type: "string", pattern: "^[A-Z]{3}-[0-9]{4}$" },
      price: { type: "number", minimum: 0, exclusiveMaximum: 10000 },
      tags: { type: "array", items: word, maxItems: 3 },
      inStock: { type: "boolean" },
    }),
  },
  {
    of: "a list of shapes",
    schema: {
      type: "array",
      minItems: 1,
      maxItems: 3,
      items: {
        oneOf: [
          closed({ kind: { const: "circle" }, radius: { type: "integer", minimum: 1, maximum: 99 } }),
          closed({
            kind: { const: "box" },
            width: { type: "integer", minimum: 1, maximum: 99 },
            height: { type: "integer", minimum: 1, maximum: 99 },
          }),
        ],
      },
    },
  },
];
const TOPICS = [
  "a city",
  "the sea",
  "a winter day",
  "music",
  "a garden",
  "the moon",
  "a small shop",
  "a train",
  "a school",
  "an old book",
];

const ajv = await loadAjv();
const validators = FORMS.map(({ schema }) => ajv?.(schema) ?? (() => true));
const grammars = FORMS.map(({ schema }) => ({
  kind: "compiled" as const,
  words: compileGrammar({ kind: "schema", schema }),
}));
await using model = await loadModel(String(path), {
  threads: args.threads === undefined ? undefined : Number(args.threads),
  sequencesMax: 16,
  contextLength: 1024,
});
const count = Number(args.prompts);
let at = 0, valid = 0, cut = 0, tokens = 0;
const wrong: string[] = [];
const lane = async () => {
  while (at < count) {
    const i = at++;
    const form = i % FORMS.length;
    const content = `Give me JSON of ${FORMS[form].of} about ${
      TOPICS[Math.floor(i / FORMS.length) % TOPICS.length]
    }.`;
    const { text, finishReason, usage } = await model.chat([{ role: "user", content }], {
      grammar: grammars[form],
      seed: i,
      maxTokens: 900,
    }).result;
    tokens += usage.completionTokens;
    if (finishReason === "length") cut++;
    try {
      if (validators[form](JSON.parse(text))) valid++;
      else wrong.push(text);
    } catch {
      wrong.push(text);
    }
  }
};
await Promise.all(Array.from({ length: 16 }, lane));
console.log(
  `${valid} of ${count} valid${
    ajv === null ? " as JSON (npm cannot be reached)" : " by Ajv"
  }; ${cut} were cut at 900 tokens; ${tokens} tokens`,
);
for (const text of wrong.slice(0, 10)) console.log(`not valid: ${text.slice(0, 300)}`);
