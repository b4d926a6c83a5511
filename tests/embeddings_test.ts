/**
 * Embeddings: what they are, that they do not depend on what else is computed, and how they are asked for.
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadModel, type LoadOptions, type Model, ModelError, type Pooling, RefusedError } from "../mod.ts";
import { BLOCK_TOKENS } from "../src/runner/batch.ts";
import { openGguf, scalarEntry } from "../src/gguf/mod.ts";
import type { ModelRunner } from "../src/runner/model_runner.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { numbersFrom } from "./support/numbers.ts";
import { type Module, npmModules } from "./support/npm.ts";
import { assertIdle, ENDLESS, errorOf, recorder, startServer, TEXT } from "./support/server.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

const PATH = "/v1/embeddings";
const openai = await npmModules("openai@7");

/** Hidden states after the last norm of all tokens, computed one at a time: [tokens, hidden]. */
function hiddenStates(runner: ModelRunner, tokens: readonly number[]): Float32Array[] {
  const blocks = Array.from({ length: Math.ceil(tokens.length / BLOCK_TOKENS) }, (_, i) => i);
  return tokens.map((_, first) => {
    const slice = { tokens: tokens.slice(0, first + 1), first, count: 1, tables: tablesOf(blocks) };
    assert(runner.forward([slice]));
    return runner.hidden(0, 1);
  });
}

/** Written in the plainest way: the sum in the order of positions, a division, a division by the length. */
function pooled(states: readonly Float32Array[], pooling: Pooling): Float32Array {
  const mean = [...states[0]].map((_, i) => {
    if (pooling === "last") return states.at(-1)![i];
    let sum = 0;
    for (const state of states) sum += state[i];
    return sum / states.length;
  });
  let squares = 0;
  for (const value of mean) squares += value * value;
  return Float32Array.from(mean, (value) => value / Math.sqrt(squares));
}

Deno.test("ModelRunner.hidden() gives what the logits are computed from", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f32");
  using runner = await loadRunner(path, { threads: 2, logitsRowsMax: 4 });
  using file = await openGguf(path);
  const { hidden, vocab } = runner.hyperparameters;
  const weights = new Float32Array(vocab * hidden);
  const name = file.tensors.has("output.weight") ? "output.weight" : "token_embd.weight";
  file.readInto(name, 0, new Uint8Array(weights.buffer));
  const tokens = Array.from({ length: 11 }, (_, i) => (i * 37 + 11) % vocab);
  runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf([0]) }]);
  // More rows than are read at a time.
  const states = runner.hidden(1, 10);
  assertEquals(states.length, 10 * hidden);
  runner.logits([1, 10]);
  const logits = runner.readLogits();
  for (const [row, at] of [0, 9].entries()) {
    for (let id = 0; id < vocab; id += 17) {
      let sum = 0;
      for (let i = 0; i < hidden; i++) sum += states[at * hidden + i] * weights[id * hidden + i];
      assertAlmostEquals(logits[row * vocab + id], sum, 1e-3);
    }
  }
});

Deno.test("Model.embed() gives the mean of the hidden states, or the last one, of length 1", async () => {
  using folder = new TemporaryFolder();
  for (const format of ["q8_0", "f32"] as const) {
    const path = await folder.randomModel("llama-tiny", format);
    using runner = await loadRunner(path, { threads: 1 });
    await using model = await loadModel(path, { threads: 1 });
    const tokens = Array.from({ length: 70 }, (_, i) => (i * 37 + 11) % 512);
    const states = hiddenStates(runner, tokens);
    for (const pooling of ["mean", "last"] as const) {
      const { embeddings, promptTokens } = await model.embed(tokens, { pooling });
      assertEquals([embeddings.length, promptTokens], [1, 70]);
      assertEquals(embeddings[0], pooled(states, pooling), `${format}, ${pooling}`);
      assertAlmostEquals(embeddings[0].reduce((sum, x) => sum + x * x, 0), 1, 1e-5);
    }
  }
});

