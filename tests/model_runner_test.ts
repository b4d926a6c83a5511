/** Loading and steps of a model in this thread, on small random-weight models. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GgufError, openGguf, scalarEntry } from "../src/gguf/mod.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import { perplexity } from "../src/runner/perplexity.ts";
import type { SamplingOptions } from "../src/protocol/options/sampling.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

const tokens = Array.from({ length: 64 }, (_, i) => (i * 37 + 11) % 512);
const blocks = [0, 1, 2, 3];

async function withRunner(use: (runner: ModelRunner) => void | Promise<void>): Promise<void> {
  using folder = new TemporaryFolder();
  using runner = await loadRunner(await folder.randomModel("llama-tiny", "q8_0"), { threads: 2 });
  await use(runner);
}

/** Logits of the last token of the test's sequence. */
function lastLogits(runner: ModelRunner): Float32Array {
  assert(runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf(blocks) }]));
  runner.logits([tokens.length - 1]);
  return runner.readLogits();
}

function sample(runner: ModelRunner, options: SamplingOptions) {
  return runner.sample([{ tokens, params: resolveSampling(options, 512) }])[0];
}

Deno.test("loadModelRunner() reports every part and frees everything when it is aborted or the file ends early", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f32");
  const bytes = Deno.statSync(path).size;
  const rssBefore = Deno.memoryUsage().rss;
  for (let i = 0; i < 40; i++) {
    using file = await openGguf(path);
    const controller = new AbortController();
    const parts: number[] = [];
    const progress = (doneBytes: number, totalBytes: number) => {
      parts.push(doneBytes);
      if (doneBytes > 0.9 * totalBytes) controller.abort(new RangeError("enough"));
    };
    const loading = loadModelRunner(file, { threads: 2, signal: controller.signal, progress });
    await assertRejects(() => loading, RangeError, "enough");
    assert(parts.length > 5 && parts.every((part, j) => j === 0 || part > parts[j - 1]));
  }
  const grownBytes = Deno.memoryUsage().rss - rssBefore;
  assert(grownBytes < 20 * bytes, `40 aborted loads of ${bytes} bytes took ${grownBytes}`);

  using file = await openGguf(path);
  Deno.truncateSync(path, bytes / 2);
  await assertRejects(() => loadModelRunner(file, { threads: 1 }), GgufError, "ended at byte");
});

Deno.test("loadModelRunner() refuses options out of range", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q4_0");
  const bad = [
    { contextLength: 0 },
    { contextLength: 1000 },
    { contextLength: 200, kvTokens: 100 },
    { batchTokensMax: 0 },
    {
      logitsRowsMax: 1.5,
    },
    { threads: -1 },
    { kvFormat: "q4_0" as "f16" },
  ];
  for (const options of bad) await assertRejects(() => loadRunner(path, options), RangeError);
});

Deno.test("ModelRunner.forward() gives the same bits whether positions come one after the other or late ones first", async () => {
  using folder = new TemporaryFolder();
  const entries = [scalarEntry("u32", "llama.context_length", 131_072)];
  const path = await folder.randomModel("llama-tiny", "q8_0", 1, entries);
  const tokens = Array.from({ length: 4200 }, (_, i) => (i * 37 + 11) % 512);
  const blocks = Array.from({ length: 1024 }, (_, i) => i);
  const logitsAt = async (late: boolean) => {
    using runner = await loadRunner(path, { threads: 2 });
    assertEquals([runner.contextLength, runner.kvTokens], [131_072, 131_072]);
    if (late) {
      runner.forward([{ tokens: new Array(9001).fill(1), first: 9000, count: 1, tables: tablesOf(blocks) }]);
    }
    for (let first = 0; first < tokens.length; first += 512) {
      const count = Math.min(512, tokens.length - first);
      runner.forward([{ tokens, first, count, tables: tablesOf(blocks) }]);
    }
    runner.logits([(tokens.length - 1) % 512]);
    return runner.readLogits();
  };
  assertEquals(await logitsAt(false), await logitsAt(true));
});

Deno.test("loadModelRunner() counts the bytes of a quantised cache", async () => {
  using folder = new TemporaryFolder();
  using runner = await loadRunner(await folder.randomModel("llama-tiny", "q8_0"), { kvFormat: "q8_0" });
  // 2 layers · 2 heads · 2 · 64 elements, 34 bytes for each 32
  assertEquals(runner.kvBytesPerToken, 544);
});

Deno.test("ModelRunner.forward() can be interrupted and repeated", async () => {
  await withRunner((runner) => {
    const whole = lastLogits(runner);
    let asked = 0;
    const slice = { tokens, first: 0, count: tokens.length, tables: tablesOf(blocks) };
    assertEquals(runner.forward([slice], () => ++asked > 1), false);
    assertEquals(lastLogits(runner), whole);
  });
});

