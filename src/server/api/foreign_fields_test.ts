import { assert, assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import type { Field, Fields } from "./field.ts";
import {
  CHAT_FIELDS,
  DETOKENIZE_FIELDS,
  EMBEDDING_FIELDS,
  TEXT_FIELDS,
  TOKENIZE_FIELDS,
} from "./requests.ts";
import { checkObject } from "./validate.ts";

const messages = [{ role: "user", content: "hi" }];

/** Bodies that hold no more than they must, by table. */
const TABLES: [Fields, Record<string, unknown>][] = [
  [CHAT_FIELDS, { messages }],
  [TEXT_FIELDS, { prompt: "a" }],
  [EMBEDDING_FIELDS, { input: "a" }],
  [TOKENIZE_FIELDS, { content: "a" }],
  [DETOKENIZE_FIELDS, { tokens: [] }],
];

/** Calls `see` for each object that a field may hold, with a function that puts such an object where it belongs. */
function eachObject(field: Field, see: (fields: Fields, put: (value: unknown) => unknown) => void): void {
  if (field.type === "object") {
    see(field.fields, (value) => value);
    for (const [name, inner] of Object.entries(field.fields)) {
      const others = leastOf(field.fields);
      eachObject(inner, (fields, put) => see(fields, (value) => ({ ...others, [name]: put(value) })));
    }
  } else if (field.type === "list") {
    eachObject(field.of, (fields, put) => see(fields, (value) => [put(value)]));
  } else if (field.type === "choice") field.of.forEach((each) => eachObject(each, see));
}

/** Values for what an object must have. */
function leastOf(fields: Fields): Record<string, unknown> {
  const least = (field: Field): unknown => {
    if (field.type === "unsupported") return field.values?.[0];
    if (field.type === "string") return field.values?.[0] ?? "a";
    if (field.type === "list") return Array.from({ length: field.min }, () => least(field.of));
    if (field.type === "choice") return least(field.of[0]);
    return field.type === "object" ? leastOf(field.fields) : 0;
  };
  const required = Object.entries(fields).filter(([, { required }]) => required);
  return Object.fromEntries(required.map(([name, field]) => [name, least(field)]));
}

Deno.test("null is taken for every field that may be left out, however deep", () => {
  let seen = 0;
  for (const [fields, body] of TABLES) {
    eachObject({ type: "object", fields }, (inner, put) => {
      for (const [name, field] of Object.entries(inner)) {
        if (field.required) continue;
        const least = inner === fields ? body : leastOf(inner);
        const whole = put({ ...least, [name]: null }) as Record<string, unknown>;
        checkObject(fields, { ...body, ...whole });
        seen++;
      }
    });
  }
  assert(seen > 200, `${seen} fields`);
});

function refusal(body: Record<string, unknown>, fields: Fields = CHAT_FIELDS): string {
  const { status, code, param, message } = assertThrows(
    () => checkObject(fields, fields === CHAT_FIELDS ? { messages, ...body } : { prompt: "a", ...body }),
    ApiError,
  );
  assertEquals([status, code], [400, "unsupported_value"]);
  assert(param!.startsWith(Object.keys(body)[0]), param);
  return message;
}

Deno.test("what asks for nothing is taken, and what asks for what is not there is refused with a sentence", () => {
  let seen = 0;
  for (const [fields, body] of TABLES) {
    for (const [name, field] of Object.entries(fields)) {
      if (field.type === "any") {
        for (const value of [1, "a", {}, [1]]) checkObject(fields, { ...body, [name]: value });
      }
      if (field.type !== "unsupported") continue;
      seen++;
      for (const value of [...field.values ?? [], ...field.empty ? ["", [], {}] : []]) {
        checkObject(fields, { ...body, [name]: value });
      }
      const error = assertThrows(() => checkObject(fields, { ...body, [name]: [{ a: 1 }] }), ApiError);
      assertEquals([error.param, error.code], [name, "unsupported_value"]);
      assert(/not supported.*\(field "/.test(error.message), error.message);
    }
  }
  assert(seen > 60, `${seen} fields`);
});

Deno.test("refusals are in the words of what was asked for", () => {
  const tool = { type: "function", function: { name: "f" } };
  const tools = "Tools are not supported by this server yet";
  assertEquals(refusal({ tools: [tool] }), `${tools} (field "tools" is a list)`);
  assertEquals(refusal({ tool_choice: "required" }), `${tools} (field "tool_choice" is "required")`);
  assertEquals(refusal({ tool_choice: tool }).startsWith(tools), true);
  assertEquals(
    refusal({ response_format: { type: "json_schema", json_schema: { name: "a" } } }),
    'Answers in a JSON format are not supported by this server yet (field "response_format.type" is "json_schema")',
  );
  assertEquals(refusal({ mirostat: 2 }), 'Mirostat is not supported by this server (field "mirostat" is 2)');
  assertEquals(
    refusal({ suffix: "b" }, TEXT_FIELDS),
    'Filling a gap before a suffix is not supported by this server (field "suffix" is "b")',
  );
  const part = (part: unknown) => refusal({ messages: [{ role: "user", content: [part] }] });
  assertEquals(
    part({ type: "image_url", image_url: { url: "data:," }, detail: "low" }),
    'Images are not supported by this server (field "messages[0].content[0].type")',
  );
  assert(part({ type: "input_audio", input_audio: {} }).startsWith("Audio is not supported"));
  assert(part({ type: "file", file: {} }).startsWith("Files are not supported"));
});
