/** The provider for the AI SDK, used by npm's `ai`. Skipped by name where that cannot be had. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { type ChatMessage, type ChatOptions, loadModel, type Model, RefusedError } from "../mod.ts";
import { createKumi } from "../src/ai_sdk/mod.ts";
import { StreamWriter } from "../src/ai_sdk/answer.ts";
import { toMessages } from "../src/ai_sdk/prompt.ts";
import { stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { type Module, npmModules } from "./support/npm.ts";

const modules = await npmModules("ai@7");
const ai: Module = modules?.[0];
const SKIPPED = modules === null ? " (skipped: npm's registry cannot be reached)" : "";
const PROMPT = "What is 17 + 25?";
const ANSWER = "17 + 25 = 42.";
const PERSON = z.object({ name: z.string().max(12), age: z.number().int().min(0).max(150) });
const SUM = z.object({ a: z.number().int().min(0).max(99), b: z.number().int().min(0).max(99) });

function sumTool(seen: number[] = []) {
  const execute = ({ a, b }: z.infer<typeof SUM>) => (seen.push(a + b), { sum: a + b });
  return ai.tool({ description: "Adds two numbers.", inputSchema: SUM, execute });
}

Deno.test({
  name: `the AI SDK runs a model in this process${SKIPPED}`,
  ignore: modules === null,
  fn: async (t) => {
    await using model = await loadModel("demo", { threads: 1 });
    const kumi = createKumi({ demo: model });
    const asked = { model: kumi("demo"), prompt: PROMPT, temperature: 0, maxRetries: 0 };
    await t.step("text, whole and streamed", () => testText(kumi, asked));
    await t.step("objects, whole and streamed", () => testObjects(asked));
    await t.step("tools, in steps and in an agent", () => testTools(asked));
    await t.step("embeddings", async () => {
      const { embeddings, usage } = await ai.embedMany({
        model: kumi.embeddingModel(),
        values: ["a dog", "a cat"],
      });
      assertEquals([embeddings.length, embeddings[0].length], [2, model.info.hidden]);
      assert(usage.tokens >= 2);
      assert(Math.abs(ai.cosineSimilarity(embeddings[0], embeddings[0]) - 1) < 1e-6);
    });
    await t.step("aborts", () => testAborts(asked));
    await t.step("errors that the SDK knows", () => testErrors(model));
  },
});

async function testText(kumi: Module, asked: Module): Promise<void> {
  const whole = await ai.generateText({
    ...asked,
    providerOptions: { kumi: { class: "batch", priority: 3 } },
  });
  assertEquals([whole.text, whole.finishReason, whole.response.modelId], [ANSWER, "stop", "demo"]);
  assert(whole.usage.inputTokens > 5 && whole.usage.outputTokens > 5);
  const stream = ai.streamText({ ...asked, model: kumi(), maxOutputTokens: 4 });
  let text = "";
  for await (const part of stream.textStream) text += part;
  assert(ANSWER.startsWith(text) && text !== "", text);
  assertEquals([await stream.finishReason, (await stream.usage).outputTokens], ["length", 4]);
  const stopped = await ai.generateText({
    ...asked,
    stopSequences: ["= 4"],
    reasoning: "none",
    seed: 3,
    topK: 5,
  });
  assertEquals(stopped.text, "17 + 25 ");
  // A wrong option of ours is an error, not nothing.
  const wrong = ai.generateText({ ...asked, providerOptions: { kumi: { minp: 0.1 } } });
  await assertRejects(() => wrong, TypeError, '"minp"');
}

async function testObjects(asked: Module): Promise<void> {
  const prompt = "Anna is 31. As JSON:";
  for (const tellSchema of [true, false]) {
    const providerOptions = { kumi: { tellSchema } };
    const { object } = await ai.generateObject({
      ...asked,
      prompt,
      schema: PERSON,
      temperature: 1,
      seed: 1,
      providerOptions,
    });
    assertEquals(PERSON.parse(object), object);
  }
  const stream = ai.streamObject({ ...asked, prompt, schema: PERSON });
  const parts = [];
  for await (const part of stream.partialObjectStream) parts.push(part);
  assertEquals(parts.at(-1), await stream.object);
  assert(parts.length > 1);
  const { output } = await ai.generateText({
    ...asked,
    prompt,
    output: ai.Output.choice({ options: ["red", "green"] }),
  });
  assert(output === "red" || output === "green", output);
  const cut = ai.generateObject({ ...asked, prompt, schema: PERSON, maxOutputTokens: 3 });
  assert(ai.NoObjectGeneratedError.isInstance(await assertRejects(() => cut)));
}

async function testTools(asked: Module): Promise<void> {
  const seen: number[] = [];
  const tools = { sum: sumTool(seen) };
  const one = { ...asked, tools, maxOutputTokens: 60, stopWhen: ai.isStepCount(2) };
  const prepareStep = ({ stepNumber }: { stepNumber: number }) => ({
    toolChoice: stepNumber === 0 ? "required" : "none",
  });
  const whole = await ai.generateText({ ...one, prepareStep });
  const [first, second] = whole.steps;
  assertEquals([first.finishReason, first.toolResults[0].output.sum], ["tool-calls", seen[0]]);
  assertEquals([second.finishReason, second.toolCalls.length], ["stop", 0]);
  const stream = ai.streamText({ ...one, prepareStep });
  const types: string[] = [];
  for await (const part of stream.fullStream) if (part.type !== types.at(-1)) types.push(part.type);
  const inOrder = [
    "tool-input-start",
    "tool-input-delta",
    "tool-input-end",
    "tool-call",
    "tool-result",
    "text-start",
    "finish",
  ];
  assertEquals(types.filter((type) => inOrder.includes(type)).slice(0, 5), inOrder.slice(0, 5));
  assertEquals(types.at(-1), "finish");
  const agent = new ai.ToolLoopAgent({
    ...one,
    prompt: undefined,
    instructions: "Be brief.",
    toolChoice: { type: "tool", toolName: "sum" },
  });
  const { steps } = await agent.generate({ prompt: PROMPT });
  assertEquals(steps.map(({ toolResults }: Module) => toolResults.length > 0), [true, true]);
  // A tool without a handler is the caller's to answer.
  const { execute: _, ...open } = tools.sum;
  const { toolCalls, finishReason } = await ai.generateText({
    ...asked,
    tools: { open },
    toolChoice: "required",
  });
  assertEquals([SUM.parse(toolCalls[0].input), finishReason], [toolCalls[0].input, "tool-calls"]);
}

async function testAborts(asked: Module): Promise<void> {
  const controller = new AbortController();
  const endless = {
    ...asked,
    prompt: "Tell a story",
    providerOptions: { kumi: { ignoreEnd: true } },
    abortSignal: controller.signal,
  };
  const whole = assertRejects(() => ai.generateText(endless), Error, "enough");
  const stream = ai.streamText(endless);
  const types = new Set<string>();
  for await (const part of stream.fullStream) {
    types.add(part.type);
    if (part.type === "text-delta") controller.abort(new DOMException("enough", "AbortError"));
  }
  assert(types.has("abort"), [...types].join());
  await whole;
  const late = ai.generateText({ ...asked, abortSignal: AbortSignal.abort() });
  await assertRejects(() => late, DOMException);
}

async function testErrors(model: Model): Promise<void> {
  const kumi = createKumi(model);
  assert(ai.NoSuchModelError.isInstance(assertThrows(() => kumi("other"))));
  assert(ai.UnsupportedFunctionalityError.isInstance(assertThrows(() => kumi.imageModel("x"))));
  const image = { type: "file", mediaType: "image/png", data: new Uint8Array(4) };
  const messages = [{ role: "user", content: [{ type: "text", text: "What is this?" }, image] }];
  const error = await assertRejects(() => ai.generateText({ model: kumi(), messages, maxRetries: 0 }));
  assert(ai.UnsupportedFunctionalityError.isInstance(error), String(error));
  // A queue that is full is asked again.
  let asked = 0;
  const busy = {
    info: model.info,
    embed: model.embed.bind(model),
    chat: ((messages: ChatMessage[], options: ChatOptions) => {
      if (++asked % 2 === 0) return model.chat(messages, options);
      const refused = model.chat(messages, { ...options, onAccepted: undefined, maxTokens: 0 });
      const result = refused.result.then(() => Promise.reject(new RefusedError("full", "queue-full", 1)));
      return Object.assign(Object.create(refused), { result });
    }) as Model["chat"],
  };
  const call = { model: createKumi(busy)(), prompt: PROMPT, temperature: 0 };
  assertEquals((await ai.generateText({ ...call, maxRetries: 1 })).text, ANSWER);
  assertEquals(await ai.streamText({ ...call, maxRetries: 1 }).text, ANSWER);
  assertEquals(asked, 4);
}

Deno.test("prompts of the AI SDK become conversations", () => {
  const result = (output: Module) => ({
    type: "tool-result" as const,
    toolCallId: "c",
    toolName: "f",
    output,
  });
  assertEquals(
    toMessages([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "Hi" },
          { type: "file", mediaType: "text/plain", data: { type: "text", text: "a note" } },
          { type: "file", mediaType: "text/plain", data: { type: "data", data: btoa("another") } },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm" },
          { type: "text", text: "Let me see." },
          { type: "tool-call", toolCallId: "c", toolName: "f", input: { x: 1 } },
        ],
      },
      {
        role: "tool",
        content: [
          result({ type: "json", value: [1] }),
          result({ type: "text", value: "as it is" }),
          result({ type: "error-text", value: "broken" }),
          result({ type: "execution-denied", reason: "no" }),
          result({ type: "content", value: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }),
        ],
      },
    ]),
    [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi\na note\nanother" },
      {
        role: "assistant",
        content: "Let me see.",
        reasoning_content: "hm",
        tool_calls: [{ id: "c", function: { name: "f", arguments: { x: 1 } } }],
      },
      ...["[1]", "as it is", '{"error":"broken"}', '{"error":"The user has denied this call: no"}', "a\nb"]
        .map((content) => ({
          role: "tool",
          content,
          name: "f",
          tool_call_id: "c",
        })),
    ],
  );
});

Deno.test("a stream for the AI SDK has blocks that begin and end, and no call that was cut", () => {
  const writer = new StreamWriter((index) => `id${index}`);
  const parts = [
    ...writer.write([{ kind: "text", text: "a" }, { kind: "text", text: "b" }, {
      kind: "call",
      index: 0,
      name: "f",
    }]),
    ...writer.write([{ kind: "arguments", index: 0, text: '{"x":' }, {
      kind: "arguments",
      index: 0,
      text: "1}",
    }]),
    ...writer.write([{ kind: "call", index: 1, name: "g" }, { kind: "arguments", index: 1, text: '{"y' }]),
    ...writer.close(),
  ];
  assertEquals(parts.map(({ type, ...rest }) => [type, ...Object.values(rest)].join(" ")), [
    "text-start 0",
    "text-delta 0 a",
    "text-delta 0 b",
    "text-end 0",
    "tool-input-start id0 f",
    'tool-input-delta id0 {"x":',
    "tool-input-delta id0 1}",
    "tool-input-end id0",
    'tool-call id0 f {"x":1}',
    "tool-input-start id1 g",
    'tool-input-delta id1 {"y',
    "tool-input-end id1",
  ]);
  assertEquals(writer.hasCalls, true);
});

Deno.test({
  name: `the examples of docs/ai-sdk.md run${SKIPPED}`,
  ignore: modules === null,
  fn: async () => {
    const page = await Deno.readTextFile(`${ROOT}/docs/ai-sdk.md`);
    const examples = [...page.matchAll(/^```ts ignore\n(.*?)^```$/gms)].map(([, code]) => code);
    assert(examples.length >= 4);
    const folder = await Deno.makeTempDir({ prefix: "kumi-ai-sdk-" });
    try {
      // One program: each example is a module of its own.
      const names = examples.map((_, i) => `example_${i}.ts`);
      for (const [i, code] of examples.entries()) {
        const local = code.replace(
          /from "@kumi\/kumi(\/ai-sdk)?"/g,
          (_, sub) => `from "${toFileUrl(sub ? "src/ai_sdk/mod.ts" : "mod.ts")}"`,
        ).replace('from "ai"', 'from "npm:ai@7"');
        await Deno.writeTextFile(`${folder}/${names[i]}`, local);
      }
      await Deno.writeTextFile(
        `${folder}/main.ts`,
        names.map((name) => `await import("./${name}");\n`).join(""),
      );
      const args = ["run", "--allow-all", "--quiet", "--no-lock", ...stdFlags("local"), `${folder}/main.ts`];
      const done = await capture([Deno.execPath(), ...args], { cwd: ROOT });
      assertEquals(done?.code, 0, done?.stderr);
      assert(done!.stdout.startsWith(`${ANSWER} `), done!.stdout);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

const toFileUrl = (path: string) => new URL(`file://${ROOT}/${path}`).href;
