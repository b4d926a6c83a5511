/** The library as its users see it, on a small random-weight model. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  createHandler,
  EngineError,
  type GenerationOptions,
  loadModel,
  type LoadProgress,
  type Model,
  ModelError,
  serve,
} from "../mod.ts";
import { DEFAULT_CLASSES } from "../scheduler/mod.ts";
import { EngineClient } from "../src/client/client.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { WorkerTransport } from "../src/client/transport.ts";
import { GgufError, GgufWriter, openGguf, scalarEntry, withEntries } from "../src/gguf/mod.ts";
import { TemporaryFolder } from "./support/models.ts";

/** Never ends by itself. */
const ENDLESS = { ignoreEnd: true, temperature: 1, topK: 0, topP: 1, minP: 0 } as const;

async function withModel(use: (model: Model, path: string) => Promise<void>): Promise<void> {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  await using model = await loadModel(path, { threads: 2 });
  await use(model, path);
}

Deno.test("loadModel() reports progress to the last byte and describes the model", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  const seen: LoadProgress[] = [];
  await using model = await loadModel(path, { threads: 1, progress: (progress) => seen.push(progress) });
  assert(seen.length > 1);
  assertEquals(seen.at(-1)?.doneBytes, seen.at(-1)?.totalBytes);
  assertEquals(seen.at(-1)?.phase, "load");
  assertEquals(model.info.architecture, "llama");
  assertEquals(model.info.contextLength, 512);
  assertEquals(model.info.threads, 1);
  assertEquals(model.info.kvBytesPerToken, 2 * 2 * 2 * 64 * 2);
});

Deno.test("loadModel() rejects with the reason when it is aborted, before or while loading", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f32");
  await assertRejects(() => loadModel(path, { signal: AbortSignal.abort() }), DOMException, "abort");
  const controller = new AbortController();
  const loading = loadModel(path, {
    signal: controller.signal,
    progress: () => controller.abort(new RangeError("too slow for me")),
  });
  await assertRejects(() => loading, RangeError, "too slow for me");
});

Deno.test("loadModel() says what is wrong with a file or an option", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  await assertRejects(() => loadModel(`${folder.path}/none.gguf`), GgufError, "none.gguf");
  await assertRejects(() => loadModel(path, { contextLength: 513 }), RangeError, "current value is 513");
  await assertRejects(() => loadModel(path, { isa: "abacus" }), Error, "abacus");
  const text = `${folder.path}/text.gguf`;
  await Deno.writeTextFile(text, "not a model");
  await assertRejects(() => loadModel(text), GgufError);
  const foreign = `${folder.path}/foreign.gguf`;
  using file = await openGguf(path);
  const entries = withEntries(file.entries, [scalarEntry("string", "general.architecture", "rwkv6")]);
  await using writer = await GgufWriter.create(foreign, { entries, tensors: [] });
  await writer.finish();
  await assertRejects(() => loadModel(foreign), ModelError, `"rwkv6"; supported are llama, `);
});

Deno.test("Model.generate() streams the parts of the result's text and accounts for it", async () => {
  await withModel(async (model) => {
    const generation = model.generate("hello", { ...ENDLESS, maxTokens: 20, seed: 1, logprobs: 3 });
    let text = "";
    for await (const part of generation) text += part;
    const result = await generation.result;
    assertEquals(result.text, text);
    assertEquals(result.finishReason, "length");
    assertEquals(result.seed, 1);
    assertEquals(result.usage.completionTokens, 20);
    assertEquals(result.usage.promptTokens, (await model.tokenize("hello")).length);
    assert(result.timings.ttftMs! > 0 && result.timings.totalMs >= result.timings.ttftMs!);
    assert(result.timings.decodeTokensPerSecond! > 0);
    assertEquals(result.logprobs?.length, 20);
    for (const { logprob, top } of result.logprobs!) {
      assertEquals(top.length, 3);
      assert(logprob <= top[0].logprob && top[0].logprob <= 0);
      assert(top[0].logprob >= top[1].logprob && top[1].logprob >= top[2].logprob);
    }
  });
});

Deno.test("Model.generate() gives the same tokens for the same seed, alone or beside others", async () => {
  await withModel(async (model) => {
    const options = { ...ENDLESS, maxTokens: 30 };
    const texts = ["a", "bb", "a longer prompt than the others", "d"];
    const alone: string[] = [];
    for (const [seed, text] of texts.entries()) {
      alone.push((await model.generate(text, { ...options, seed }).result).text);
    }
    const together = await Promise.all(
      texts.map((text, seed) => model.generate(text, { ...options, seed }).result),
    );
    assertEquals(together.map(({ text }) => text), alone);
    const other = await model.generate(texts[0], { ...options, seed: 99 }).result;
    assert(other.text !== alone[0]);
  });
});

