/** Clients of others: npm's openai, the AI SDK, curl. Skipped by name where they cannot be had. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Module, npmModules } from "./support/npm.ts";
import { testWithPrograms } from "./support/optional.ts";
import { ANSWER, assertIdle, ENDLESS, QUESTION, startServer, type TestServer } from "./support/server.ts";

const KEY = "key-of-a-client";
const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const openai = await npmModules("openai@7");
const ai = await npmModules("ai@7", "@ai-sdk/openai-compatible@3");

Deno.test({
  name: "npm's openai client talks to the server",
  ignore: openai === null,
  // Its connections stay open for a while.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async (t) => {
    const queueLimit = { requests: 2, tokens: 5000 };
    const interactive = {
      name: "interactive",
      priority: 1,
      maxBatch: 2,
      maxWaitMs: 0,
      queueLimit,
      preemptible: false,
    };
    await using server = await startServer({ apiKeys: [KEY], classes: [interactive] });
    const { default: OpenAI } = openai![0] as Module;
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 });
    const chat = { model: "demo", messages: QUESTION, temperature: 0 };

    await t.step("whole answers", async () => {
      const { choices, usage } = await client.chat.completions.create({
        ...chat,
        n: 2,
        user: "me",
        store: false,
      });
      assertEquals(choices.map(({ message }: Module) => message.content), [ANSWER, ANSWER]);
      assert(usage.completion_tokens > 10);
      const text = await client.completions.create({
        model: "demo",
        prompt: "Once",
        max_tokens: 3,
        logprobs: 2,
      });
      assertEquals(text.choices[0].logprobs.tokens.length, 3);
      assertEquals((await client.models.list()).data[0].id, "demo");
      assertEquals((await client.models.retrieve("demo")).owned_by, "kumi");
    });

    await t.step("streams with usage and log-probabilities", async () => {
      const options = {
        stream: true,
        stream_options: { include_usage: true },
        logprobs: true,
        top_logprobs: 1,
      };
      let text = "", logprobs = 0, usage;
      for await (const chunk of await client.chat.completions.create({ ...chat, ...options })) {
        text += chunk.choices[0]?.delta.content ?? "";
        logprobs += chunk.choices[0]?.logprobs?.content.length ?? 0;
        usage = chunk.usage ?? usage;
      }
      assertEquals([text, usage.completion_tokens], [ANSWER, logprobs + 1]);
      const final = await client.chat.completions.stream(chat).finalChatCompletion();
      assertEquals(final.choices[0].message.content, ANSWER);
      // What a client got, it may send again.
      const messages = [...QUESTION, final.choices[0].message, { role: "user", content: "Hi" }];
      assert(
        (await client.chat.completions.create({ ...chat, messages })).choices[0].message.content.length > 0,
      );
    });

    await t.step("errors have its classes", async () => {
      const fails = (promise: Promise<unknown>, type: Module) =>
        assertRejects(() => promise, type) as Promise<Module>;
      const bad = await fails(
        client.chat.completions.create({ ...chat, temperature: 9 }),
        OpenAI.BadRequestError,
      );
      assertEquals([bad.param, bad.type, bad.code], [
        "temperature",
        "invalid_request_error",
        "invalid_value",
      ]);
      await fails(client.chat.completions.create({ ...chat, model: "gpt" }), OpenAI.NotFoundError);
      const messages = [{ role: "user", content: "again and ".repeat(1000) }];
      const long = await fails(client.chat.completions.create({ ...chat, messages }), OpenAI.BadRequestError);
      assertEquals(long.code, "context_length_exceeded");
      const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "another-key", maxRetries: 0 });
      await fails(stranger.models.list(), OpenAI.AuthenticationError);
    });

    await t.step("aborts, and tries again what was refused", async () => {
      const controller = new AbortController();
      const endless = { model: "demo", ...ENDLESS };
      const stream = await client.completions.create({ ...endless, stream: true }, {
        signal: controller.signal,
      });
      for await (const _ of stream) controller.abort();
      await assertIdle(server.model);
      await leavesWholeAnswer(client, server);
      const patient = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 10 });
      const answers = Array.from(
        { length: 8 },
        () => patient.completions.create({ ...endless, max_tokens: 60 }),
      );
      assertEquals((await Promise.all(answers)).length, 8);
      const { workers } = await server.model.stats();
      assert(workers[0].classes[0].refused > 0, "nothing was refused");
    });
  },
});

/**
 * Aborts answers that are not streamed, of a body so large that it comes behind its headers: most of their
 * tokens are never computed.
 */
