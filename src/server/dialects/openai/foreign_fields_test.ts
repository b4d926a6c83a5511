import { assert, assertEquals, assertThrows } from "@std/assert";
import * as z from "zod";
import { ApiError } from "../../api_error.ts";
import { UNSUPPORTED } from "../../schema/fields.ts";
import { readFields } from "../../schema/read.ts";
import { CHAT_BODY } from "../chat.ts";
import { COMPLETIONS_BODY } from "../completions.ts";
import { EMBEDDINGS_BODY } from "../embeddings.ts";
import { DETOKENIZE_BODY, TOKENIZE_BODY } from "../tokenize.ts";

const messages = [{ role: "user", content: "hi" }];

/** Bodies that hold no more than they must, by schema. */
const BODIES: [z.ZodObject, Record<string, unknown>][] = [
  [CHAT_BODY, { messages }],
  [COMPLETIONS_BODY, { prompt: "a" }],
  [EMBEDDINGS_BODY, { input: "a" }],
  [TOKENIZE_BODY, { content: "a" }],
  [DETOKENIZE_BODY, { tokens: [] }],
];

/** Undefined for a field that may not be left out. */
function optional(field: z.core.$ZodType): z.core.$ZodType | undefined {
  if (field instanceof z.ZodNullable) return field.def.innerType;
  return field instanceof z.ZodOptional ? optional(field.def.innerType) : undefined;
}

type See = (schema: z.ZodObject, put: (value: unknown) => unknown) => void;

/**
 * Calls `see` for each object that a field may hold, with a function that puts such an object where it
 * belongs.
 */
function eachObject(wrapped: z.core.$ZodType, see: See): void {
  const field = optional(wrapped) ?? wrapped;
  if (field instanceof z.ZodObject) {
    see(field, (value) => value);
    for (const [name, inner] of Object.entries(field.shape)) {
      const others = leastOf(field);
      eachObject(inner, (schema, put) => see(schema, (value) => ({ ...others, [name]: put(value) })));
    }
  } else if (field instanceof z.ZodArray) {
    eachObject(field.element, (schema, put) => see(schema, (value) => [put(value)]));
  } else if (field instanceof z.ZodUnion) field.options.forEach((each) => eachObject(each, see));
}

/** Values for what an object must have. */
function leastOf(schema: z.ZodObject): Record<string, unknown> {
  const least = (field: z.core.$ZodType): unknown => {
    const unsupported = UNSUPPORTED.get(field);
    if (unsupported !== undefined) return unsupported.values[0];
    if (field instanceof z.ZodEnum) return field.options[0];
    if (field instanceof z.ZodArray) return [least(field.element)];
    if (field instanceof z.ZodUnion) return least(field.options[0]);
    return field instanceof z.ZodObject ? leastOf(field) : "a";
  };
  const required = Object.entries(schema.shape).filter(([, field]) => optional(field) === undefined);
  return Object.fromEntries(required.map(([name, field]) => [name, least(field)]));
}

Deno.test("null is taken for every field that may be left out, however deep", () => {
  let seen = 0;
  for (const [schema, body] of BODIES) {
    eachObject(schema, (inner, put) => {
      for (const [name, field] of Object.entries(inner.shape)) {
        if (optional(field) === undefined) continue;
        const least = inner === schema ? body : leastOf(inner);
        const whole = put({ ...least, [name]: null }) as Record<string, unknown>;
        readFields(schema, { ...body, ...whole });
        seen++;
      }
    });
  }
  assert(seen > 200, `${seen} fields`);
});

function refusal(body: Record<string, unknown>, schema: z.ZodObject = CHAT_BODY): string {
  const { status, code, param, message } = assertThrows(
    () => readFields(schema, schema === CHAT_BODY ? { messages, ...body } : { prompt: "a", ...body }),
    ApiError,
  );
  assertEquals([status, code], [400, "unsupported_value"]);
  assert(param!.startsWith(Object.keys(body)[0]), param);
  return message;
}

Deno.test("what asks for nothing is taken, and what asks for what is not there is refused with a sentence", () => {
  let seen = 0;
  for (const [schema, body] of BODIES) {
    for (const [name, wrapped] of Object.entries(schema.shape)) {
      const field = optional(wrapped) ?? wrapped;
      if (field instanceof z.ZodUnknown) {
        for (const value of [1, "a", {}, [1]]) readFields(schema, { ...body, [name]: value });
      }
      const unsupported = UNSUPPORTED.get(field);
      if (unsupported === undefined) continue;
      seen++;
      for (const value of [...unsupported.values, ...unsupported.empty ? ["", [], {}] : []]) {
        readFields(schema, { ...body, [name]: value });
      }
      const error = assertThrows(() => readFields(schema, { ...body, [name]: [{ a: 1 }] }), ApiError);
      assertEquals([error.param, error.code], [name, "unsupported_value"]);
      assert(/not supported.*\(field "/.test(error.message), error.message);
    }
  }
  assert(seen > 55, `${seen} fields`);
});

Deno.test("refusals are in the words of what was asked for", () => {
  assertEquals(refusal({ mirostat: 2 }), 'Mirostat is not supported by this server (field "mirostat" is 2)');
  assertEquals(
    refusal({ prompt_embeds: "b" }, COMPLETIONS_BODY),
    'Prompts as vectors are not supported by this server (field "prompt_embeds" is "b")',
  );
  const part = (part: unknown) => refusal({ messages: [{ role: "user", content: [part] }] });
  assertEquals(
    part({ type: "image_url", image_url: { url: "data:," }, detail: "low" }),
    'Images are not supported by this server (field "messages[0].content[0].type")',
  );
  assert(part({ type: "input_audio", input_audio: {} }).startsWith("Audio is not supported"));
  assert(part({ type: "file", file: {} }).startsWith("Files are not supported"));
});
