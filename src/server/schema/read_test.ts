import { assert, assertEquals, assertThrows } from "@std/assert";
import * as z from "zod";
import { ApiError } from "../api_error.ts";
import { CHAT_BODY } from "../dialects/chat.ts";
import { COMPLETIONS_BODY } from "../dialects/completions.ts";
import { jsonSchema } from "./json_schema.ts";
import { readFields } from "./read.ts";

const messages = [{ role: "user", content: "hi" }];

function refusal(schema: z.ZodObject, body: unknown): string {
  const error = assertThrows(() => readFields(schema, body), ApiError);
  assertEquals(error.status, 400);
  return `${error.param}: ${error.message}`;
}

const chat = (fields: object) => refusal(CHAT_BODY, { messages, ...fields });
const prompt = (prompt: unknown) => refusal(COMPLETIONS_BODY, { prompt });

Deno.test("readFields() takes what clients send and leaves null fields out", () => {
  const body = { model: "m", messages, stream: true, stream_options: { include_usage: true }, store: false };
  assertEquals<unknown>(readFields(CHAT_BODY, { ...body, stop: null, seed: null, user: "me" }), {
    ...body,
    user: "me",
  });
  const parts = [{ type: "text", text: "a" }, { type: "text", text: "b" }];
  readFields(CHAT_BODY, {
    messages: [{ role: "user", content: parts }],
    response_format: { type: "text" },
  });
  readFields(CHAT_BODY, { messages: [{ role: "assistant", content: "a", refusal: null }] });
  for (const prompt of ["a", ["a", "b"], [1, 2], [[1], [2]]]) readFields(COMPLETIONS_BODY, { prompt });
});

Deno.test("readFields() names the field that is wrong, its range and its value", () => {
  assertEquals(
    chat({ temperature: 3 }),
    'temperature: "temperature" must be a number from 0 to 2, current value is 3',
  );
  assertEquals(chat({ n: 1.5 }), 'n: "n" must be an integer from 1 to 8, current value is 1.5');
  assertEquals(chat({ n: "2" }), 'n: "n" must be an integer from 1 to 8, current value is "2"');
  assertEquals(chat({ stream: 1 }), 'stream: "stream" must be true or false, current value is 1');
  assertEquals(
    chat({ stop: [""] }),
    'stop[0]: "stop[0]" must have 1 to 256 characters, current length is 0',
  );
  assertEquals(
    chat({ logit_bias: { "-1": 1 } }),
    'logit_bias: "logit_bias" must have token ids as keys, one is "-1"',
  );
  assertEquals(
    chat({ logit_bias: { "5": 101 } }),
    'logit_bias[5]: "logit_bias[5]" must be a number from -100 to 100, current value is 101',
  );
  assertEquals(
    refusal(CHAT_BODY, { messages: [{ role: "user", content: [{ type: "poem" }] }] }),
    'messages[0].content[0].type: "messages[0].content[0].type" must be "text" or "input_text" or "output_text" or ' +
      '"refusal", current value is "poem"',
  );
  assertEquals(refusal(CHAT_BODY, {}), 'messages: "messages" is missing');
  assertEquals(refusal(CHAT_BODY, { messages: null }), 'messages: "messages" is missing');
  assertEquals(
    refusal(CHAT_BODY, { messages: [{ role: "user", content: "a" }, { content: "a" }] }),
    'messages[1].role: "messages[1].role" is missing',
  );
  assertEquals(chat({ stop: ["a", null] }), 'stop[1]: "stop[1]" must be a string, current value is null');
  assertEquals(refusal(COMPLETIONS_BODY, []), ": The body must be an object, it is a list");
  assertEquals(refusal(COMPLETIONS_BODY, null), ": The body must be an object, it is null");
});

Deno.test("readFields() explains a value of several kinds as the one that it fits best", () => {
  const kinds = "a string or a list of strings or a list of integers or a list of lists of integers";
  assertEquals(prompt(5), `prompt: "prompt" must be ${kinds}, current value is 5`);
  assertEquals(prompt([true]), `prompt: "prompt" must be ${kinds}, current value is a list`);
  const integer = "must be an integer from 0 to 16777216, current value is";
  assertEquals(prompt([1, -1]), `prompt[1]: "prompt[1]" ${integer} -1`);
  assertEquals(prompt([-1, 1]), `prompt[0]: "prompt[0]" ${integer} -1`);
  assertEquals(prompt([1.5]), `prompt[0]: "prompt[0]" ${integer} 1.5`);
  assertEquals(prompt([1, "a"]), `prompt[1]: "prompt[1]" ${integer} "a"`);
  assertEquals(prompt([[1], [2, "a"]]), `prompt[1][1]: "prompt[1][1]" ${integer} "a"`);
  assertEquals(prompt(["a", 1]), 'prompt[1]: "prompt[1]" must be a string, current value is 1');
  assertEquals(prompt([[]]), 'prompt[0]: "prompt[0]" must have 1 to 1048576 entries, it has 0');
  assertEquals(chat({ stop: "" }), 'stop: "stop" must have 1 to 256 characters, current length is 0');
});