async function leavesWholeAnswer(client: Module, { model }: TestServer): Promise<void> {
  const computed = async () => (await model.stats()).workers[0].computedTokens;
  for (let i = 0; i < 3; i++) {
    const before = await computed();
    const controller = new AbortController();
    const metadata = Object.fromEntries(
      Array.from({ length: 16 }, (_, i) => [`filler_${i}`, "x".repeat(500)]),
    );
    const request = { model: "demo", ...ENDLESS, max_tokens: 500, n: 2, metadata };
    let outcome: string | undefined;
    const answer = client.completions.create(request, { signal: controller.signal }).then(
      () => outcome = "an answer",
      (error: Error) => outcome = String(error),
    );
    while (await computed() === before && outcome === undefined) await delay(1);
    controller.abort();
    await answer;
    assertEquals(outcome, "Error: Request was aborted.");
    await assertIdle(model);
    assert(await computed() - before < 700, `${await computed() - before} tokens were computed`);
  }
}

Deno.test({
  name: "the AI SDK talks to the server",
  ignore: ai === null,
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await using server = await startServer({ apiKeys: [KEY] });
    const [{ generateText, streamText }, { createOpenAICompatible }] = ai!;
    const provider = createOpenAICompatible({
      name: "kumi",
      baseURL: `${server.url}/v1`,
      apiKey: KEY,
      includeUsage: true,
    });
    const prompt = QUESTION[0].content;
    const providerOptions = { kumi: { class: "interactive", user: "me" } };
    const whole = await generateText({ model: provider("demo"), prompt, temperature: 0, providerOptions });
    assertEquals([whole.text, whole.finishReason], [ANSWER, "stop"]);
    assert(whole.usage.inputTokens > 5 && whole.usage.outputTokens > 5);
    const stream = streamText({
      model: provider("demo"),
      system: "Be brief.",
      prompt,
      maxOutputTokens: 4,
      seed: 1,
    });
    let text = "";
    for await (const part of stream.textStream) text += part;
    assert(text.length > 0);
    assertEquals([await stream.finishReason, (await stream.usage).outputTokens], ["length", 4]);
    await assertRejects(
      () => generateText({ model: provider("other"), prompt, maxRetries: 0 }),
      Error,
      "no model",
    );
  },
});

testWithPrograms("curl talks to the server", ["curl"], async ([program]) => {
  await using server = await startServer({ apiKeys: [KEY] });
  const body = JSON.stringify({ messages: QUESTION, temperature: 0, stream: true });
  const curl = async (...args: string[]) => {
    const { stdout } = await new Deno.Command(program, { args: ["--silent", "--no-buffer", ...args] })
      .output();
    return new TextDecoder().decode(stdout);
  };
  const headers = ["-H", `authorization: Bearer ${KEY}`, "-H", "content-type: application/json"];
  const text = await curl(...headers, "-d", body, `${server.url}/v1/chat/completions`);
  assert(text.startsWith("data: {") && text.endsWith("data: [DONE]\n\n"), text);
  const compressed = await curl("--compressed", ...headers, `${server.url}/v1/models`);
  assertEquals(JSON.parse(compressed).data[0].id, "demo");
  assert((await curl("-i", "-d", body, `${server.url}/v1/completions`)).startsWith("HTTP/1.1 401"));
});
