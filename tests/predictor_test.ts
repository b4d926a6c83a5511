/** Models with a layer that predicts the token after the next: what it computes, and that answers are the same with its guesses. */

import { assert, assertEquals } from "@std/assert";
import { loadModel } from "../mod.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";
import { openGguf } from "../src/gguf/mod.ts";
import type { GenerationRequest } from "../src/protocol/request.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import type { RunnerOptions } from "../src/runner/model_runner.ts";
import { GREEDY } from "../src/runner/sample_batch.ts";
import { NO_STATE, OWN_STATE } from "../src/runner/step_predictor.ts";
import { answer, type Answered, type GuessedModel, loadGuessed } from "./support/guessed_answers.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { numbersFrom } from "./support/numbers.ts";
import { randomPredicting, writePredictable } from "./support/predicting_models.ts";
import { referencePredictions } from "./support/reference_model.ts";

const VOCAB = 512;
const FAMILIES = ["glm4moe", "qwen35", "qwen35moe", "deepseek2"];

/** The largest difference of logits, in standard deviations of the expected ones. */
function distance(found: Float32Array, expected: Float64Array): number {
  const spread = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - found[i]))) / spread;
}

for (const family of FAMILIES) {
  Deno.test(`the predictor of ${family} computes what a naive reference does`, async () => {
    using folder = new TemporaryFolder();
    const path = await randomPredicting(folder, `${family}-tiny`, "f32");
    using runner = await loadRunner(path, { threads: 2, kvFormat: "f32", predicts: true });
    const predictor = runner.predictor!, tables = tablesOf([0, 1, 2]);
    const tokens = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % VOCAB);
    const state = { read: 0, write: 0 };
    // Beside another sequence, which is not followed, and in two parts.
    const other = { tokens, first: 0, count: 5, tables: tablesOf([4]), state: { read: 1, write: 1 } };
    runner.forward([other, { tokens, first: 0, count: 23, tables, state, before: NO_STATE }]);
    predictor.keep(5 + 22, 2);
    runner.forward([{ tokens, first: 23, count: 15, draft: [tokens[38], 3], tables, state, before: 2 }]);
    predictor.keep(15, 1);
    const guesses: number[] = [], logits: Float32Array[] = [];
    for (let before = 1; guesses.length < 3; before = OWN_STATE) {
      const known = [...tokens, ...guesses];
      const slice = { tokens: known, first: known.length - 1, count: 1, tables, before };
      guesses.push(predictor.guess(slice, { params: GREEDY, tokens: known }));
      logits.push(predictor.readLogits());
    }
    const { hyperparameters: h } = runner;
    using file = await openGguf(path);
    const expected = referencePredictions(file, h, h.predictor!, tokens, guesses.slice(0, 2)).slice(-3);
    for (const [i, row] of expected.entries()) {
      const off = distance(logits[i], row);
      assert(off < 1e-4, `guess ${i} is ${off} off`);
      assertEquals(guesses[i], row.indexOf(Math.max(...row)));
    }
  });
}

function requestsOf(count: number, maxTokens = 70): Partial<GenerationRequest>[] {
  const next = numbersFrom(11);
  const system = Array.from({ length: 40 }, () => next(VOCAB));
  return Array.from({ length: count }, (_, i) => ({
    prompt: {
      tokens: [...i % 2 === 0 ? system : [], ...Array.from({ length: 5 + next(60) }, () => next(VOCAB))],
    },
    sampling: resolveSampling({ temperature: 0.8, seed: i, logprobs: i % 3 === 0 ? 2 : undefined }, VOCAB),
    maxTokens,
    ignoreEnd: true,
  }));
}

/** Two of them at a time, each pair by an engine of its own. */
function inPairs(model: GuessedModel, requests: readonly Partial<GenerationRequest>[], speculation?: object) {
  const runs: Answered[] = [];
  for (let i = 0; i < requests.length; i += 2) {
    runs.push(answer(model, requests.slice(i, i + 2), { speculation }));
  }
  return runs;
}

const total = (
  runs: readonly Answered[],
  field: "draftTokens" | "acceptedTokens" | "steps" | "preemptions",
) => runs.reduce((sum, { stats }) => sum + stats[field], 0);