Deno.test("Model.embed() pools as the file says, unless the caller says otherwise", async () => {
  using folder = new TemporaryFolder();
  const tokens = Array.from({ length: 20 }, (_, i) => (i * 37 + 11) % 512);
  const embed = async (type: number | null, pooling?: Pooling) => {
    const entries = type === null ? [] : [scalarEntry("u32", "llama.pooling_type", type)];
    const path = await folder.randomModel("llama-tiny", "q8_0", 1, entries);
    await using model = await loadModel(path, { threads: 1 });
    if (type !== null) assertEquals(model.info.pooling, ["none", "mean", "cls", "last", "rank"][type]);
    const { embeddings } = await model.embed(tokens, { pooling });
    // It continues texts whatever it says of embeddings.
    await model.generate(tokens, { maxTokens: 1 }).result;
    return embeddings[0];
  };
  const mean = await embed(null, "mean"), last = await embed(null, "last");
  assert(mean.some((value, i) => value !== last[i]));
  for (const type of [null, 0, 1]) assertEquals(await embed(type), mean, `${type}`);
  assertEquals(await embed(3), last);
  assertEquals(await embed(3, "mean"), mean);
  assertEquals(await embed(2, "last"), last);
  for (const [type, name] of [[2, "cls"], [4, "rank"]] as const) {
    const error = await assertRejects(() => embed(type), ModelError);
    assertStringIncludes(error.message, `"${name}"`);
  }
  await assertRejects(() => embed(5), Error, "current value is 5");
});

Deno.test("POST /v1/embeddings pools as the file says, and refuses what is not supported by name", async () => {
  using folder = new TemporaryFolder();
  const answers: unknown[] = [];
  for (const type of [3, 2]) {
    const entries = [scalarEntry("u32", "llama.pooling_type", type)];
    const path = await folder.randomModel("llama-tiny", "q8_0", 1, entries);
    await using server = await startServer({ model: path, threads: 1 });
    const ask = (body: object) => server.post(PATH, { input: "abc", ...body });
    const vector = async (body: object) => (await (await ask(body)).json()).data[0].embedding;
    answers.push(await vector({ pooling: "last" }));
    if (type === 3) answers.push(await vector({}));
    else assertStringIncludes((await errorOf(ask({}), 400)).message, '"cls"');
    assertStringIncludes((await errorOf(ask({ pooling: "cls" }), 400)).message, "cls");
  }
  assertEquals(answers[1], answers[0]);
  assertEquals(answers[2], answers[0]);
});

/** Texts of many lengths, some of which begin alike. */
function randomTexts(vocab: number, count: number): number[][] {
  const next = numbersFrom(5);
  const common = Array.from({ length: 60 }, () => next(vocab));
  return Array.from({ length: count }, () => [
    ...common.slice(0, next(3) === 0 ? next(60) : 0),
    ...Array.from({ length: 1 + next(90) }, () => next(vocab)),
  ]);
}

async function embeddedIn(load: LoadOptions, together: boolean): Promise<Float32Array[]> {
  await using model = await loadModel("demo", load);
  const texts = randomTexts(model.info.vocab, 30);
  const poolings = texts.map((_, i): Pooling => i % 3 === 0 ? "last" : "mean");
  const one = async (i: number) => (await model.embed([texts[i]], { pooling: poolings[i] })).embeddings[0];
  if (!together) {
    const all: Float32Array[] = [];
    for (const i of texts.keys()) all.push(await one(i));
    return all;
  }
  const answers = texts.slice(0, 12).map((text) => model.generate(text, { maxTokens: 20, seed: 1 }).result);
  const all = await Promise.all(texts.keys().map(one));
  await Promise.all(answers);
  await assertIdle(model);
  return all;
}

