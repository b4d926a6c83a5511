/**
 * What a draft model brings, by how often it guesses right: a model of a billion random weights answers alone, and with a second one, as large
 * as SmolLM2 135M, that guesses for it. Random weights predict nothing of each other, so what the second one computes costs its
 * time, and what it is taken to have guessed are the tokens of the answer without it, of which a given share is made wrong at random.
 * Everything else is as always: lengths of guesses, checks, KV blocks. Answers must be the same.
 *
 * With --predictor it is a model of Qwen 3.5 2B's sizes whose own predictor guesses. A share of 0 says what it costs where nothing can be
 * guessed: following prompt and answer, and trying now and then.
 *
 * deno task run bench/draft_model.ts [--predictor] [--tokens 96] [--rounds 3] [--shares 0.5,0.7,0.8,0.9] [--threads N]
 * @module
 */

import { parseArgs } from "@std/cli";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { renderTable } from "../src/cli/table.ts";
import { DraftModel } from "../src/engine/draft_model.ts";
import { Engine } from "../src/engine/engine.ts";
import type { EngineParts, StepRunner } from "../src/engine/engine_parts.ts";
import { KvPool } from "../src/engine/kv_pool.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import { shapeKeys } from "../src/models/shape_keys.ts";
import type { ModelShape } from "../src/models/shapes.ts";
import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";
import { resolveSampling, type SamplingParams } from "../src/protocol/sampling.ts";
import { readModel } from "../src/runner/model_file.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import type { DraftSource } from "../scheduler/mod.ts";
import { Random } from "../scheduler/testing/random.ts";

const CONTEXT = 512;
const PROMPT_TOKENS = 64;
/** SmolLM2 135M with the tokens of the model that it guesses for. */
const DRAFT_SHAPE: ModelShape = {
  family: "llama",
  hidden: 576,
  feedForward: 1536,
  layers: 30,
  heads: 9,
  kvHeads: 3,
  headDim: 64,
  vocab: 128_256,
  tied: true,
  ropeBase: 100_000,
  context: 8192,
  eps: 1e-5,
};

/** Qwen 3.5 2B, and the layer behind its 24 that predicts. */
const PREDICTING_SHAPE: ModelShape = {
  family: "qwen35",
  hidden: 2048,
  feedForward: 6144,
  layers: 24 + 1,
  heads: 8,
  kvHeads: 2,
  headDim: 256,
  vocab: 248_320,
  tied: true,
  ropeBase: 1e7,
  context: 262_144,
  eps: 1e-6,
  entries: shapeKeys("qwen35", {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 2048,
    "ssm.state_size": 128,
    "ssm.time_step_rank": 16,
    "ssm.group_count": 16,
    "rope.dimension_count": 64,
    nextn_predict_layers: 1,
  }),
};

const args = parseArgs(Deno.args, {
  boolean: ["predictor"],
  string: ["tokens", "rounds", "shares", "threads"],
  default: { tokens: "96", rounds: "3", shares: "0.5,0.7,0.8,0.9" },
});
const tokens = Number(args.tokens), rounds = Number(args.rounds);
const rightShares = args.shares!.split(",").map(Number);
const threads = args.threads === undefined ? undefined : Number(args.threads);

/** Computes its guesses, and tells others. */
class Taught implements DraftSource {
  readonly #draft: DraftModel;
  readonly #answer: readonly number[];
  readonly #share: number;
  readonly #random = new Random(1);

  constructor(draft: DraftModel, answer: readonly number[], share: number) {
    this.#draft = draft;
    this.#answer = answer;
    this.#share = share;
  }

  get msPerToken(): number {
    return this.#draft.msPerToken;
  }

  guess(id: number, all: readonly number[], count: number): number[] {
    const said = all.length - PROMPT_TOKENS;
    return this.#draft.guess(id, all, count).map((token, i) =>
      this.#random.chance(this.#share) ? this.#answer[said + i] ?? token : token
    );
  }

  forget(id: number): void {
    this.#draft.forget(id);
  }
}

interface Answered {
  readonly ids: number[];
  /** Tokens after the first, a second. */
  readonly speed: number;
  readonly drafted: number;
  readonly accepted: number;
}