const MANNERS: Record<string, RunnerOptions> = {
  "two threads": { threads: 2, kvTokens: 1024 },
  "chunks of 24 tokens": { threads: 1, batchTokensMax: 24, kvTokens: 1024, kvFormat: "q8_0" },
  "little KV cache": { threads: 1, kvTokens: 192, logitsRowsMax: 4 },
};

for (const family of FAMILIES) {
  Deno.test(`${family} gives the same answers with its predictor's guesses, right and wrong`, async () => {
    using folder = new TemporaryFolder();
    const path = await writePredictable(folder, `${family}-tiny`, 0.3);
    const requests = requestsOf(6);
    const sizes = { contextLength: 192, kvTokens: 1024, threads: 1 };
    const plain = await loadGuessed(path, sizes);
    const expected = inPairs(plain, requests).flatMap(({ answers }) => answers);
    plain.runner.close();
    let guessed = 0, right = 0, preemptions = 0;
    for (const [name, manner] of Object.entries(MANNERS)) {
      // Latent vectors are not kept in eight bits.
      const kvFormat = family === "deepseek2" ? undefined : manner.kvFormat;
      const options = { ...sizes, ...manner, kvFormat };
      const model = await loadGuessed(path, { ...options, predicts: true });
      using _runner = model.runner;
      const reference = kvFormat === undefined ? expected : await answersOf(path, options, requests);
      const runs = inPairs(model, requests, {});
      assertEquals(runs.flatMap(({ answers }) => answers), reference, name);
      const all = answer(model, requests, { speculation: {} });
      assertEquals(all.answers, reference, `${name}, all at once`);
      guessed += total(runs, "draftTokens");
      right += total(runs, "acceptedTokens");
      preemptions += total([...runs, all], "preemptions");
    }
    const counts = `${right} right of ${guessed}, ${preemptions} preemptions`;
    assert(right > 50 && guessed > right + 20 && preemptions > 0, counts);
  });
}

async function answersOf(
  path: string,
  options: RunnerOptions,
  requests: readonly Partial<GenerationRequest>[],
) {
  const model = await loadGuessed(path, options);
  using _runner = model.runner;
  return inPairs(model, requests).flatMap(({ answers }) => answers);
}

for (const family of ["glm4moe", "qwen35"]) {
  Deno.test(`${family} with a predictor that is right needs few steps`, async () => {
    using folder = new TemporaryFolder();
    const path = await writePredictable(folder, `${family}-tiny`);
    const model = await loadGuessed(path, { contextLength: 256, kvTokens: 1024, threads: 1, predicts: true });
    using _runner = model.runner;
    const requests = requestsOf(4, 120);
    const plain = inPairs(model, requests), guessing = inPairs(model, requests, {});
    const answers = (runs: readonly Answered[]) => runs.flatMap((run) => run.answers);
    assertEquals(answers(guessing), answers(plain));
    const right = total(guessing, "acceptedTokens") / total(guessing, "draftTokens");
    const steps = total(guessing, "steps") / total(plain, "steps");
    assert(right > 0.9 && steps < 0.5, `${right} right, ${steps} of the steps`);
    const silent = inPairs(model, requests.map((each) => ({ ...each, speculation: false })), {});
    assertEquals(total(silent, "draftTokens"), 0);
  });
}

Deno.test("loadModel() loads a predictor where guesses are wanted, and answers are the same", async () => {
  using folder = new TemporaryFolder();
  const path = await writePredictable(folder, "glm4moe-tiny", 0.1);
  const answers: string[] = [], bytes: number[] = [];
  for (const speculation of ["auto", "off"] as const) {
    await using model = await loadModel(path, { speculation, threads: 1, contextLength: 256 });
    const { text } = await model.generate("once", { seed: 3, maxTokens: 100, ignoreEnd: true }).result;
    answers.push(text);
    bytes.push(model.info.kvBytesPerToken);
  }
  assertEquals(answers[0], answers[1]);
  assertEquals(bytes[0] * 3, bytes[1] * 4, "three layers, and one that predicts");
});