Deno.test("Model.embed() gives the same bits alone, beside others, in chunks and with little KV cache", async () => {
  const alone = await embeddedIn({ threads: 1, contextLength: 256, prefixCache: false }, false);
  const manners: LoadOptions[] = [
    { threads: 2, contextLength: 256 },
    { threads: 1, contextLength: 256, batchTokensMax: 16, sequencesMax: 5 },
    { threads: 1, contextLength: 256, kvTokens: 256 },
    { threads: 1, contextLength: 256, workers: 2 },
  ];
  for (const load of manners) assertEquals(await embeddedIn(load, true), alone, JSON.stringify(load));
});

async function fails(promise: Promise<unknown>, name: string): Promise<void> {
  assertEquals((await assertRejects(() => promise, Error)).name, name);
}

Deno.test("Model.embed() shortens vectors, and says what cannot be", async () => {
  await using model = await loadModel("demo", { threads: 1, contextLength: 64 });
  const { hidden } = model.info;
  const { embeddings: [whole, other] } = await model.embed(["Hello", "A KV cache"]);
  assert(whole.some((value, i) => value !== other[i]));
  const { embeddings: [short] } = await model.embed("Hello", { dimensions: 8 });
  const length = Math.sqrt(whole.slice(0, 8).reduce((sum, value) => sum + value * value, 0));
  short.forEach((value, i) => assertAlmostEquals(value, whole[i] / length, 1e-6));
  assertEquals((await model.embed("Hello", { dimensions: hidden })).embeddings[0], whole);
  await fails(model.embed([]), "RangeError");
  await fails(model.embed("Hello", { dimensions: hidden + 1 }), "RangeError");
  await fails(model.embed("Hello", { pooling: "max" as "mean" }), "RangeError");
  await fails(model.embed(["Hello", new Array(64).fill(1)]), "ContextError");
  await fails(model.embed("Hello", { signal: AbortSignal.abort() }), "AbortError");
  await assertIdle(model);
});

Deno.test("Model.embed() can be aborted, refused and late", async () => {
  const interactive = {
    name: "interactive",
    priority: 1,
    maxBatch: 2,
    maxWaitMs: 0,
    queueLimit: { requests: 4, tokens: 5000 },
    preemptible: false,
  };
  await using model = await loadModel("demo", { threads: 1, classes: [interactive], contextLength: 512 });
  const long = (model: Model, count: number) =>
    Array.from({ length: count }, (_, i) => new Array<number>(400).fill(i % model.info.vocab));
  const controller = new AbortController();
  const reason = new RangeError("enough");
  const aborted = model.embed(long(model, 4), { signal: controller.signal });
  controller.abort(reason);
  assertEquals(await aborted.catch((error) => error), reason);
  await assertIdle(model);
  await assertRejects(() => model.embed(long(model, 30)), RefusedError);
  await assertIdle(model);
  const late = await model.embed(long(model, 4), { deadlineMs: 1 }).catch((error) => error.name);
  assert(["TimeoutError", "RefusedError"].includes(late), late);
  await assertIdle(model);
});

