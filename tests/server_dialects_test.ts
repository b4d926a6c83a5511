/** The official clients of other interfaces: OpenAI's Responses, Anthropic's and Ollama's. Skipped by name where they cannot be had. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Module, npmModules } from "./support/npm.ts";
import { ANSWER, assertIdle, QUESTION, startServer } from "./support/server.ts";

const KEY = "key-of-a-client";
const openai = await npmModules("openai@7");
const anthropic = await npmModules("@anthropic-ai/sdk@1");
const ollama = await npmModules("ollama@0.6/browser");

/** Their connections stay open for a while. */
const LOOSE = { sanitizeResources: false, sanitizeOps: false };
const [{ content: ASKED }] = QUESTION;

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

Deno.test({
  name: "npm's openai client asks /v1/responses",
  ignore: openai === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer({ apiKeys: [KEY] });
    const { default: OpenAI } = openai![0] as Module;
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 });
    const asked = { model: "demo", input: ASKED, temperature: 0 };

    await t.step("whole answers", async () => {
      const extras = {
        store: false,
        metadata: { a: "b" },
        user: "me",
        prompt_cache_key: "k",
        service_tier: "auto",
      };
      const response = await client.responses.create({ ...asked, ...extras, text: { verbosity: "low" } });
      assertEquals([response.output_text, response.status, response.error], [ANSWER, "completed", null]);
      assert(response.usage.input_tokens > 5 && response.usage.output_tokens > 5);
      assert(response.id.startsWith("resp_"));
      const cut = await client.responses.create({ ...asked, max_output_tokens: 2 });
      assertEquals([cut.status, cut.incomplete_details], ["incomplete", { reason: "max_output_tokens" }]);
    });

    await t.step("conversations of items", async () => {
      const input = [
        { role: "developer", content: "Be brief." },
        { role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { type: "reasoning", id: "r", summary: [{ type: "summary_text", text: "They greet." }] },
        {
          type: "message",
          role: "assistant",
          content: [{ type: "output_text", text: "Hello!", annotations: [] }],
        },
        ...QUESTION,
      ];
      const first = await client.responses.create({ ...asked, input });
      assert(first.output_text.length > 0);
      // What a client got, it may send again.
      const again = [...input, ...first.output, { role: "user", content: "Thanks" }];
      assert((await client.responses.create({ ...asked, input: again })).output_text.length > 0);
    });

    await t.step("streams", async () => {
      const events = await collect(
        await client.responses.create({ ...asked, stream: true }) as AsyncIterable<Module>,
      );
      const types = events.map(({ type }) => type);
      assertEquals([types[0], types[1], types.at(-1)], [
        "response.created",
        "response.in_progress",
        "response.completed",
      ]);
      assertEquals(types.slice(2, 4), ["response.output_item.added", "response.content_part.added"]);
      assertEquals(types.slice(-4, -1), [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
      ]);
      assertEquals(events.map(({ sequence_number }) => sequence_number), events.map((_, i) => i));
      assertEquals(events.filter(({ delta }) => delta).map(({ delta }) => delta).join(""), ANSWER);
      const final = await client.responses.stream(asked).finalResponse();
      assertEquals(final.output_text, ANSWER);
    });

    await t.step("refusals by name", async () => {
      const tools = [{ type: "web_search" }];
      const cases: [Record<string, unknown>, string][] = [
        [{ tools }, "tools[0].type"],
        [{ previous_response_id: "resp_1" }, "previous_response_id"],
        [{ background: true }, "background"],
        [{ truncation: "auto" }, "truncation"],
        [{ top_logprobs: 2 }, "top_logprobs"],
        [{ input: [{ type: "item_reference", id: "a" }] }, "input[0].type"],
        [
          { input: [{ role: "user", content: [{ type: "input_image", image_url: "data:" }] }] },
          "input[0].content[0].type",
        ],
      ];
      for (const [fields, param] of cases) {
        const error = await assertRejects(
          () => client.responses.create({ ...asked, ...fields }),
          OpenAI.BadRequestError,
        ) as Module;
        assertEquals([error.param, error.code], [param, "unsupported_value"]);
      }
    });
  },
});

