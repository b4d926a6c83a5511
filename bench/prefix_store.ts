/**
 * The time to the first token of a long prompt: computed, read back after a restart, and known. Answers are compared.
 *
 *   deno task run bench/prefix_store.ts --model smollm2 --tokens 4096 --rounds 3
 * @module
 */

import { parseArgs } from "node:util";
import { type GenerationResult, loadModel } from "../mod.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "smollm2" },
    tokens: { type: "string", default: "4096" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    kv: { type: "string", default: "f16" },
    encrypted: { type: "boolean", default: false },
  },
});
/** Behind the stored prefix: a question. */
const QUESTION_TOKENS = 24;

const folder = await Deno.makeTempDir({ prefix: "kumi-prefixes-" });
const key = values.encrypted ? crypto.getRandomValues(new Uint8Array(32)).toBase64() : undefined;

async function load(dir: string) {
  const tokens = Number(values.tokens);
  return await loadModel(values.model, {
    threads: Number(values.threads),
    contextLength: tokens + 512,
    kvTokens: tokens + 1024,
    kvFormat: values.kv as "f16",
    prefixStore: { dir, bytesMax: 2 ** 34, ...key === undefined ? {} : { key } },
  });
}

/** A prompt of words that the model has, from a seed. */
function promptOf(vocab: number, seed: number, question: number): number[] {
  const prefix = Array.from(
    { length: Number(values.tokens) },
    (_, i) => 300 + (i * 7919 + seed * 104_729) % (vocab - 600),
  );
  return [
    ...prefix,
    ...Array.from({ length: QUESTION_TOKENS }, (_, i) => 400 + (i * 31 + question * 17) % 1000),
  ];
}

try {
  for (let round = 0; round < Number(values.rounds); round++) {
    const dir = `${folder}/${round}`;
    const options = { temperature: 0, maxTokens: 16, ignoreEnd: true };
    let computed: GenerationResult, known: GenerationResult;
    {
      await using model = await load(dir);
      const { vocab } = model.info;
      // Two runs with the same beginning: the second shows what the cache itself gives.
      computed = await model.generate(promptOf(vocab, round, 1), options).result;
      known = await model.generate(promptOf(vocab, round, 2), options).result;
      while ((await model.stats()).workers[0].prefixStore!.waiting > 0) {
        await new Promise((done) => setTimeout(done, 50));
      }
      await new Promise((done) => setTimeout(done, 500));
    }
    await using model = await load(dir);
    const restored = await model.generate(promptOf(model.info.vocab, round, 1), options).result;
    const { bytes } = (await model.stats()).workers[0].prefixStore!;
    const ms = ({ timings, usage }: GenerationResult) =>
      `${timings.ttftMs!.toFixed(1)} ms (${usage.cachedTokens} known)`;
    const share = 100 * restored.timings.ttftMs! / computed.timings.ttftMs!;
    console.log(
      `TTFT computed ${ms(computed)}, in the cache ${ms(known)}, restored ${ms(restored)} = ${
        share.toFixed(2)
      } % of computing; ` +
        `${(bytes / 2 ** 20).toFixed(1)} MiB stored; ${
          restored.text === computed.text ? "same answer" : "ANOTHER ANSWER"
        }`,
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