Deno.test("/v1/embeddings gives floats or base64, in order, and tells what it did", async () => {
  const { heard, observer } = recorder();
  await using server = await startServer({ observer });
  const { model, post, get } = server;
  const { embeddings, promptTokens } = await model.embed(["Hello", "A KV cache"]);
  const ask = async (body: Record<string, unknown>) => {
    const response = await post(PATH, { input: ["Hello", "A KV cache"], ...body });
    assertEquals(response.status, 200);
    return await response.json();
  };
  const floats = await ask({ model: "demo", user: "me" });
  assertEquals(floats.usage, { prompt_tokens: promptTokens, total_tokens: promptTokens });
  assertEquals([floats.object, floats.model, floats.data[1].object, floats.data[1].index], [
    "list",
    "demo",
    "embedding",
    1,
  ]);
  const vectors = (data: { embedding: number[] }[]) =>
    data.map(({ embedding }) => new Float32Array(embedding));
  assertEquals(vectors(floats.data), embeddings);
  const coded = await ask({ encoding_format: "base64", class: "batch", priority: 3 });
  const decode = (text: string) => new Float32Array(Uint8Array.fromBase64(text).buffer);
  assertEquals(coded.data.map(({ embedding }: { embedding: string }) => decode(embedding)), embeddings);
  assertEquals((await ask({ dimensions: 5 })).data[0].embedding.length, 5);
  const tokens = await model.tokenize("Hello");
  assertEquals(vectors((await ask({ input: tokens })).data), [embeddings[0]]);
  assertEquals(vectors((await ask({ input: [tokens, tokens] })).data), [embeddings[0], embeddings[0]]);
  assert(vectors((await ask({ pooling: "last" })).data)[1].some((value, i) => value !== embeddings[1][i]));

  const finished = heard.filter(([name]) => name === "finished").map(([, , end]) => end as Module);
  assertEquals(finished.length, 11);
  for (const { isEmbedding, completionTokens } of finished) {
    assertEquals([isEmbedding, completionTokens], [true, 0]);
  }
  const metrics = await (await get("/metrics")).text();
  assert(/^kumi:embeddings_total\{[^}]*class="batch"[^}]*\} 2$/m.test(metrics), metrics);
  await assertIdle(model);
});

Deno.test("/v1/embeddings refuses what cannot be by name", async () => {
  await using server = await startServer({ contextLength: 64 });
  const { post, model } = server;
  const param = async (body: unknown) => (await errorOf(post(PATH, body), 400)).param;
  assertEquals(await param({}), "input");
  assertEquals(await param({ input: [] }), "input");
  assertEquals(await param({ input: [1, "a"] }), "input[1]");
  assertEquals(await param({ input: [model.info.vocab] }), "input");
  assertEquals(await param({ input: "a", dimensions: model.info.hidden + 1 }), "dimensions");
  assertEquals(await param({ input: "a", encoding_format: "int8" }), "encoding_format");
  assertEquals(await param({ input: "a", temperature: 1 }), "temperature");
  assertEquals(await param({ input: "a", class: "none" }), "class");
  assertEquals(
    (await errorOf(post(PATH, { input: ["a", "b ".repeat(500)] }), 400)).code,
    "context_length_exceeded",
  );
  assertEquals((await errorOf(post(PATH, { input: "a", model: "gpt" }), 404)).param, "model");
  await assertIdle(model);
});

Deno.test("a client that goes away ends its embeddings", async () => {
  await using server = await startServer({ contextLength: 512 });
  const controller = new AbortController();
  // Something before it in the queue.
  const busy = server.post(TEXT, { ...ENDLESS, n: 8, max_tokens: 100 });
  const input = Array.from({ length: 400 }, (_, i) => `${i} `.repeat(100));
  let answered: number | undefined;
  const asked = server.post(PATH, { input }, { signal: controller.signal }).then(({ status, body }) => {
    answered = status;
    return body?.cancel();
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort();
  await asked.catch(() => {});
  // On a busy machine it may come first, but it is not refused.
  assert(answered === undefined || answered === 200, `status ${answered}`);
  await (await busy).text();
  await assertIdle(server.model);
});

Deno.test({
  name: "npm's openai client gets embeddings",
  ignore: openai === null,
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await using server = await startServer();
    const { default: OpenAI } = openai![0] as Module;
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 });
    const { embeddings } = await server.model.embed(["Hello", "Good evening"]);
    // It asks for base64 by itself.
    const { data, usage } = await client.embeddings.create({
      model: "demo",
      input: ["Hello", "Good evening"],
    });
    assertEquals(data.map(({ embedding }: Module) => new Float32Array(embedding)), embeddings);
    assert(usage.total_tokens > 2);
    const floats = await client.embeddings.create({
      model: "demo",
      input: "Hello",
      encoding_format: "float",
    });
    assertEquals(new Float32Array(floats.data[0].embedding), embeddings[0]);
  },
});
