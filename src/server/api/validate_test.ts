import { assert, assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import { objectSchema } from "./json_schema.ts";
import { CHAT_FIELDS, TEXT_FIELDS } from "./requests.ts";
import { checkObject } from "./validate.ts";

const messages = [{ role: "user", content: "hi" }];

function refusal(fields: typeof CHAT_FIELDS | typeof TEXT_FIELDS, body: unknown): string {
  const error = assertThrows(() => checkObject(fields, body), ApiError);
  assertEquals(error.status, 400);
  return `${error.param}: ${error.message}`;
}

const chat = (fields: object) => refusal(CHAT_FIELDS, { messages, ...fields });

Deno.test("checkObject() takes what clients send and leaves null fields out", () => {
  const body = { model: "m", messages, stream: true, stream_options: { include_usage: true }, store: false };
  assertEquals(checkObject(CHAT_FIELDS, { ...body, stop: null, seed: null, user: "me" }), {
    ...body,
    user: "me",
  });
  const parts = [{ type: "text", text: "a" }, { type: "text", text: "b" }];
  checkObject(CHAT_FIELDS, {
    messages: [{ role: "user", content: parts }],
    response_format: { type: "text" },
  });
  checkObject(CHAT_FIELDS, { messages: [{ role: "assistant", content: "a", refusal: null }] });
  for (const prompt of ["a", ["a", "b"], [1, 2], [[1], [2]]]) checkObject(TEXT_FIELDS, { prompt });
});

Deno.test("checkObject() names the field that is wrong, its range and its value", () => {
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
    'logit_bias: Keys of "logit_bias" must be token ids, one is "-1"',
  );
  assertEquals(
    refusal(CHAT_FIELDS, { messages: [{ role: "user", content: [{ type: "poem" }] }] }).split(":")[0],
    "messages[0].content[0].type",
  );
  assertEquals(refusal(CHAT_FIELDS, {}), 'messages: "messages" is missing');
  assertEquals(refusal(TEXT_FIELDS, { prompt: [1, -1] }).split(":")[0], "prompt[1]");
  assertEquals(refusal(TEXT_FIELDS, []), ": The body must be an object, it is a list");
});

Deno.test("checkObject() refuses fields that it does not know, inherited names among them", () => {
  assertEquals(chat({ tool: [] }), 'tool: There is no field "tool" here');
  assertEquals(
    refusal(CHAT_FIELDS, JSON.parse('{"__proto__":{"stream":true}}')),
    '__proto__: There is no field "__proto__" here',
  );
  assertEquals(chat({ constructor: 1 }), 'constructor: There is no field "constructor" here');
  assertEquals(
    refusal(CHAT_FIELDS, { messages: [{ role: "user", content: "a", nam: "b" }] }),
    'messages[0].nam: There is no field "messages[0].nam" here',
  );
});

Deno.test("checkObject() with onUnknown ignores such fields and tells of each, but not of what is wrong", () => {
  const unknown: string[] = [];
  const body = { messages: [{ ...messages[0], nam: 1 }], tool: [], stop: ["a"], stream_options: { x: 1 } };
  const checked = checkObject(CHAT_FIELDS, body, "", (param) => unknown.push(param));
  assertEquals(unknown, ["tool", "messages[0].nam", "stream_options.x"]);
  assertEquals(checked, { messages, stop: ["a"], stream_options: {} });
  assertThrows(() => checkObject(CHAT_FIELDS, { messages, n: 0 }, "", () => {}), ApiError, '"n" must be');
});

Deno.test("every numeric field takes its bounds and nothing beyond them", () => {
  const NOT_FINITE = [NaN, Infinity, -Infinity];
  let seen = 0;
  for (const [name, field] of Object.entries(CHAT_FIELDS)) {
    if (field.type !== "number" && field.type !== "integer") continue;
    seen++;
    for (const value of [field.min, field.max]) checkObject(CHAT_FIELDS, { messages, [name]: value });
    for (const value of [field.min - 1, field.max * 2 + 1, ...NOT_FINITE]) {
      assert(chat({ [name]: value }).startsWith(`${name}: `));
    }
  }
  assert(seen > 10);
});

Deno.test("objectSchema() says what checkObject() checks", () => {
  const schema = objectSchema(CHAT_FIELDS) as { properties: Record<string, unknown>; required: string[] };
  assertEquals(schema.required, ["messages"]);
  assertEquals(Object.keys(schema.properties), Object.keys(CHAT_FIELDS));
  assertEquals(schema.properties.n, {
    type: "integer",
    minimum: 1,
    maximum: 8,
    description: "Answers to each prompt.",
    default: 1,
  });
});

Deno.test("checkObject() names lists of lists in words", () => {
  assertEquals(
    refusal(TEXT_FIELDS, { prompt: 5 }),
    'prompt: "prompt" must be a string or a list of strings or a list of integers or a list of lists of integers, ' +
      "current value is 5",
  );
});