Deno.test("Model.generate() with temperature 0 takes the likeliest token", async () => {
  await withModel(async (model) => {
    const options = { ignoreEnd: true, temperature: 0, maxTokens: 10, logprobs: 1 };
    const { logprobs, text } = await model.generate("hello", options).result;
    for (const { id, top } of logprobs!) assertEquals(id, top[0].id);
    assertEquals((await model.generate("hello", { ...options, seed: 5 }).result).text, text);
  });
});

Deno.test("Model.generate() samples as the file recommends where the caller says nothing", async () => {
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    using file = await openGguf(demoModelFile());
    const entries = withEntries(file.entries, [scalarEntry("f32", "general.sampling.temp", 0)]);
    const tensors = [...file.tensors.values()];
    await using writer = await GgufWriter.create(path, { entries, tensors });
    for (const { name, bytes } of tensors) {
      const data = new Uint8Array(bytes);
      file.readInto(name, 0, data);
      await writer.writeTensor(name, [data]);
    }
    await writer.finish();
    await using model = await loadModel(path, { threads: 1 });
    assertEquals(model.info.sampling, { temperature: 0 });
    const answer = async (options: GenerationOptions) =>
      (await model.generate("The cat", { maxTokens: 16, ...options }).result).text;
    const greedy = await answer({ temperature: 0 });
    assertEquals([await answer({ seed: 1 }), await answer({ seed: 2 })], [greedy, greedy]);
    assert(await answer({ temperature: 2, seed: 3 }) !== greedy);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Model.generate() obeys logit biases, stop strings and stop tokens", async () => {
  await withModel(async (model) => {
    const options = { ...ENDLESS, temperature: 0, maxTokens: 30, logprobs: 0 };
    const free = await model.generate("hello", options).result;
    const first = free.logprobs![0].id;
    const biased = await model.generate("hello", { ...options, logitBias: { [first]: -100 } }).result;
    assert(biased.logprobs![0].id !== first);

    const cut = free.text.slice(3, 8);
    assertEquals(cut.length, 5);
    const stopped = await model.generate("hello", { ...options, stop: ["never there", cut] }).result;
    assertEquals(stopped.text, free.text.slice(0, free.text.indexOf(cut)));
    assertEquals(stopped.finishReason, "stop");

    const token = free.logprobs![4].id;
    const byToken = await model.generate("hello", { ...options, stopTokens: [token] }).result;
    assertEquals(byToken.finishReason, "stop");
    assertEquals(byToken.usage.completionTokens, 1 + free.logprobs!.findIndex(({ id }) => id === token));
  });
});

Deno.test("Model.generate() ends with what it has when it is aborted in prefill or decode", async () => {
  await withModel(async (model) => {
    const inPrefill = new AbortController();
    const prompt = Array.from({ length: 500 }, (_, i) => i);
    const early = model.generate(prompt, { ...ENDLESS, signal: inPrefill.signal });
    inPrefill.abort();
    const { finishReason, usage } = await early.result;
    assertEquals(finishReason, "abort");
    assert(usage.completionTokens < 12);

    const inDecode = new AbortController();
    const generation = model.generate("a", { ...ENDLESS, signal: inDecode.signal });
    let text = "";
    const error = await assertRejects(async () => {
      for await (const part of generation) {
        text += part;
        inDecode.abort();
      }
    }, DOMException);
    assertEquals(error.name, "AbortError");
    const late = await generation.result;
    assertEquals(late.finishReason, "abort");
    assertEquals(late.text, text);
    assert(late.usage.completionTokens > 0);

    const aborted = model.generate("a", { signal: AbortSignal.abort(new RangeError("never mind")) });
    const nothing = await aborted.result;
    assertEquals([nothing.finishReason, nothing.usage.completionTokens], ["abort", 0]);
    await assertRejects(
      async () => {
        for await (const _ of aborted) throw new Error("nothing is computed");
      },
      RangeError,
      "never mind",
    );
    for await (const _ of model.generate("a", ENDLESS)) break;
    assertEquals((await model.generate("a", { ...ENDLESS, maxTokens: 2 }).result).usage.completionTokens, 2);
  });
});

