/** Model families against a naive reference in double precision. */

import { assert } from "@std/assert";
import { openGguf, scalarEntry } from "../src/gguf/mod.ts";
import type { ModelFamily } from "../src/models/family.ts";
import type { Hyperparameters } from "../src/models/hyperparameters.ts";
import { readHyperparameters } from "../src/models/read_hyperparameters.ts";
import { familyOf } from "../src/models/registry.ts";
import { shapeNames } from "../src/models/shapes.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { TemporaryFolder } from "./support/models.ts";
import { writeOlderDeepseek } from "./support/older_deepseek.ts";
import { referenceLogits } from "./support/reference_model.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

const tokens = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 512);

/** The largest difference of the last token's logits, in standard deviations of the logits; `as`: what the reference computes. */
async function difference(
  path: string,
  family?: ModelFamily,
  as = family,
  contextLength?: number,
): Promise<number> {
  using file = await openGguf(path);
  using runner = await loadModelRunner(file, { threads: 2, kvFormat: "f32", family, contextLength });
  runner.forward([{
    tokens,
    first: 0,
    count: tokens.length,
    tables: tablesOf([0, 1, 2], runner.kvWindows.length, 3),
  }]);
  runner.logits([tokens.length - 1]);
  const logits = runner.readLogits();
  const h = readHyperparameters(file, as ?? familyOf(file));
  const expected = referenceLogits(file, h, tokens, contextLength).at(-1)!;
  const spread = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - logits[i]))) / spread;
}

/** What f32 with sums of a few hundred products allows; another RoPE in one layer gives a thousand times as much. */
const CLOSE = 1e-4;

// Of some families there are sizes that compute something else.
for (const shape of shapeNames.filter((name) => name.endsWith("-tiny"))) {
  Deno.test(`${shape} computes what a naive reference does`, async () => {
    using folder = new TemporaryFolder();
    const found = await difference(await folder.randomModel(shape, "f32"));
    assert(found < CLOSE, `${found}`);
  });
}

/** The family with a RoPE of its own in every second layer. */
function alternating(family: ModelFamily): ModelFamily {
  const refine = (h: Hyperparameters) => ({
    ...h,
    layers: h.layers.map((layer, i) => {
      const other = {
        pairing: "halves",
        dimensions: 32,
        base: 1e6,
        scaling: { type: "linear", factor: 4 },
      } as const;
      return i % 2 === 0 ? layer : { ...layer, rope: other };
    }),
  });
  return { ...family, refine };
}

Deno.test("layers of one model may turn differently", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f32");
  using file = await openGguf(path);
  const llama = familyOf(file);
  const found = await difference(path, alternating(llama));
  assert(found < CLOSE, `${found}`);
  const one = await difference(path, alternating(llama), llama);
  assert(one > 100 * CLOSE, `one RoPE for all layers is only ${one} off`);
});

Deno.test("DeepSeek's older files have what makes keys and values of latent vectors in one tensor", async () => {
  using folder = new TemporaryFolder();
  const path = `${folder.path}/older.gguf`;
  await writeOlderDeepseek(path, "deepseek2-lite-tiny", "f32");
  const found = await difference(path);
  assert(found < CLOSE, `${found}`);
});

Deno.test("Phi 3 has one set of factors for long contexts and one for short ones, and may see a window", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("phi3-tiny", "f32");
  for (const context of [128, 129]) {
    const found = await difference(path, undefined, undefined, context);
    assert(found < CLOSE, `a context of ${context}: ${found}`);
  }
  const entries = [scalarEntry("u32", "phi3.attention.sliding_window", 24)];
  const found = await difference(await folder.randomModel("phi3-tiny", "f32", 1, entries));
  assert(found < CLOSE, `${found}`);
});
