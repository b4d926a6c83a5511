/** Guessed tokens are checked by computing them, and the answer is the one without guesses, to the bit. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadModel, ModelError } from "../mod.ts";
import { compileGrammar, type GrammarSource } from "../src/grammar/mod.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import type { GenerationRequest } from "../src/protocol/request.ts";
import type { RunnerOptions } from "../src/runner/model_runner.ts";
import { answer, type Answered, type GuessedModel, Knowing, loadGuessed } from "./support/guessed_answers.ts";
import { TemporaryFolder } from "./support/models.ts";

/** Enough for a few chunks of attention. */
const PROMPT_TOKENS = 150;

/** Prompts that repeat themselves, and one that does not. */
function prompts(vocab: number): number[][] {
  const part = (n: number, from: number) => Array.from({ length: n }, (_, i) => (from + i * 7919) % vocab);
  return [
    [...part(PROMPT_TOKENS / 2, 13), ...part(PROMPT_TOKENS / 2, 13)],
    part(PROMPT_TOKENS, 29),
    part(40, 31),
  ];
}

function requestsOf({ runner }: GuessedModel): Partial<GenerationRequest>[] {
  const { vocab } = runner.hyperparameters;
  const greedy = resolveSampling({ temperature: 0, seed: 1 }, vocab);
  const drawn = resolveSampling({ temperature: 0.7, seed: 2, logprobs: 3 }, vocab);
  const penalised = resolveSampling(
    { temperature: 0.4, seed: 3, repeatPenalty: 1.1, frequencyPenalty: 0.2, logitBias: { 7: 2 } },
    vocab,
  );
  return [greedy, drawn, penalised].map((sampling, i) => ({
    prompt: { tokens: prompts(vocab)[i] },
    sampling,
    maxTokens: 70,
    ignoreEnd: true,
  }));
}

/** Answers each request alone, then two at a time, with guesses by one who knows most of it. */
function compare(model: GuessedModel, requests: readonly Partial<GenerationRequest>[]): Answered[] {
  const plain = requests.map((each) => answer(model, [each]));
  const lengths = requests.map(({ prompt }) => "tokens" in prompt! ? prompt.tokens.length : 0);
  const expected = plain.map(({ answers }) => answers[0]);
  const runs: Answered[] = [];
  for (let i = 0; i < requests.length; i++) {
    const both = [i, (i + 1) % requests.length];
    const source = new Knowing(both.map((j) => lengths[j]), both.map((j) => expected[j]));
    for (const speculation of [{ source }, {}]) {
      const run = answer(model, both.map((j) => requests[j]), { speculation });
      assertEquals(run.answers, both.map((j) => expected[j]));
      runs.push(run);
    }
  }
  return runs;
}

const total = (runs: readonly Answered[], field: "draftTokens" | "acceptedTokens" | "generatedTokens") =>
  runs.reduce((sum, { stats }) => sum + stats[field], 0);

const MODELS: readonly (readonly [shape: string, RunnerOptions])[] = [
  ["llama-tiny", {}],
  ["llama-tiny", { kv: {}, kvFormat: "q8_0" }],
  // Windows shorter than the prompt, other groups of layers, another vocabulary.
  ["gemma3-tiny", { kvFormat: "f32" }],
  ["olmo2-tiny", { kvFormat: "bf16" }],
  ["gpt2-tiny", {}],
  ["qwen3moe-tiny", {}],
];

for (const [shape, options] of MODELS) {
  Deno.test(`${shape} with ${options.kvFormat ?? "f16"} gives the same tokens and log-probabilities with guesses`, async () => {
    using folder = new TemporaryFolder();
    const path = await folder.randomModel(shape, shape === "llama-tiny" ? "q4_k" : "q8_0");
    const model = await loadGuessed(path, { threads: 2, contextLength: 256, kvTokens: 512, ...options });
    using _runner = model.runner;
    const runs = compare(model, requestsOf(model));
    const guessed = total(runs, "draftTokens"), right = total(runs, "acceptedTokens");
    assert(right > 100 && guessed > right, `${right} right of ${guessed}`);
  });
}

const GRAMMARS: readonly GrammarSource[] = [
  { kind: "regex", pattern: "日本語: [0-9]{2,5} ©[a-z ]{5,20}※" },
  {
    kind: "schema",
    schema: { type: "object", properties: { a: { type: "integer" }, b: { type: "string" } } },
  },
];

Deno.test("answers that follow a grammar are the same with guesses, forced tokens among them", async () => {
  const model = await loadGuessed(demoModelFile(), { threads: 2, contextLength: 256, kvTokens: 1024 });
  using _runner = model.runner;
  const { vocab } = model.runner.hyperparameters;
  const tokens = model.tokenizer.encode("Write a JSON object with the number 7.", { addSpecial: true });
  const requests = GRAMMARS.flatMap((grammar) =>
    [undefined, 0].map((logprobs): Partial<GenerationRequest> => ({
      prompt: { tokens },
      sampling: resolveSampling({ temperature: 0.9, seed: 5, logprobs }, vocab),
      maxTokens: 60,
      grammar: compileGrammar(grammar),
    }))
  );
  const runs = compare(model, requests);
  assert(total(runs, "acceptedTokens") > 50, `${total(runs, "acceptedTokens")}`);
});

Deno.test("guesses never go beyond the context, and little KV cache changes nothing", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  const model = await loadGuessed(path, { threads: 1, contextLength: 128, kvTokens: 128 });
  using _runner = model.runner;
  const sampling = resolveSampling({ temperature: 0, seed: 1 }, model.runner.hyperparameters.vocab);
  const requests = [20, 30, 40].map((length) => ({
    prompt: { tokens: Array.from({ length }, (_, i) => 1 + i % 9) },
    sampling,
    maxTokens: undefined,
    ignoreEnd: true,
  }));
  const plain = requests.map((each) => answer(model, [each]).answers[0]);
  const { answers, stats } = answer(model, requests, { speculation: {} });
  assertEquals(answers, plain);
  assertEquals(answers.map(({ tokens }) => tokens.length), [108, 98, 88]);
  assert(stats.preemptions > 0 && stats.acceptedTokens > 0, `${stats.preemptions} ${stats.acceptedTokens}`);
});

Deno.test("loadModel() takes a draft model, which changes no answer, and refuses one with other tokens", async () => {
  const messages = [{ role: "user", content: "What is a KV cache?" }];
  const sizes = { threads: 1, contextLength: 256, prefixCache: false };
  const answers: string[] = [];
  for (const options of [{ speculation: "off" }, { draft: "demo" }] as const) {
    await using model = await loadModel("demo", { ...sizes, ...options });
    for (const seed of [1, 2, 3]) {
      const { text } = await model.chat(messages, { seed, maxTokens: 120, ignoreEnd: true }).result;
      answers.push(text);
    }
  }
  assertEquals(answers.slice(3), answers.slice(0, 3));
  using folder = new TemporaryFolder();
  const draft = await folder.randomModel("llama-tiny", "q8_0");
  const unasked = () => loadModel("demo", { ...sizes, draft: "demo", speculation: "off" });
  await assertRejects(unasked, TypeError, "a draft model is never asked");
  const error = await assertRejects(() => loadModel("demo", { ...sizes, draft }), ModelError);
  assertStringIncludes(error.message, "must have the tokens of the model that answers: token ");
  assertStringIncludes(error.message, draft);
});