Deno.test("Model.generate() fails alone: a bad request leaves the others as they are", async () => {
  await withModel(async (model) => {
    const long = model.generate(Array.from({ length: 512 }, () => 5), { maxTokens: 1 });
    const good = model.generate("a", { ...ENDLESS, maxTokens: 20, seed: 3 });
    await assertRejects(() => long.result, RangeError, "512 tokens");
    assertEquals((await good.result).usage.completionTokens, 20);
    assertThrows(() => model.generate("a", { temperature: -1 }), RangeError, "current value is -1");
    assertThrows(() => model.generate("a", { maxTokens: -1 }), RangeError, "current value is -1");
    assertThrows(() => model.generate("a", { promptLogprobs: 21 }), RangeError, "current value is 21");
    assertThrows(() => model.generate("a", { stop: [""] }), RangeError, "current length is 0");
    assertThrows(() => model.generate("a", { stopTokens: [512] }), RangeError, "current value is 512");
  });
});

Deno.test("Model.generate() ends with length when the context is full", async () => {
  await withModel(async (model) => {
    const prompt = Array.from({ length: 500 }, (_, i) => i);
    const { finishReason, usage } = await model.generate(prompt, { ...ENDLESS }).result;
    assertEquals(finishReason, "length");
    assertEquals(usage.promptTokens + usage.completionTokens, 512);
  });
});

Deno.test("arguments of a wrong type fail at the door, by name and value", async () => {
  await withModel(async (model) => {
    // deno-lint-ignore no-explicit-any
    const any = model as any;
    const user = { role: "user", content: "Hi" };
    const thrown: [() => unknown, string][] = [
      [() => any.chat("Hi"), 'messages must be a list of messages, current value is "Hi"'],
      [() => any.chat(undefined), "messages must be a list of messages, current value is undefined"],
      [() => any.chat([user, "Hi"]), 'messages[1] must be an object, current value is "Hi"'],
      [
        () => any.chat([{ role: "user", content: null }]),
        "messages[0].content must be a string, current value is null",
      ],
      [() => any.chat([{ role: "user", content: ["Hi"] }]), "messages[0].content must be a string"],
      [() => any.chat([{ content: "Hi" }]), "messages[0].role must be one of system, developer, user"],
      [() => any.chat([user], { enable_thinking: true }), 'did you mean "enableThinking"?'],
      [() => any.chat([user], { enableThinking: "no" }), 'Option "enableThinking" must be true or false'],
      [() => any.chat([user], 5), "The options of chat() must be an object, current value is 5"],
      [
        () => any.generate({ text: "Hi" }),
        "prompt must be a text or a list of token ids, current value is an object",
      ],
      [() => any.generate([1, "2"]), 'prompt[1] must be a number, current value is "2"'],
      [
        () => any.generate("Hi", { max_tokens: 5 }),
        'no option "max_tokens" of generate(), did you mean "maxTokens"?',
      ],
      [
        () => any.generate("Hi", { temperature: "0.5" }),
        'Option "temperature" must be a number, current value is "0.5"',
      ],
      [() => any.generate("Hi", { stop: 5 }), 'Option "stop" must be a string or a list of strings'],
      [() => any.generate("Hi", { stopTokens: "</s>" }), 'Option "stopTokens" must be a list of token ids'],
      [() => any.generate("Hi", { signal: new AbortController() }), 'Option "signal" must be an AbortSignal'],
      [() => any.generate("Hi", { onTokens: true }), 'Option "onTokens" must be a function'],
      [() => any.generate("Hi", { logitBias: [5] }), 'Option "logitBias" must be an object'],
      [() => any.generate("Hi", { deadlineMs: new Date(0) }), "current value is an object of class Date"],
      [() => any.generate("Hi", { class: null }), 'Option "class" must be a string, current value is null'],
    ];
    for (const [call, message] of thrown) assertThrows(call, TypeError, message);
    const outside: [() => unknown, string][] = [
      [
        () => any.chat([{ role: "bot", content: "Hi" }]),
        'messages[0].role must be one of system, developer, user, assistant, tool, current value is "bot"',
      ],
      [() => any.generate("Hi", { temperature: NaN }), "current value is NaN"],
      [() => any.generate("Hi", { deadlineMs: 0 }), "current value is 0"],
      [() => any.generate("Hi", { maxTokens: 1.5 }), "current value is 1.5"],
    ];
    for (const [call, message] of outside) assertThrows(call, RangeError, message);
    const rejected: [() => Promise<unknown>, typeof TypeError | typeof RangeError, string][] = [
      [
        () => any.embed(5),
        TypeError,
        "input must be a text, a list of token ids, or a list of these, current value is 5",
      ],
      [
        () => any.embed(["a", null]),
        TypeError,
        "input[1] must be a text or a list of token ids, current value is null",
      ],
      [() => any.embed("a", { dimension: 4 }), TypeError, 'did you mean "dimensions"?'],
      [
        () => any.embed("a", { pooling: "cls" }),
        RangeError,
        'Option "pooling" must be one of mean, last, current value is "cls"',
      ],
      [() => any.embed("a", { temperature: 1 }), TypeError, 'no option "temperature" of embed()'],
      [() => any.tokenize(5), TypeError, "text must be a string, current value is 5"],
      [() => any.tokenize("a", { addBos: true }), TypeError, 'no option "addBos" of tokenize()'],
      [() => any.detokenize("a"), TypeError, 'tokens must be a list of token ids, current value is "a"'],
      [() => any.detokenize([1], { special: 1 }), TypeError, "must be true or false, current value is 1"],
      [() => model.tokenize("a", { signal: AbortSignal.abort() }), DOMException as never, "abort"],
      [() => model.detokenize([1], { signal: AbortSignal.abort() }), DOMException as never, "abort"],
    ];
    for (const [call, type, message] of rejected) await assertRejects(call, type, message);
    // The model is as it was.
    assertEquals((await model.generate("a", { ...ENDLESS, maxTokens: 2 }).result).usage.completionTokens, 2);
  });
});

