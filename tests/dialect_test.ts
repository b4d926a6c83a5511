/**
 * A dialect that shares nothing with OpenAI's: the parts of a server that every request passes must know
 * nothing of what is written in its file.
 */
import { assertEquals } from "@std/assert";
import type { ApiError } from "../src/server/api_error.ts";
import { type Asked, dialect, type Endpoint, type EventWriter } from "../src/server/dialects/dialect.ts";
import { urgencyOf } from "../src/server/dialects/urgency.ts";
import { Accounts } from "../src/server/accounts/accounts.ts";
import type { KeyOptions } from "../src/server/accounts/rules.ts";
import { Usage } from "../src/server/accounts/usage.ts";
import { Front, type FrontOptions } from "../src/server/front.ts";
import { FixedModels } from "../src/server/models.ts";
import { flag, integer, list, object, text } from "../src/server/schema/fields.ts";
import { Service } from "../src/server/service.ts";
import { eventText } from "../src/server/sse.ts";
import { PROMPT_TOKENS, ServedModel } from "./support/served_model.ts";

const TYPES: Readonly<Record<number, string>> = { 401: "no_key", 404: "no_such_thing", 503: "overloaded" };

const ERRORS = {
  body: ({ status, message }: ApiError) => ({
    type: "error",
    error: { kind: TYPES[status] ?? "bad", message },
  }),
  status: ({ status }: ApiError) => status === 503 ? 529 : status,
};

/** Named events, several in a step; tokens of the prompt come first, and which stop string ended it last. */
class ToyEvents implements EventWriter {
  readonly #asked: Asked;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  first(index: number, { promptTokens }: { promptTokens: number }): string {
    const { id, modelName } = this.#asked;
    return eventText({ id: `toy_${id}`, model: modelName, input_tokens: promptTokens }, "begin") +
      eventText({ index }, "block_begin");
  }

  part(index: number, { text }: { text: string }, soFar: { completionTokens: number }): string {
    return eventText({ index, text }, "delta") +
      eventText({ output_tokens: soFar.completionTokens }, "count");
  }

  last(index: number, { stop = null }: { stop?: string | number | null }): string {
    return eventText({ index, stop_sequence: stop }, "block_end");
  }

  end(results: readonly unknown[]): string {
    return eventText({ answers: results.length }, "end");
  }

  error(error: ApiError): string {
    return eventText(ERRORS.body(error), "error");
  }
}

const TOY = dialect({
  summary: "Says something",
  answer: "An object with what was said",
  body: object({ model: text(64), say: text(64) }, {
    most: integer(1, 8, { help: "Most tokens." }),
    until: list(text(8), 0, 4),
    live: flag(),
  }),
  example: { model: "first", say: "Hello" },
  streams: true,
  errorStatuses: [503],
  errors: ERRORS,
  plan(fields, asked) {
    const options = { ...urgencyOf({}, asked), maxTokens: fields.most, stop: fields.until };
    return {
      works: [{ kind: "generating", prompt: { text: fields.say }, options }],
      class: options.class,
      whole: ([{ text, stop }]) => ({ said: text, stop_sequence: stop, by: asked.modelName }),
      events: fields.live ? new ToyEvents(asked) : undefined,
    };
  },
});

const COUNT = dialect({
  summary: "Counts tokens",
  answer: "An object with their number",
  body: object({ model: text(64), say: text(64) }, {}),
  errorStatuses: [],
  errors: ERRORS,
  async reply({ say }, { model }) {
    return { input_tokens: (await model.tokenize(say)).length };
  },
});

const ENDPOINTS: readonly Endpoint[] = [
  { method: "POST", path: "/v9/say", keyHeaders: ["x-toy-key"], load: () => Promise.resolve(TOY) },
  { method: "POST", path: "/v9/say/count", keyHeaders: ["x-toy-key"], load: () => Promise.resolve(COUNT) },
];