Deno.test({
  name: "npm's @anthropic-ai/sdk talks to the server",
  ignore: anthropic === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer({ apiKeys: [KEY] });
    const { default: Anthropic } = anthropic![0] as Module;
    const client = new Anthropic({ baseURL: server.url, apiKey: KEY, maxRetries: 0 });
    const asked = { model: "demo", max_tokens: 64, temperature: 0, messages: QUESTION };

    await t.step("whole answers", async () => {
      const message = await client.messages.create({
        ...asked,
        metadata: { user_id: "me" },
        service_tier: "auto",
      });
      assertEquals(message.content, [{ type: "text", text: ANSWER }]);
      assertEquals([message.role, message.stop_reason, message.stop_sequence], [
        "assistant",
        "end_turn",
        null,
      ]);
      assert(message.usage.input_tokens + message.usage.cache_read_input_tokens > 5);
      const cut = await client.messages.create({ ...asked, max_tokens: 2 });
      assertEquals([cut.stop_reason, cut.usage.output_tokens], ["max_tokens", 2]);
      const stopped = await client.messages.create({ ...asked, stop_sequences: ["= 4"] });
      assertEquals([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", "= 4"]);
    });

    await t.step("conversations of blocks, with calls of tools", async () => {
      const messages = [
        { role: "user", content: [{ type: "text", text: "Weather?", cache_control: { type: "ephemeral" } }] },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "A call.", signature: "s" },
            { type: "text", text: "Let me see." },
            { type: "tool_use", id: "t1", name: "weather", input: { city: "Kyoto" } },
          ],
        },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "21 C" }] }, {
            type: "text",
            text: "So?",
          }],
        },
      ];
      const system = [{ type: "text", text: "Be brief." }];
      const message = await client.messages.create({
        ...asked,
        system,
        messages,
        thinking: { type: "disabled" },
      });
      assert(message.content[0].text.length > 0);
      const { input_tokens } = await client.messages.countTokens({ model: "demo", system, messages });
      assertEquals(input_tokens, message.usage.input_tokens + message.usage.cache_read_input_tokens);
    });

    await t.step("streams", async () => {
      const events = await collect(
        await client.messages.create({ ...asked, stream: true }) as AsyncIterable<Module>,
      );
      const types = events.map(({ type }) => type);
      const deltas = types.filter((type) => type === "content_block_delta");
      assertEquals(types, [
        "message_start",
        "content_block_start",
        ...deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
      ]);
      const final = await client.messages.stream(asked).finalMessage();
      assertEquals([final.content[0].text, final.stop_reason], [ANSWER, "end_turn"]);
      assert(final.usage.output_tokens > 5);
      const stream = client.messages.stream({
        ...asked,
        max_tokens: 500,
        messages: [{ role: "user", content: "Tell a story" }],
      });
      stream.on("text", () => stream.abort());
      await assertRejects(() => stream.finalMessage(), Anthropic.APIUserAbortError);
      await assertIdle(server.model);
    });

    await t.step("errors have its classes", async () => {
      const fails = (fields: Record<string, unknown>, type: Module) =>
        assertRejects(() => client.messages.create({ ...asked, ...fields }), type) as Promise<Module>;
      const bad = await fails({ temperature: 9 }, Anthropic.BadRequestError);
      assertEquals([bad.error.type, bad.error.error.type], ["error", "invalid_request_error"]);
      assert(bad.error.error.message.includes('"temperature" must be'));
      const tools = [{ type: "web_search_20250305", name: "web_search" }];
      assert((await fails({ tools }, Anthropic.BadRequestError)).message.includes("tools[0].type"));
      await fails({ model: "claude" }, Anthropic.NotFoundError);
      const stranger = new Anthropic({ baseURL: server.url, apiKey: "another-key", maxRetries: 0 });
      await assertRejects(() => stranger.messages.create(asked), Anthropic.AuthenticationError);
    });
  },
});

