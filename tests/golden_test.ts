/** A real model's text and perplexity, against the reference implementations of its author and of llama.cpp. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadModel } from "../mod.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { perplexity } from "../src/runner/perplexity.ts";
import { createTokenizer } from "../src/tokenizer/mod.ts";
import { testWithShared } from "./support/models.ts";

const MODEL = "stories260K/stories260K-f32.v3.gguf";
/** Measured with llama.cpp in f32: context 128, each window scored on its second half. */
const PERPLEXITY_REFERENCE = 4.0574;

for (const kvFormat of ["f32", "f16"] as const) {
  testWithShared(
    `stories260K tells its story character for character with keys and values in ${kvFormat}`,
    [MODEL, "stories260K/greedy_200_steps.txt"],
    async ([path, storyPath]) => {
      const story = await Deno.readTextFile(storyPath);
      await using model = await loadModel(path, { kvFormat, threads: 2 });
      const { text } = await model.generate("", { temperature: 0, maxTokens: 200, ignoreEnd: true }).result;
      assertEquals(text, story);
    },
  );
}

testWithShared("loadModel() refuses a quantised cache for heads of 8 elements", [MODEL], async ([path]) => {
  await assertRejects(
    () => loadModel(path, { kvFormat: "q8_0", threads: 1 }),
    Error,
    "multiple of 32 elements, this model's have 8",
  );
});

testWithShared(
  "perplexity() of stories260K is within half a percent of llama.cpp's",
  [MODEL, "text/tinystories_plain.txt"],
  async ([path, textPath]) => {
    using file = await openGguf(path);
    const tokenizer = createTokenizer(file.metadata);
    const tokens = tokenizer.encode(await Deno.readTextFile(textPath), { addSpecial: true });
    using runner = await loadModelRunner(file, { kvFormat: "f32", threads: 2 });
    const { perplexity: value, windows } = await perplexity(runner, tokens, {
      window: 128,
      bos: tokenizer.bos,
    });
    assert(windows > 10);
    const difference = value / PERPLEXITY_REFERENCE - 1;
    assert(Math.abs(difference) < 0.005, `perplexity is ${value}, ${(100 * difference).toFixed(3)} % off`);
  },
);
