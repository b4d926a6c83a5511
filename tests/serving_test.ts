/** The serving benchmark's batches: they must not change what is answered. */

import { assert, assertEquals } from "@std/assert";
import { contextOf, makeRequests } from "../bench/serving/requests.ts";
import { kvTokensFor, serve } from "../bench/serving/serve.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";

Deno.test("serve() gives each request the answer that it gets alone", async () => {
  using folder = new TemporaryFolder();
  const shape = { promptTokens: 40, answerTokens: 9, vocab: 512 };
  const requests = makeRequests(7, shape);
  const context = contextOf(shape);
  assert(requests.every(({ prompt }) => prompt.length + 9 <= context));
  assert(new Set(requests.map(({ prompt }) => prompt.length)).size > 1);
  using runner = await loadRunner(await folder.randomModel("llama-tiny", "q4_k"), {
    contextLength: context,
    kvTokens: kvTokensFor(3, context),
    batchTokensMax: 48, // so that prompts are cut into chunks
  });
  const shares: number[] = [];
  const pause = (share: number) => Promise.resolve(void shares.push(share));
  const together = await serve(runner, requests, 3, context, pause);
  const alone = await serve(runner, requests, 1, context);
  assertEquals(together.answers, alone.answers);
  assertEquals(together.answers.map((answer) => answer.length), requests.map(() => 9));
  assert(together.steps < alone.steps);
  assertEquals(shares.length, together.steps);
  assertEquals(shares[0], 0);
  assert(shares.every((share, i) => share < 1 && (i === 0 || share > shares[i - 1])));
});

Deno.test("bench/serving.ts measures kumi batched and one at a time", async () => {
  const cache = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    const args = ["--shape", "llama-tiny", "--requests", "5", "--rival-requests", "2", "--prompt", "30"];
    args.push("--answer", "4", "--batch", "3", "--without", "pytorch,llama.cpp", "--json");
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", ...stdFlags(await chooseStd()), "bench/serving.ts", ...args],
      cwd: ROOT,
      env: { KUMI_CACHE: cache },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
    const summary = lines.map(({ condition, requestsMeasured }) => `${condition}: ${requestsMeasured}`);
    assertEquals(summary, [
      "kumi q4_k, 3 at once: 5",
      "kumi bf16, one at a time: 2",
      "kumi q4_k, one at a time: 2",
    ]);
    assert(lines.every(({ seconds, ratio }) => seconds > 0 && ratio > 0));
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