Deno.test("readFields() refuses fields that it does not know, inherited names among them", () => {
  assertEquals(chat({ tool: [] }), 'tool: There is no field "tool" here');
  assertEquals(
    chat(JSON.parse('{"__proto__":{"stream":true}}')),
    '__proto__: There is no field "__proto__" here',
  );
  assertEquals(chat({ constructor: 1 }), 'constructor: There is no field "constructor" here');
  assertEquals(
    refusal(CHAT_BODY, { messages: [{ role: "user", content: "a", nam: "b" }] }),
    'messages[0].nam: There is no field "messages[0].nam" here',
  );
  const part = { type: "text", text: "a", txt: "b" };
  assertEquals(
    refusal(CHAT_BODY, { messages: [{ role: "user", content: [part] }] }).split(":")[0],
    "messages[0].content[0].txt",
  );
  assertEquals(chat({ stream_options: { x: 1 } }).split(":")[0], "stream_options.x");
  // What is missing was misspelt, or is of another endpoint.
  assertEquals(refusal(COMPLETIONS_BODY, { messages }).split(":")[0], "messages");
});

Deno.test("readFields() with onUnknown ignores such fields and tells of each, but not of what is wrong", () => {
  const unknown: string[] = [];
  const body = { messages: [{ ...messages[0], nam: 1 }], tool: [], stop: ["a"], stream_options: { x: 1 } };
  const checked = readFields(CHAT_BODY, body, (param) => unknown.push(param));
  assertEquals(unknown, ["tool", "messages[0].nam", "stream_options.x"]);
  assertEquals<unknown>(checked, { messages, stop: ["a"], stream_options: {} });
  assertThrows(() => readFields(CHAT_BODY, { messages, n: 0 }, () => {}), ApiError, '"n" must be');
});

Deno.test("readFields() looks for one mistake, and at the length of a list first", () => {
  let looks = 0;
  const counted = new Proxy(new Array(100).fill({}), {
    get: (list, key, receiver) => {
      if (typeof key === "string" && /^\d+$/.test(key)) looks++;
      return Reflect.get(list, key, receiver);
    },
  });
  assertEquals(chat({ tool_calls: counted }).split(":")[0], "tool_calls");
  const wrong = refusal(CHAT_BODY, { messages: counted });
  assertEquals(wrong, 'messages[0].role: "messages[0].role" is missing');
  assert(looks < 250, `${looks} entries were looked at`);
  const many = Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [i, 0]));
  assertEquals(
    chat({ logit_bias: many }),
    'logit_bias: "logit_bias" must have at most 1024 entries, it has 1025',
  );
});

/** A field without what says that it may be left out. */
function inner(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? inner(schema.def.innerType)
    : schema;
}

Deno.test("every numeric field takes its bounds and nothing beyond them", () => {
  const NOT_FINITE = [NaN, Infinity, -Infinity];
  let seen = 0;
  for (const [name, wrapped] of Object.entries(CHAT_BODY.shape)) {
    const field = inner(wrapped);
    if (!(field instanceof z.ZodNumber)) continue;
    seen++;
    const [min, max] = [field.minValue!, field.maxValue!];
    for (const value of [min, max]) readFields(CHAT_BODY, { messages, [name]: value });
    for (const value of [min - 1, max * 2 + 1, ...NOT_FINITE]) {
      assert(chat({ [name]: value }).startsWith(`${name}: "${name}" must be a`));
    }
  }
  assert(seen > 10);
});

// deno-lint-ignore no-explicit-any
const documented = (schema: z.ZodObject) => jsonSchema(schema) as any;

Deno.test("jsonSchema() says what readFields() checks", () => {
  const schema = documented(CHAT_BODY);
  assertEquals(schema.required, ["messages"]);
  assertEquals(schema.additionalProperties, false);
  assertEquals(Object.keys(schema.properties), Object.keys(CHAT_BODY.shape));
  const { n, lora, mirostat, user, logit_bias, stop, messages: { items }, stream_options } =
    schema.properties;
  assertEquals(n, {
    type: "integer",
    minimum: 1,
    maximum: 8,
    description: "Answers to each prompt.",
    default: 1,
  });
  assertEquals(mirostat, { enum: [null, 0], description: "Mirostat is not supported by this server" });
  assertEquals(lora.anyOf[0], { enum: [null, ""] });
  assertEquals(user, {});
  assertEquals([logit_bias.type, logit_bias.maxProperties], ["object", 1024]);
  assertEquals(stop.anyOf.map(({ type }: { type: string }) => type), ["string", "array"]);
  assertEquals(items.required, ["role"]);
  assertEquals(items.properties.content.anyOf[1].items.properties.type.enum.slice(0, 2), [null, "text"]);
  assertEquals(Object.keys(stream_options.properties).length, 3);
});