/** The runner with a predictor that computes its guesses, and tells others. */
function taughtPredictor(runner: ModelRunner, answer: readonly number[], share: number): ModelRunner {
  const random = new Random(1), own = runner.predictor!;
  const predictor: Required<StepRunner>["predictor"] = {
    group: own.group,
    follow: (slices, interrupted) => own.follow(slices, interrupted),
    keep: (row, place) => own.keep(row, place),
    guess: (slice, request) => {
      const token = own.guess(slice, request);
      return random.chance(share) ? answer[slice.first + 1 - PROMPT_TOKENS] ?? token : token;
    },
  };
  return new Proxy(runner, {
    get(target, name) {
      if (name === "predictor") return predictor;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

interface Sides {
  readonly runner: ModelRunner;
  readonly tokenizer: Tokenizer;
  /** What an engine is made of that guesses these tokens, a share of them right. */
  guessing(answer: readonly number[], share: number, sampling: SamplingParams): Partial<EngineParts>;
}

/** A second model guesses. */
function byDraft(runner: ModelRunner, draftRunner: ModelRunner): Sides["guessing"] {
  const { vocab } = runner.hyperparameters;
  return (answer, share, sampling) => {
    const allocator = new KvPool(draftRunner.kvBlocks), samplingOf = () => sampling;
    const draft = new DraftModel({ runner: draftRunner, allocator, samplingOf, vocab });
    return { speculation: { source: new Taught(draft, answer, share) } };
  };
}

/** Answers once; `share`: of the guesses that are right; undefined: nothing is guessed. */
function answer(
  { runner, tokenizer, guessing }: Sides,
  prompt: number[],
  known: readonly number[],
  share?: number,
): Answered {
  const { vocab } = runner.hyperparameters;
  const sampling = resolveSampling({ temperature: 1, topP: 1, topK: 0, minP: 0, seed: 5 }, vocab);
  const engine = new Engine({
    runner,
    tokenizer,
    chatTemplate: { encode: () => [] },
    allocator: new KvPool(runner.kvBlocks),
    prefixCache: false,
    ...share === undefined ? {} : guessing(known, share, sampling),
  });
  engine.add(1, {
    ...{ prompt: { tokens: prompt }, sampling, maxTokens: tokens, stop: [], stopTokens: [], ignoreEnd: true },
    ...{ submittedAt: Date.now(), class: "interactive", tenant: "", priority: 0 },
  });
  const ids: number[] = [];
  let firstAt = 0, lastAt = 0;
  while (engine.busy) {
    engine.step();
    for (const { tokens: said, error } of engine.takeEvents()) {
      if (error !== undefined) throw new Error(error.message);
      if (said.length === 0) continue;
      ids.push(...said);
      lastAt = performance.now();
      firstAt ||= lastAt;
    }
  }
  const { draftTokens, acceptedTokens } = engine.stats();
  return {
    ids,
    speed: (ids.length - 1) * 1000 / (lastAt - firstAt),
    drafted: draftTokens,
    accepted: acceptedTokens,
  };
}

/** In turns: without guesses, then with each share of right ones. */
function compare(sides: Sides): void {
  const shares = [undefined, ...rightShares];
  const found = shares.map(() => [] as Answered[]);
  for (let round = -1; round < rounds; round++) {
    const prompt = Array.from(
      { length: PROMPT_TOKENS },
      (_, i) => 1000 + (i * 7919 + (round + 1) * 104_729) % 100_000,
    );
    const plain = answer(sides, prompt, []);
    shares.forEach((share, i) => {
      const one = share === undefined ? plain : answer(sides, prompt, plain.ids, share);
      if (one.ids.join() !== plain.ids.join()) {
        throw new Error(`The answer with ${share} right guesses is another one`);
      }
      // The first round warms caches and clocks.
      if (round >= 0) found[i].push(one);
    });
  }
  const median = (values: readonly number[]) => quantile(ascending(values), 0.5);
  const speeds = found.map((all) => median(all.map(({ speed }) => speed)));
  console.log(renderTable(
    ["guesses that are right", "tokens/s", "", "guessed", "taken"],
    shares.map((share, i) => [
      share === undefined ? "none are made" : `${100 * share} %`,
      speeds[i].toFixed(1),
      `${median(found[i].map(({ speed }, round) => speed / found[0][round].speed)).toFixed(2)}×`,
      ...(["drafted", "accepted"] as const).map((name) =>
        `${found[i].reduce((sum, each) => sum + each[name], 0)}`
      ),
    ]),
  ));
}

const sizes = { contextLength: CONTEXT, kvTokens: 2 * CONTEXT, threads };

async function compareDraft(folder: string): Promise<void> {
  const draftPath = `${folder}/draft.gguf`;
  await writeRandomModel(draftPath, { shape: DRAFT_SHAPE, format: "q4_0" });
  using file = await openGguf(await randomModelFile("llama-1b", "q4_k"));
  using draftFile = await openGguf(draftPath);
  using runner = await loadModelRunner(file, sizes);
  using draftRunner = await loadModelRunner(draftFile, sizes);
  compare({ runner, tokenizer: readModel(file).tokenizer, guessing: byDraft(runner, draftRunner) });
}

async function comparePredictor(folder: string): Promise<void> {
  const path = `${folder}/predicting.gguf`;
  await writeRandomModel(path, { shape: PREDICTING_SHAPE, format: "q4_k" });
  using file = await openGguf(path);
  using runner = await loadModelRunner(file, { ...sizes, predicts: true });
  const guessing: Sides["guessing"] = (answer, share) => ({
    runner: taughtPredictor(runner, answer, share),
    speculation: {},
  });
  compare({ runner, tokenizer: readModel(file).tokenizer, guessing });
}

const folder = await Deno.makeTempDir({ prefix: "kumi-bench-" });
try {
  await (args.predictor ? comparePredictor : compareDraft)(folder);
} finally {
  await Deno.remove(folder, { recursive: true });
}
