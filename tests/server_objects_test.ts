/**
 * Objects and tools by the helpers of clients of others: npm's openai, @anthropic-ai/sdk, ollama, the AI SDK, LangChain.
 * Skipped by name where they cannot be had.
 */

import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { type Module, npmModules } from "./support/npm.ts";
import { startServer } from "./support/server.ts";

const openai = await npmModules("openai@7", "openai@7/helpers/zod");
const anthropic = await npmModules("@anthropic-ai/sdk@1", "@anthropic-ai/sdk@1/helpers/beta/zod");
const ai = await npmModules("ai@7", "@ai-sdk/openai-compatible@3");
const ollama = await npmModules("ollama@0.6/browser");
const langchain = await npmModules(
  "@langchain/openai@1",
  "@langchain/core@1/tools",
  "@langchain/core@1/messages",
);

const named = (name: string, modules: readonly Module[] | null) =>
  modules === null ? `${name} (skipped: npm's registry cannot be reached)` : name;
/** Their connections stay open for a while. */
const LOOSE = { sanitizeResources: false, sanitizeOps: false };

const PERSON = z.object({
  name: z.string().max(12),
  age: z.number().int().min(0).max(150),
  tags: z.array(z.enum(["a", "b"])).max(2),
});
const PEOPLE = [{ role: "user", content: "Anna is 31. As JSON:" }];
const SUM = z.object({ a: z.number().int().min(0).max(99), b: z.number().int().min(0).max(99) });
const QUESTION = [{ role: "user", content: "What is 17 + 25?" }];
const DESCRIPTION = "Adds two numbers.";

const isPerson = (value: unknown) => assertEquals(PERSON.parse(value), value);
const isSum = (value: unknown) => assertEquals(SUM.parse(value), value);

/** A handler that writes down what it was called with. */
function adder() {
  const seen: z.infer<typeof SUM>[] = [];
  return { seen, add: (given: z.infer<typeof SUM>) => (seen.push(given), String(given.a + given.b)) };
}

/** The toy's answers are drawn, and one that is cut at the end of its 512 tokens is no fault of a client: it is asked again. */
async function step(t: Deno.TestContext, name: string, ask: () => Promise<void>): Promise<void> {
  await t.step(name, async () => {
    for (let left = 4;; left--) {
      try {
        return await ask();
      } catch (error) {
        if (left === 0) throw error;
      }
    }
  });
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

Deno.test({
  name: named("npm's openai: parse, stream, runTools, Responses", openai),
  ignore: openai === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer();
    const [{ default: OpenAI }, { zodResponseFormat, zodTextFormat, zodFunction, zodResponsesFunction }] =
      openai!;
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 });
    const { completions } = client.chat;
    const asked = { model: "demo", messages: PEOPLE, response_format: zodResponseFormat(PERSON, "person") };

    await step(t, "chats of a shape", async () => {
      isPerson((await completions.parse(asked)).choices[0].message.parsed);
      const stream = completions.stream(asked);
      isPerson((await stream.finalChatCompletion()).choices[0].message.parsed);
    });

    await step(t, "chats with tools", async () => {
      const tools = [zodFunction({ name: "add", parameters: SUM })];
      const call = {
        model: "demo",
        messages: QUESTION,
        tools,
        tool_choice: "required",
        parallel_tool_calls: false,
      };
      const [{ message, finish_reason }] = (await completions.parse(call)).choices;
      isSum(message.tool_calls[0].function.parsed_arguments);
      assertEquals([finish_reason, message.content], ["tool_calls", null]);
      // What it gave, with its result, goes back as it is.
      const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "42" };
      const history = [...QUESTION, message, result];
      assert(
        (await completions.create({ model: "demo", messages: history, max_tokens: 20 })).usage
          .completion_tokens > 0,
      );
      const { seen, add } = adder();
      const parameters = z.toJSONSchema(SUM);
      for (const stream of [false, true]) {
        const tool = { name: "add", description: DESCRIPTION, parameters, parse: JSON.parse, function: add };
        const choice = { type: "function", function: { name: "add" } };
        const runner = completions.runTools({
          model: "demo",
          messages: QUESTION,
          max_tokens: 60,
          stream,
          tools: [{ type: "function", function: tool }],
          tool_choice: choice,
          parallel_tool_calls: false,
        }, { maxChatCompletions: 2 });
        await runner.done();
        // A named tool is called once, and the loop ends.
        assertEquals(runner.messages.map(({ role }: Module) => role), ["user", "assistant", "tool"]);
      }
      assertEquals(seen.length, 2);
      seen.forEach(isSum);
    });

    await step(t, "Responses of a shape and with tools", async () => {
      const shaped = { model: "demo", input: PEOPLE, text: { format: zodTextFormat(PERSON, "person") } };
      isPerson((await client.responses.parse(shaped)).output_parsed);
      const stream = client.responses.stream(shaped);
      const texts = (await collect<Module>(stream)).filter(({ type }) =>
        type === "response.output_text.delta"
      );
      assert(texts.length > 1);
      isPerson((await stream.finalResponse()).output_parsed);
      const tools = [zodResponsesFunction({ name: "add", description: DESCRIPTION, parameters: SUM })];
      const calling = {
        model: "demo",
        input: QUESTION,
        tools,
        tool_choice: "required",
        parallel_tool_calls: false,
      };
      const { output } = await client.responses.parse(calling);
      isSum(output[0].parsed_arguments);
      const called = client.responses.stream(calling);
      const events = await collect<Module>(called);
      const pieces = events.filter(({ type }) => type === "response.function_call_arguments.delta");
      const final = (await called.finalResponse()).output[0];
      assertEquals(pieces.map(({ delta }) => delta).join(""), final.arguments);
      // What it gave, with its result, goes back as it is.
      const { call_id } = output[0];
      const input = [...QUESTION, ...output, { type: "function_call_output", call_id, output: "42" }];
      const next = await client.responses.create({ model: "demo", input, tools, max_output_tokens: 20 });
      assert(next.usage.output_tokens > 0);
    });
  },
});