Deno.test({
  name: "npm's ollama client talks to the server",
  ignore: ollama === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer();
    const { Ollama } = ollama![0] as Module;
    const client = new Ollama({ host: server.url });
    const asked = { model: "demo:latest", messages: QUESTION, options: { temperature: 0, num_ctx: 2048 } };

    await t.step("chats, whole and in lines", async () => {
      const answer = await client.chat({ ...asked, keep_alive: "5m" });
      assertEquals([answer.message.content, answer.done, answer.done_reason], [ANSWER, true, "stop"]);
      assert(answer.eval_count > 5 && answer.prompt_eval_count > 5 && answer.total_duration > 1e3);
      const parts = await collect(await client.chat({ ...asked, stream: true }) as AsyncIterable<Module>);
      assertEquals(parts.map(({ message }) => message.content).join(""), ANSWER);
      assertEquals(parts.map(({ done }) => done), parts.map((_, i) => i === parts.length - 1));
      const cut = await client.chat({ ...asked, options: { num_predict: 2 } });
      assertEquals([cut.done_reason, cut.eval_count], ["length", 2]);
      assertEquals((await client.chat({ model: "demo", messages: [] })).done_reason, "load");
    });

    await t.step("texts", async () => {
      const { options } = asked;
      assertEquals((await client.generate({ model: "demo", prompt: ASKED, options })).response, ANSWER);
      const raw = { model: "demo", prompt: "Once upon a time", raw: true, options: { num_predict: 5 } };
      assertEquals((await client.generate(raw)).eval_count, 5);
      const parts = await collect(await client.generate({ ...raw, stream: true }) as AsyncIterable<Module>);
      assert(parts.at(-1)!.done && parts.slice(0, -1).every(({ response }) => response.length > 0));
    });

    await t.step("vectors", async () => {
      const { embeddings, prompt_eval_count } = await client.embed({
        model: "demo",
        input: ["a cat", "a dog"],
        truncate: true,
      });
      assertEquals([embeddings.length, embeddings[0].length], [2, server.model.info.hidden]);
      assert(prompt_eval_count >= 2);
    });

    await t.step("models", async () => {
      const { models } = await client.list();
      assertEquals(models.map(({ name }: Module) => name), ["demo:latest"]);
      assertEquals((await client.ps()).models[0].context_length, server.model.info.contextLength);
      const shown = await client.show({ model: "demo" });
      assertEquals(shown.model_info["general.architecture"], server.model.info.architecture);
      assert((await client.version()).version.length > 0);
    });

    await t.step("refusals by name", async () => {
      const fails = (promise: Promise<unknown>, message: string) =>
        assertRejects(() => promise, Error, message);
      await fails(client.chat({ ...asked, format: "yaml" }), '"format" must be "json" or a JSON Schema');
      await fails(client.chat({ ...asked, model: "other" }), "There is no model of this name here");
      await fails(client.pull({ model: "llama3" }), "Pulling models is not supported");
      await fails(client.delete({ model: "demo" }), "Deleting models is not supported");
      await fails(
        client.generate({ model: "demo", prompt: "a", context: [1] }),
        "A conversation as tokens is not supported",
      );
    });
  },
});

Deno.test("/apply-template writes the prompt that a chat would be answered with", async () => {
  await using server = await startServer();
  const response = await server.post("/apply-template", { messages: QUESTION });
  const { prompt, tokens } = await response.json();
  assert(prompt.includes(ASKED));
  const { usage } = await (await server.post("/v1/chat/completions", { messages: QUESTION, max_tokens: 1 }))
    .json();
  assertEquals(tokens.length, usage.prompt_tokens);
});
