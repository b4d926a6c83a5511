/**
 * The KV cache's memory in a loaded model: refusal at the start, options, and answers that do not depend on
 * them.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type KvOptions, loadModel } from "../mod.ts";
import { machineInfo } from "../src/ffi/machine.ts";
import { ModelError } from "../src/models/error.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";

Deno.test("loadModelRunner() refuses a KV cache larger than the memory, unless it is told to overcommit", async () => {
  const { availableBytes } = machineInfo();
  if (availableBytes === undefined) return;
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  using small = await loadRunner(path, { threads: 1 });
  const kvTokens = Math.ceil(1.5 * availableBytes / small.kvBytesPerToken);
  const error = await assertRejects(() => loadRunner(path, { threads: 1, kvTokens }), ModelError);
  assertStringIncludes(error.message, `for ${Math.ceil(kvTokens / 16) * 16} tokens`);
  assertStringIncludes(error.message, "Lower contextLength or kvTokens");
  using large = await loadRunner(path, { threads: 1, kvTokens, kv: { overcommit: true } });
  assert(large.kvTokens >= kvTokens);
});

Deno.test("loadModelRunner() commits the KV cache at once with prefault, else on first touch", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  const options = { threads: 1, kvTokens: 4096 };
  using lazy = await loadRunner(path, { ...options, kv: { hugePages: false } });
  if (lazy.kvArena.residentBytes() === undefined) return;
  assertEquals(lazy.kvArena.residentBytes(), 0);
  using eager = await loadRunner(path, { ...options, kv: { prefault: true, hugePages: false } });
  assertEquals(eager.kvArena.residentBytes(), 4096 * eager.kvBytesPerToken);
  using huge = await loadRunner(path, { ...options, kv: { prefault: true, hugePages: true } });
  assertEquals(huge.kvArena.residentBytes(), 4096 * huge.kvBytesPerToken);
});

Deno.test("Model.generate() gives the same tokens however the KV cache's memory is managed", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  const answers: string[] = [];
  const policies: KvOptions[] = [{}, { giveBackBlocks: 1 }, { giveBackBlocks: Infinity }, { prefault: true }];
  for (const kv of policies) {
    await using model = await loadModel(path, { threads: 1, contextLength: 256, kvTokens: 512, kv });
    for (let round = 0; round < 2; round++) {
      const texts = await Promise.all([20, 70, 150].map(async (length) => {
        const tokens = Array.from({ length }, (_, i) => 3 + (i * 31 + length) % 500);
        return (await model.generate(tokens, { seed: 5, maxTokens: 40, ignoreEnd: true }).result).text;
      }));
      answers.push(texts.join("|"));
    }
  }
  assert(answers[0].length > 3);
  assertEquals(new Set(answers).size, 1);
});
