/**
 * One answer everywhere: the same tokens give the same logits to the bit, however they are computed. Random weights
 * are enough, and harder than trained ones: nothing is small or zero.
 */
import { Kernels } from "../src/ffi/context.ts";
import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS, type SequenceSlice } from "../src/runner/batch.ts";
import { type WeightFormatName, weightFormatNames } from "../src/gguf/mod.ts";
import { shapeNames } from "../src/models/shapes.ts";
import type { ModelRunner, RunnerOptions } from "../src/runner/model_runner.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

/** Long enough for several chunks of attention. */
const PROMPT_TOKENS = 300;
const DECODE_TOKENS = 3;
const CONTEXT = 320;
const BLOCKS = CONTEXT / BLOCK_TOKENS;
/** Blocks of three sequences in one group of layers. */
const STRIDE = 3 * BLOCKS;

const FLOAT_FORMATS: readonly WeightFormatName[] = ["f32", "f16", "bf16"];
const tokens = Array.from({ length: PROMPT_TOKENS + DECODE_TOKENS }, (_, i) => (i * 7919 + 13) % 512);
const contiguous = Array.from({ length: BLOCKS }, (_, i) => i);
/** No two neighbours in order: every block is an extent of its own. */
const scattered = contiguous.map((i) => (i * 7 + 3) % BLOCKS);

interface Manner {
  /** Tokens computed in one step of the prompt. */
  chunk?: number;
  blocks?: readonly number[];
  /** Compute two other sequences in the same steps, one before and one after. */
  company?: boolean;
}

/** Logits after the prompt and after each decoded token, as bits. */
function run(
  runner: ModelRunner,
  { chunk = PROMPT_TOKENS, blocks = contiguous, company = false }: Manner,
): Uint32Array[] {
  const steps: { first: number; count: number }[] = [];
  for (let first = 0; first < PROMPT_TOKENS; first += chunk) {
    steps.push({ first, count: Math.min(chunk, PROMPT_TOKENS - first) });
  }
  for (let i = 0; i < DECODE_TOKENS; i++) steps.push({ first: PROMPT_TOKENS + i, count: 1 });
  const results: Uint32Array[] = [];
  const groups = runner.kvWindows.length;
  for (const [i, { first, count }] of steps.entries()) {
    const own = { tokens, first, count, tables: tablesOf(blocks, groups, STRIDE) };
    const batch = company ? [neighbour(i, 0, groups), own, neighbour(i, 1, groups)] : [own];
    assert(runner.forward(batch));
    const row = (company ? batch[0].count : 0) + count - 1;
    if (first + count < PROMPT_TOKENS) continue;
    runner.logits(company ? [0, row, row + 1] : [row]);
    const logits = new Uint32Array(runner.readLogits().buffer);
    const { vocab } = runner.hyperparameters;
    results.push(company ? logits.slice(vocab, 2 * vocab) : logits);
  }
  return results;
}

/** Another sequence at its own pace, in blocks beyond those of the sequence under test. */
function neighbour(step: number, which: number, groups: number): SequenceSlice {
  const count = which === 0 ? 1 : 1 + step % 5;
  const first = Math.min(step * (which === 0 ? 1 : 3), CONTEXT - 5);
  const others = Array.from(tokens, (token) => (token * 3 + which) % 512);
  while (others.length < CONTEXT) others.push(which);
  return {
    tokens: others,
    first,
    count,
    tables: tablesOf(contiguous.map((block) => block + BLOCKS * (1 + which)), groups, STRIDE),
  };
}

function assertSameBits(actual: Uint32Array[], expected: Uint32Array[], manner: string): void {
  assertEquals(actual.length, expected.length);
  expected.forEach((row, i) => {
    const different = row.findIndex((bits, j) => bits !== actual[i][j]);
    assertEquals(different, -1, `${manner}: logits ${i} differ from element ${different} on`);
  });
}

const MANNERS: Record<string, Manner> = {
  "chunks of 1": { chunk: 1 },
  "chunks of 3": { chunk: 3 },
  "chunks of 7": { chunk: 7 },
  "chunks of 16": { chunk: 16 },
  "chunks of 100": { chunk: 100 },
  "scattered blocks": { blocks: scattered },
  "scattered blocks in chunks of 13": { blocks: scattered, chunk: 13 },
  "with others in the batch": { company: true },
  "with others in the batch, in chunks of 5, scattered": { company: true, chunk: 5, blocks: scattered },
};

async function withRunner<T>(
  path: string,
  options: RunnerOptions,
  use: (runner: ModelRunner) => T,
): Promise<T> {
  using runner = await loadRunner(path, { contextLength: CONTEXT, kvTokens: 3 * CONTEXT, ...options });
  return use(runner);
}

async function assertOneAnswer(path: string, format: WeightFormatName): Promise<void> {
  const expected = await withRunner(path, { threads: 1 }, (runner) => {
    const whole = run(runner, {});
    assert(
      whole.every((row) => new Float32Array(row.buffer).every(Number.isFinite)),
      "logits are not finite",
    );
    assert(whole[0].some((bits, i) => bits !== whole[1][i]), "the logits do not depend on the tokens");
    for (const [name, manner] of Object.entries(MANNERS)) assertSameBits(run(runner, manner), whole, name);
    return whole;
  });
  for (const threads of [2, 3]) {
    await withRunner(path, { threads }, (runner) => {
      assertSameBits(run(runner, {}), expected, `${threads} threads`);
      assertSameBits(run(runner, { chunk: 7, company: true }), expected, `${threads} threads, with others`);
    });
  }
  if (FLOAT_FORMATS.includes(format)) return;
  for (const isa of Kernels.supportedIsas().slice(1)) {
    await withRunner(path, { threads: 2, isa }, (runner) => {
      assertSameBits(run(runner, { chunk: 64 }), expected, `instructions of ${isa}`);
    });
  }
}

for (const format of weightFormatNames) {
  Deno.test(`ModelRunner gives one answer for llama in ${format}`, async () => {
    using folder = new TemporaryFolder();
    await assertOneAnswer(await folder.randomModel("llama-tiny", format), format);
  });
}

/** Every family in every format, which takes minutes, and not each in one. */
const isProduct = Deno.env.get("KUMI_PRODUCT") === "1";

// Every other family has its tiny shape.
for (const shape of shapeNames.filter((name) => name.endsWith("-tiny") && name !== "llama-tiny")) {
  for (const format of isProduct ? weightFormatNames : ["q4_k"] as const) {
    Deno.test(`ModelRunner gives one answer for ${shape} in ${format}`, async () => {
      using folder = new TemporaryFolder();
      await assertOneAnswer(await folder.randomModel(shape, format), format);
    });
  }
}

for (const kvFormat of ["f32", "bf16", "q8_0"] as const) {
  Deno.test(`ModelRunner gives one answer with keys and values in ${kvFormat}`, async () => {
    using folder = new TemporaryFolder();
    const path = await folder.randomModel("llama-tiny", "q8_0");
    const whole = await withRunner(path, { threads: 1, kvFormat }, (runner) => run(runner, {}));
    // Two KV heads: with more than one thread the attention of a decoded token is split along its positions.
    await withRunner(path, { threads: 3, kvFormat }, (runner) => {
      for (const [name, manner] of Object.entries(MANNERS)) assertSameBits(run(runner, manner), whole, name);
    });
    await withRunner(path, { threads: 2, kvFormat, isa: "baseline" }, (runner) => {
      assertSameBits(run(runner, { chunk: 64 }), whole, "baseline instructions");
    });
  });
}