Deno.test("loadModel(), serve() and createHandler() refuse arguments of a wrong type by name and value", async () => {
  // deno-lint-ignore no-explicit-any
  const load = loadModel as any, start = serve as any, handler = createHandler as any;
  const rejected: [unknown[], string][] = [
    [[5], "model must be a path or a URL, current value is 5"],
    [["demo", { context: 5 }], 'There is no option "context" of loadModel()'],
    [["demo", { contextlength: 5 }], 'did you mean "contextLength"?'],
    [["demo", { contextLength: "4k" }], 'Option "contextLength" must be a number, current value is "4k"'],
    [["demo", { threads: "2" }], 'Option "threads" must be an integer from 1 to 512, current value is "2"'],
    [["demo", { kv: { prefalut: true } }], 'no field "prefalut" in Option "kv", did you mean "prefault"?'],
    [["demo", { classes: [{ name: "a" }] }], 'Option "classes"[0].priority must be given'],
    [["demo", { progress: "yes" }], 'Option "progress" must be a function'],
  ];
  for (const [args, message] of rejected) await assertRejects(() => load(...args), TypeError, message);
  for (const threads of [0, -1, NaN, 1.5, 2000]) {
    await assertRejects(() => load("demo", { threads }), RangeError, `current value is ${threads}`);
  }
  await assertRejects(() => load("demo", { kvFormat: "f8" }), RangeError, 'current value is "f8"');
  assertThrows(() => start({ port: "8080" }), TypeError, 'Option "port" must be an integer from 0 to 65535');
  assertThrows(() => start({ port: 70_000 }), RangeError, "current value is 70000");
  assertThrows(() => start({ host: "::" }), TypeError, 'There is no option "host" of serve()');
  assertThrows(() => start({ drainSeconds: -1 }), RangeError, "current value is -1");
  assertThrows(() => start({ gate: true }), TypeError, "an object of limits or false, current value is true");
  assertThrows(() => start({ gate: { idle_ms: 5 } }), TypeError, 'did you mean "idleMs"?');
  assertThrows(
    () => handler("demo"),
    TypeError,
    'a loaded model or a promise of one, current value is "demo"',
  );
  assertThrows(
    () => handler({}, { apiKeys: "key" }),
    TypeError,
    'Option "apiKeys" must be a list of API keys',
  );
  assertThrows(() => handler({}, { port: 80 }), TypeError, 'There is no option "port" of createHandler()');
});

