/**
 * Do kumi and llama.cpp agree on the same files? Scores the same token sequences with both and compares, at every
 * position, the greedy token and the log-probabilities.
 *
 * deno task run bench/agreement.ts
 * deno task run bench/agreement.ts --only tiny
 * deno task run bench/agreement.ts MODEL.gguf TEXT.txt --tokens 8192
 * deno task run bench/agreement.ts --only qwen35-tiny --python PYTHON
 *
 * With a model and a text: the text's first tokens, in windows of 512, and both perplexities. Without:
 * the demo model in every format, made by kumi's own quantiser, on its 200 held-out prompts with the answers
 * that kumi gives; and random-weight models of each family in F32 with an f32 KV cache, on random tokens. Needs
 * node and npm. With a Python that has torch, transformers and gguf: Qwen 3.5 and gpt-oss beside transformers in float32. Exits with 1 when a target is missed.
 * @module
 */

import { LineProcessError } from "../src/cli/bench/peer/line_process.ts";
import { Peer } from "../src/cli/bench/peer/peer.ts";
import { Kernels } from "../src/ffi/context.ts";
import { formatNames, type KvFormat, openGguf, quantizeFile } from "../src/gguf/mod.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import { modelShape, shapeNames } from "../src/models/shapes.ts";
import { soloTables } from "../src/runner/kv_groups.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import { type ChatMessage, createChatTemplate, createTokenizer } from "../src/tokenizer/mod.ts";
import { renderTable } from "../src/cli/table.ts";
import { type Scorer, TransformersScorer } from "./agreement/scorer.ts";
import { scorePositions } from "./support/score_positions.ts";
import { parseArgs } from "@std/cli";

const DEMO_FOLDER = new URL("../examples/demo-model/", import.meta.url).pathname;
const CONTEXT = 512;
const ANSWER_TOKENS_MAX = 120;

/** A file to compare, and what must hold. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly kv: KvFormat;
  readonly sequences: readonly number[][];
  readonly sameGreedyMin: number;
  readonly logprobDifferenceMax: number;
}

interface Agreement {
  readonly positions: number;
  readonly sameGreedy: number;
  /** Mean |Δ log p| of the token that kumi would choose, where both choose it. */
  readonly greedyDifference: number;
  /** Mean |Δ log p| of the token that really follows. */
  readonly nextDifference: number;
  readonly perplexity: number;
  readonly peerPerplexity: number;
}

async function compare(test: Case, peer: Scorer): Promise<Agreement> {
  using file = await openGguf(test.path);
  using runner = await loadModelRunner(file, {
    kvFormat: test.kv,
    contextLength: CONTEXT,
    logitsRowsMax: 128,
  });
  await peer.load(test.path);
  await peer.open({ threads: runner.kernels.threads, context: CONTEXT, kv: test.kv });
  let positions = 0, same = 0, greedySum = 0, nextSum = 0, ourSum = 0, theirSum = 0;
  for (const tokens of test.sequences) {
    const ours = scorePositions(runner, tokens, CONTEXT);
    const theirs = await peer.score(tokens);
    ours.greedy.forEach((token, i) => {
      positions++;
      ourSum += ours.logprob[i];
      theirSum += theirs.logprob[i];
      nextSum += Math.abs(ours.logprob[i] - theirs.logprob[i]);
      if (token !== theirs.greedy[i]) return;
      same++;
      greedySum += Math.abs(ours.greedyLogprob[i] - theirs.greedyLogprob[i]);
    });
  }
  return {
    positions,
    sameGreedy: same / positions,
    greedyDifference: greedySum / same,
    nextDifference: nextSum / positions,
    perplexity: Math.exp(-ourSum / positions),
    peerPerplexity: Math.exp(-theirSum / positions),
  };
}

/** Each held-out prompt in the chat template, followed by kumi's own greedy answer. */
async function demoSequences(path: string): Promise<number[][]> {
  using file = await openGguf(path);
  const tokenizer = createTokenizer(file.metadata);
  const template = createChatTemplate(file.metadata, tokenizer);
  const prompts = JSON.parse(await Deno.readTextFile(`${DEMO_FOLDER}heldout.json`));
  using runner = await loadModelRunner(file, { contextLength: CONTEXT });
  const params = resolveSampling({ temperature: 0, seed: 0 }, runner.hyperparameters.vocab);
  return prompts.map(({ messages }: { messages: ChatMessage[] }) => {
    const tokens = template.encode(messages, { addGenerationPrompt: true });
    const end = Math.min(CONTEXT, tokens.length + ANSWER_TOKENS_MAX);
    for (let first = 0; tokens.length < end;) {
      const count = tokens.length - first;
      runner.forward([{ tokens, first, count, tables: soloTables(runner, CONTEXT, { first, count }) }]);
      runner.logits([count - 1]);
      first = tokens.length;
      tokens.push(runner.sample([{ tokens, params }])[0].id);
      if (tokenizer.eogIds.has(tokens[tokens.length - 1])) break;
    }
    return tokens;
  });
}