async function toyServer({ apiKeys, ...options }: Partial<FrontOptions> & KeyOptions = {}) {
  const first = new ServedModel(["one", " two"], { stop: "three" });
  const second = new ServedModel(["uno"]);
  const models = new FixedModels([
    { name: "first", host: await first.hosted() },
    { name: "second", host: await second.hosted() },
  ]);
  const service = new Service({ models, usage: new Usage(new Accounts({ apiKeys })) });
  const front = new Front(service, { endpoints: ENDPOINTS, ...options });
  const ask = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    front.handle(
      new Request(`http://127.0.0.1${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { host: "127.0.0.1", "content-type": "application/json", ...headers },
      }),
    );
  const get = async (path: string) =>
    await (await front.handle(new Request(`http://127.0.0.1${path}`))).json();
  return { ask, get, first, second, models };
}

const HELLO = { model: "first", say: "Hello" };

/** Events as pairs of name and data. */
async function eventsOf(response: Response): Promise<[string, unknown][]> {
  return (await response.text()).split("\n\n").slice(0, -1).map((event) => {
    const [name, data] = event.split("\n");
    return [name.replace("event: ", ""), JSON.parse(data.replace("data: ", ""))];
  });
}

Deno.test("a dialect answers by the model that a request chose, and says which stop string ended it", async () => {
  const { ask, get, first, second } = await toyServer();
  const response = await ask("/v9/say", { ...HELLO, most: 4, until: ["three"] });
  assertEquals(await response.json(), { said: "one two", stop_sequence: "three", by: "first" });
  assertEquals(first.asked.map(({ prompt }) => prompt), ["Hello"]);
  assertEquals([first.asked[0].options.maxTokens, first.asked[0].options.stop], [4, ["three"]]);
  const other = await (await ask("/v9/say", { ...HELLO, model: "second" })).json();
  assertEquals([other.said, other.by, second.asked.length], ["uno", "second", 1]);
  assertEquals(await (await ask("/v9/say/count", HELLO)).json(), { input_tokens: 5 });
  assertEquals((await get("/v1/models")).data.map(({ id }: { id: string }) => id), ["first", "second"]);
});

Deno.test("a dialect streams named events, several in a step, and ends in its own way", async () => {
  const { ask, first } = await toyServer();
  const events = await eventsOf(await ask("/v9/say", { ...HELLO, live: true }));
  const [, { id, ...begun }] = events[0] as [string, { id: string }];
  assertEquals(id.startsWith("toy_"), true);
  assertEquals<unknown>(begun, { model: "first", input_tokens: PROMPT_TOKENS });
  assertEquals<unknown>(events.slice(1), [
    ["block_begin", { index: 0 }],
    ["delta", { index: 0, text: "one" }],
    ["count", { output_tokens: 1 }],
    ["delta", { index: 0, text: " two" }],
    ["count", { output_tokens: 2 }],
    ["block_end", { index: 0, stop_sequence: "three" }],
    ["end", { answers: 1 }],
  ]);
  first.error = new RangeError("broken");
  const failed = await eventsOf(await ask("/v9/say", { ...HELLO, live: true }));
  assertEquals<unknown>(failed.at(-1), ["error", {
    type: "error",
    error: { kind: "bad", message: "broken" },
  }]);
});

Deno.test("a dialect has its own errors, statuses and header for keys", async () => {
  const { ask, models } = await toyServer({ apiKeys: ["a-good-key"] });
  const errorOf = async (pending: Promise<Response>) => {
    const response = await pending;
    const { type, error } = await response.json();
    return [response.status, type, error.kind, error.message];
  };
  assertEquals(await errorOf(ask("/v9/say", HELLO)), [
    401,
    "error",
    "no_key",
    "An API key is needed: send it as Authorization: Bearer KEY, or in x-toy-key or x-api-key or api-key",
  ]);
  const key = { "x-toy-key": "a-good-key" };
  assertEquals((await ask("/v9/say", HELLO, key)).status, 200);
  assertEquals((await ask("/v9/say", HELLO, { "x-toy-key": "a-wrong-key" })).status, 401);
  assertEquals(
    await errorOf(ask("/v9/say", { ...HELLO, most: 9 }, key)),
    [400, "error", "bad", '"most" must be an integer from 1 to 8, current value is 9'],
  );
  const unknown = await errorOf(ask("/v9/say", { ...HELLO, model: "third" }, key));
  assertEquals(unknown.slice(0, 3), [404, "error", "no_such_thing"]);
  models.drain();
  assertEquals((await errorOf(ask("/v9/say", HELLO, key))).slice(0, 3), [529, "error", "overloaded"]);
  // Its header opens no other path, and other paths have their own errors.
  const elsewhere = await ask("/v1/models", {}, key);
  assertEquals([elsewhere.status, Object.keys((await elsewhere.json()).error)], [401, [
    "message",
    "type",
    "param",
    "code",
  ]]);
});

Deno.test("a dialect's fields are in the documents", async () => {
  const { get } = await toyServer();
  const { paths } = await get("/openapi.json");
  const { requestBody, responses } = paths["/v9/say"].post;
  const { schema, example } = requestBody.content["application/json"];
  assertEquals(schema.required, ["model", "say"]);
  assertEquals(schema.properties.most, {
    type: "integer",
    minimum: 1,
    maximum: 8,
    description: "Most tokens.",
  });
  assertEquals(example, { model: "first", say: "Hello" });
  assertEquals(Object.keys(responses[200].content), ["application/json", "text/event-stream"]);
});