Deno.test("requests that name no class have the highest one where none is called interactive", async () => {
  const bulk = { ...DEFAULT_CLASSES[1], name: "bulk" };
  await using model = await loadModel("demo", {
    threads: 1,
    classes: [bulk, { ...bulk, name: "urgent", priority: 5 }],
  });
  assertEquals(model.info.defaultClass, "urgent");
  await model.generate("a", { maxTokens: 1 }).result;
  await model.embed("a");
  await using server = serve({ port: 0, threads: 1, classes: [bulk] });
  const served = await server.ready;
  for (
    const [path, body] of [["completions", { prompt: "a", max_tokens: 1 }], ["embeddings", { input: "a" }]]
  ) {
    const response = await fetch(`${server.url}/v1/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assertEquals([path, response.status, await response.json().then(({ error }) => error)], [
      path,
      200,
      undefined,
    ]);
  }
  const counts = async (each: typeof model) =>
    (await each.stats()).workers[0].classes.map(({ name, accepted }) => [name, accepted]);
  assertEquals([await counts(model), (await counts(served))[0][0]], [[["urgent", 2], ["bulk", 0]], "bulk"]);
});

Deno.test("loadModel() computes as many sequences together as it is told to, beyond the default", async () => {
  const many = {
    name: "interactive",
    priority: 1,
    maxBatch: 100,
    maxWaitMs: 0,
    queueLimit: { requests: 100, tokens: 10_000 },
    preemptible: false,
  };
  await using model = await loadModel("demo", {
    threads: 1,
    sequencesMax: 40,
    classes: [many],
    kvTokens: 40 * 512,
  });
  const stop = new AbortController();
  const answers = Array.from(
    { length: 40 },
    (_, seed) => model.generate("a", { ...ENDLESS, seed, signal: stop.signal }).result,
  );
  let running = 0;
  for (let i = 0; i < 500 && running < 40; i++) {
    const { workers: [{ classes }] } = await model.stats();
    running = Math.max(running, classes[0].running);
  }
  stop.abort();
  await Promise.all(answers);
  assertEquals(running, 40);
  await assertRejects(() => loadModel("demo", { sequencesMax: 513 }), RangeError, "from 1 to 512");
});

Deno.test("Model.tokenize() and Model.detokenize() are each other's inverse", async () => {
  await withModel(async (model) => {
    const text = "hello, world";
    const tokens = await model.tokenize(text, { addSpecial: false });
    assertEquals(await model.detokenize(tokens), text);
    await assertRejects(() => model.detokenize([1 << 20]), RangeError);
  });
});

Deno.test("Model leaves the caller's thread responsive while it generates", async () => {
  await withModel(async (model) => {
    let turns = 0, isOver = false;
    const turning = (async () => {
      for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    const prompt = Array.from({ length: 256 }, (_, i) => i);
    const maxTokens = 250;
    await Promise.all(
      Array.from({ length: 4 }, () => model.generate(prompt, { ...ENDLESS, maxTokens }).result),
    );
    isOver = true;
    await turning;
    // A thread that computed the steps itself would turn about once for each.
    assert(turns > 2 * maxTokens, `the event loop turned ${turns} times in ${maxTokens} steps`);
  });
});

Deno.test("Model.close() rejects what is pending and refuses what comes after", async () => {
  using folder = new TemporaryFolder();
  const model = await loadModel(await folder.randomModel("qwen3-tiny", "q4_k"), { threads: 2 });
  const generation = model.generate("a", ENDLESS);
  const closing = model.close();
  await assertRejects(() => generation.result, EngineError, "closed");
  await closing;
  await model.close();
  assertThrows(() => model.generate("a"), EngineError, "closed");
});

Deno.test("Model works for models side by side", async () => {
  using folder = new TemporaryFolder();
  const [a, b] = await Promise.all([
    loadModel(await folder.randomModel("qwen2-tiny", "q4_0"), { threads: 1 }),
    loadModel(await folder.randomModel("llama-tiny", "q6_k"), { threads: 1 }),
  ]);
  const results = await Promise.all(
    [a, b].map((model) => model.generate("a", { ...ENDLESS, maxTokens: 5 }).result),
  );
  assertEquals(results.map(({ usage }) => usage.completionTokens), [5, 5]);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("EngineClient.start() rejects when the worker ends itself without a word", async () => {
  const url = new URL("./support/ending_worker.ts", import.meta.url);
  const starting = EngineClient.start(() => new WorkerTransport(url), {
    path: "any.gguf",
    engine: {},
    heartbeatMs: 200,
  });
  const error = await starting.catch((error) => error);
  assertInstanceOf(error, EngineError);
});

Deno.test("messages reach a worker within a step or two, however busy it is", async () => {
  await using model = await loadModel("demo", { threads: 1 });
  const waited: number[] = [];
  while (waited.length < 7) {
    let tokens = 0;
    const enough = Promise.withResolvers<void>();
    const busy = new AbortController();
    const { result } = model.generate("Once", {
      ...ENDLESS,
      signal: busy.signal,
      onTokens: (ids) => {
        tokens += ids.length;
        if (tokens > 70) enough.resolve();
      },
    });
    await enough.promise;
    const before = tokens;
    await model.tokenize("a");
    waited.push(tokens - before);
    busy.abort();
    await result;
  }
  // Not all of them, because the system may let this thread wait.
  assert(waited.toSorted((a, b) => a - b)[1] <= 6, `${waited}`);
});