function randomSequences(vocab: number): number[][] {
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return Array.from({ length: 4 }, () => Array.from({ length: 256 }, () => Math.floor(next() * vocab)));
}

/** The demo model in each format, in `folder`. */
async function demoCases(folder: string): Promise<Case[]> {
  const source = `${DEMO_FOLDER}kumi-demo-f16.gguf`;
  const sequences = await demoSequences(source);
  using kernels = Kernels.open({ workspaceBytes: 64 });
  const cases: Case[] = [];
  for (const format of formatNames) {
    if (format === "f32" || format === "bf16") continue; // made from F16, they would be the same model again
    const path = `${folder}/demo-${format}.gguf`;
    await quantizeFile(source, path, format, { kernels, isPure: true });
    const logprobDifferenceMax = format === "f16" || format === "q8_0" ? 0.02 : 0.05;
    cases.push({
      name: `demo ${format}`,
      path,
      kv: "f16",
      sequences,
      sameGreedyMin: 0.99,
      logprobDifferenceMax,
    });
  }
  return cases;
}

/** Families of which llama.cpp tells by the count of layers alone that they have windows, RoPE, or queries of a latent vector. */
const LAYERS: Readonly<Record<string, number>> = {
  "exaone4-tiny": 64,
  "baichuan-tiny": 32,
  "deepseek2-lite-tiny": 27,
};

async function randomCases(folder: string, only: string): Promise<Case[]> {
  const cases: Case[] = [];
  for (const shape of shapeNames.filter((name) => name.endsWith("-tiny") && name.includes(only))) {
    const path = `${folder}/${shape}-f32.gguf`;
    const { layers, ...rest } = modelShape(shape);
    await writeRandomModel(path, { shape: { ...rest, layers: LAYERS[shape] ?? layers }, format: "f32" });
    const sequences = randomSequences(512);
    cases.push({
      name: `${shape} f32`,
      path,
      kv: "f32",
      sequences,
      sameGreedyMin: 0.995,
      logprobDifferenceMax: 0.005,
    });
  }
  return cases;
}

/** A user's own model on a user's own text. */
async function textCase(path: string, textPath: string, tokensMax: number): Promise<Case> {
  using file = await openGguf(path);
  const tokenizer = createTokenizer(file.metadata);
  const tokens = tokenizer.encode(await Deno.readTextFile(textPath)).slice(0, tokensMax);
  const sequences: number[][] = [];
  // A model that was trained with a token at the beginning makes little of a text without it.
  const start = tokenizer.addBos && tokenizer.bos !== undefined ? [tokenizer.bos] : [];
  const length = CONTEXT - start.length;
  for (let i = 0; i + 1 < tokens.length; i += length) {
    sequences.push([...start, ...tokens.slice(i, i + length)]);
  }
  const name = path.replace(/^.*\//, "");
  return { name, path, kv: "f16", sequences, sameGreedyMin: 0.99, logprobDifferenceMax: 0.05 };
}

/** A line of the table; its end says whether the target was met. */
async function rowOf(test: Case, peer: Scorer): Promise<string[]> {
  const { sameGreedyMin, logprobDifferenceMax } = test;
  try {
    const result = await compare(test, peer);
    const ok = result.sameGreedy >= sameGreedyMin && result.greedyDifference <= logprobDifferenceMax;
    return [
      test.name,
      `${result.positions}`,
      `${(result.sameGreedy * 100).toFixed(2)} %`,
      result.greedyDifference.toFixed(5),
      result.nextDifference.toFixed(5),
      result.perplexity.toFixed(4),
      result.peerPerplexity.toFixed(4),
      ok ? "yes" : `no: wants ${sameGreedyMin * 100} % and ${logprobDifferenceMax}`,
    ];
  } catch (error) {
    if (!(error instanceof LineProcessError)) throw error;
    return [test.name, "", "", "", "", "", "", `no: ${error.message}`];
  }
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, {
    string: ["tokens", "only", "python"],
    default: { tokens: "8192", only: "" },
  });
  const [model, text] = options._.map(String);
  const { only = "" } = options;
  const folder = await Deno.makeTempDir({ prefix: "kumi-agreement-" });
  let missed = 0;
  try {
    const cases = model !== undefined && text !== undefined
      ? [await textCase(model, text, Number(options.tokens))]
      : [
        ...await randomCases(folder, only),
        ...only === "" || only.startsWith("demo") ? await demoCases(folder) : [],
      ];
    const { python } = options;
    await using peer: Scorer = python === undefined ? await Peer.start() : new TransformersScorer(python);
    const rows: string[][] = [];
    for (const test of cases.filter(({ name }) => name.includes(only))) {
      const row = await rowOf(test, peer);
      if (row.at(-1) !== "yes") missed++;
      rows.push(row);
    }
    const header = [
      "file",
      "positions",
      "same greedy token",
      "mean |Δ log p| chosen",
      "… of next token",
      "perplexity",
      python === undefined ? "llama.cpp's" : "transformers'",
      "in target",
    ];
    console.log(renderTable(header, rows));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  Deno.exit(missed === 0 ? 0 : 1);
}