Deno.test("ModelRunner.forward() ends within an op when another thread changes the word, unless it must not", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q4_k");
  const words = new Int32Array(new SharedArrayBuffer(8));
  using runner = await loadRunner(path, { threads: 2, interrupts: words });
  const long = Array.from({ length: 500 }, (_, i) => (i * 37 + 11) % 512);
  const slice = {
    tokens: long,
    first: 0,
    count: long.length,
    tables: tablesOf(Array.from({ length: 32 }, (_, i) => i)),
  };
  const logits = () => {
    runner.logits([long.length - 1]);
    return runner.readLogits();
  };
  assert(runner.forward([slice]));
  const whole = logits();

  const url = new URL("./support/raising_worker.ts", import.meta.url);
  const thread = new Worker(url, { type: "module" });
  const ended = new Promise<void>((resolve) => thread.onmessage = () => resolve());
  thread.postMessage(words);
  while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  let asked = 0;
  const never = () => {
    asked++;
    return false;
  };
  let steps = 0;
  while (runner.forward([slice], never)) assert(++steps < 1000, "no step was interrupted");
  // It is asked twice a layer, and once more when the word ended the step.
  assert(asked - 4 * steps >= 1 && asked - 4 * steps <= 5, `asked ${asked} times in ${steps} steps`);
  assert(runner.forward([slice]));
  assertEquals(logits(), whole);
  assert(runner.forward([slice], never, null));
  assertEquals(logits(), whole);
  Atomics.store(words, 1, 1);
  await ended;
  thread.terminate();

  assertEquals(runner.forward([slice], never, words[0] + 1), false);
  assert(runner.forward([slice], never, words[0]));
  assertEquals(logits(), whole);
  const own = { threads: 1, interrupts: new Int32Array(1) };
  await assertRejects(() => loadRunner(path, own), TypeError, "SharedArrayBuffer");
});

Deno.test("ModelRunner.forward() refuses two sequences that write the same slot", async () => {
  await withRunner((runner) => {
    const slice = { tokens, first: 0, count: 4, tables: tablesOf(blocks) };
    assertThrows(() => runner.forward([slice, slice]), Error, "batch");
    lastLogits(runner);
  });
});

Deno.test("ModelRunner.score() gives log-probabilities of the logits", async () => {
  await withRunner((runner) => {
    const logits = lastLogits(runner);
    const largest = Math.max(...logits);
    const logSum = Math.log(logits.reduce((sum, x) => sum + Math.exp(x - largest), 0)) + largest;
    const [score] = runner.score(Uint32Array.of(7));
    assertAlmostEquals(score.logprob, logits[7] - logSum, 1e-5);
    assertEquals(score.best, logits.indexOf(largest));
    assertAlmostEquals(score.bestLogprob, largest - logSum, 1e-5);
    assertThrows(() => runner.score(Uint32Array.of(1, 2)), RangeError, "current count is 2");
  });
});

Deno.test("ModelRunner.sample() is greedy at temperature 0, repeatable by seed, and obeys penalties and biases", async () => {
  await withRunner((runner) => {
    const logits = lastLogits(runner);
    const best = logits.indexOf(Math.max(...logits));
    const greedy = sample(runner, { temperature: 0, logprobs: 2 });
    assertEquals([greedy.id, greedy.top[0].id], [best, best]);
    assertEquals(sample(runner, { temperature: 0, logitBias: { [best]: -100 } }).id, greedy.top[1].id);
    const forced = sample(runner, { temperature: 5, topK: 0, logitBias: { 99: 100 } });
    assertEquals(forced.id, 99);

    const hot = { temperature: 3, topK: 0, topP: 1, minP: 0 };
    const draws = Array.from({ length: 50 }, (_, seed) => sample(runner, { ...hot, seed }).id);
    assert(new Set(draws).size > 20, `50 seeds gave ${new Set(draws).size} tokens`);
    assertEquals(draws, draws.map((_, seed) => sample(runner, { ...hot, seed }).id));

    const seen = new Set(tokens);
    const params = { temperature: 0, presencePenalty: 2, repeatPenalty: 10, logitBias: { [tokens[5]]: 2.5 } };
    const whole = { ...params, penaltyTokens: 64 };
    assert(!seen.has(sample(runner, whole).id), "a penalised token was chosen");
  });
});

Deno.test("perplexity() does not depend on how many tokens a step takes", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("qwen3-tiny", "q4_k");
  const text = Array.from({ length: 300 }, (_, i) => (i * 131) % 512);
  const values: number[] = [];
  for (const sizes of [{}, { batchTokensMax: 10, logitsRowsMax: 3 }]) {
    using runner = await loadRunner(path, { threads: 1, ...sizes });
    const result = await perplexity(runner, text, { window: 100, bos: 508 });
    assertEquals([result.windows, result.tokens], [3, 3 * 49]);
    values.push(result.perplexity);
    await assertRejects(() => perplexity(runner, text, { window: 400 }), RangeError, "less than one window");
    await assertRejects(() => perplexity(runner, text, { window: 600 }), RangeError, "current value is 600");
  }
  assertEquals(values[0], values[1]);
});