Deno.test({
  name: named("npm's @anthropic-ai/sdk: the tool runner, streams, parse", anthropic),
  ignore: anthropic === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer();
    const [{ default: Anthropic }, { betaZodTool, betaZodOutputFormat }] = anthropic!;
    const client = new Anthropic({ baseURL: server.url, apiKey: "any", maxRetries: 0 });

    await step(t, "the tool runner, whole and streamed", async () => {
      const { seen, add: run } = adder();
      const tools = [betaZodTool({ name: "add", description: DESCRIPTION, inputSchema: SUM, run })];
      for (const stream of [false, true]) {
        const runner = client.beta.messages.toolRunner({
          model: "demo",
          max_tokens: 60,
          max_iterations: 2,
          stream,
          messages: QUESTION,
          tool_choice: { type: "tool", name: "add", disable_parallel_tool_use: true },
          tools,
        });
        let rounds = 0;
        for await (const message of runner) {
          rounds++;
          if (stream) await collect(message);
        }
        assertEquals(rounds, 2);
      }
      assert(seen.length >= 2);
      seen.forEach(isSum);
    });

    await step(t, "input as it is written", async () => {
      let json = "";
      const stream = client.messages.stream({
        model: "demo",
        max_tokens: 60,
        messages: QUESTION,
        tools: [{ name: "add", input_schema: z.toJSONSchema(SUM) }],
        tool_choice: { type: "any", disable_parallel_tool_use: true },
      });
      stream.on("inputJson", (delta: string) => json += delta);
      const { content, stop_reason } = await stream.finalMessage();
      assertEquals([JSON.parse(json), stop_reason], [content[0].input, "tool_use"]);
      isSum(content[0].input);
    });

    await step(t, "messages of a shape", async () => {
      // This helper sends no bounds: it only tells the model of them.
      const format = betaZodOutputFormat(z.object({ name: z.string(), age: z.int() }));
      const asked = { model: "demo", max_tokens: 100, messages: PEOPLE };
      for (const given of [{ output_config: { format } }, { output_format: format }]) {
        const { parsed_output } = await client.beta.messages.parse({ ...asked, ...given });
        assertEquals(Object.keys(parsed_output), ["name", "age"]);
      }
    });
  },
});

Deno.test({
  name: named("the AI SDK over HTTP: objects, tools, an agent", ai),
  ignore: ai === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer();
    const [sdk, { createOpenAICompatible }] = ai!;
    const provider = createOpenAICompatible({
      name: "kumi",
      baseURL: `${server.url}/v1`,
      apiKey: "any",
      // Without it schemas are only told to the model.
      supportsStructuredOutputs: true,
    });
    const model = provider("demo");

    await step(t, "objects", async () => {
      const asked = { model, prompt: PEOPLE[0].content, schema: PERSON, maxRetries: 0 };
      isPerson((await sdk.generateObject(asked)).object);
      const stream = sdk.streamObject(asked);
      const parts = await collect(stream.partialObjectStream);
      isPerson(await stream.object);
      assertEquals(parts.at(-1), await stream.object);
    });

    await step(t, "tools and agents", async () => {
      const { seen, add: execute } = adder();
      const tools = { add: sdk.tool({ description: DESCRIPTION, inputSchema: SUM, execute }) };
      const asked = {
        model,
        tools,
        toolChoice: "required",
        maxOutputTokens: 60,
        stopWhen: sdk.isStepCount(2),
        maxRetries: 0,
      };
      const { steps } = await sdk.generateText({ ...asked, prompt: QUESTION[0].content });
      assertEquals(steps.map(({ toolResults }: Module) => toolResults.length > 0), [true, true]);
      const agent = new sdk.ToolLoopAgent({ ...asked, instructions: "Be brief." });
      const stream = await agent.stream({ prompt: QUESTION[0].content });
      const types = new Set((await collect<Module>(stream.fullStream)).map(({ type }) => type));
      assert(types.has("tool-input-delta") && types.has("tool-result"), [...types].join());
      assert(seen.length >= 4);
      seen.forEach(isSum);
    });
  },
});

Deno.test({
  name: named("npm's @langchain/openai: withStructuredOutput, bindTools", langchain),
  ignore: langchain === null,
  ...LOOSE,
  fn: async () => {
    await using server = await startServer();
    const [{ ChatOpenAI }, { tool }, { HumanMessage }] = langchain!;
    const chat = new ChatOpenAI({
      model: "demo",
      apiKey: "any",
      maxRetries: 0,
      temperature: 0,
      maxTokens: 300,
      configuration: { baseURL: `${server.url}/v1` },
    });
    // What tells the toy of functions leaves little room in its 512 tokens.
    const brief = PERSON.pick({ name: true, age: true });
    for (const method of ["jsonSchema", "functionCalling"]) {
      const shaped = chat.withStructuredOutput(brief, { name: "person", method });
      const given = await shaped.invoke(PEOPLE[0].content);
      assertEquals(brief.parse(given), given);
    }
    const { seen, add: run } = adder();
    const add = tool(run, { name: "add", description: DESCRIPTION, schema: SUM });
    const bound = chat.bindTools([add], { tool_choice: "add" });
    const question = new HumanMessage(QUESTION[0].content);
    const answer = await bound.invoke([question]);
    isSum(answer.tool_calls[0].args);
    const result = await add.invoke(answer.tool_calls[0]);
    assertEquals(result.content, String(seen[0].a + seen[0].b));
    assert(typeof (await chat.invoke([question, answer, result])).content === "string");
    const chunks = await collect<Module>(await bound.stream([question]));
    const whole = chunks.reduce((sum, chunk) => sum.concat(chunk));
    isSum(whole.tool_calls[0].args);
  },
});

Deno.test({
  name: named("npm's ollama: formats and tools", ollama),
  ignore: ollama === null,
  ...LOOSE,
  fn: async () => {
    await using server = await startServer();
    const client = new ollama![0].Ollama({ host: server.url });
    const options = { temperature: 0, num_predict: 100 };
    const shaped = await client.chat({
      model: "demo",
      messages: PEOPLE,
      format: z.toJSONSchema(PERSON),
      options,
    });
    isPerson(JSON.parse(shaped.message.content));
    const generated = await client.generate({
      model: "demo",
      prompt: PEOPLE[0].content,
      format: "json",
      options,
    });
    assertEquals(typeof JSON.parse(generated.response), "object");
    const tools = [{
      type: "function",
      function: { name: "add", description: DESCRIPTION, parameters: z.toJSONSchema(SUM) },
    }];
    const answer = await client.chat({ model: "demo", messages: QUESTION, tools, options });
    // The toy rarely calls by itself; a call that is there fits, and a history with one is taken.
    for (const call of answer.message.tool_calls ?? []) isSum(call.function.arguments);
    const call = { function: { name: "add", arguments: { a: 17, b: 25 } } };
    const history = [
      ...QUESTION,
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", content: "42", tool_name: "add" },
    ];
    const next = await client.chat({
      model: "demo",
      messages: history,
      tools,
      options: { ...options, num_predict: 20 },
    });
    assert(next.eval_count > 0);
  },
});
