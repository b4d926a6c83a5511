/** The serving benchmark's batches: they must not change what is answered. */

import { assert, assertEquals } from "@std/assert";
import { contextOf, makeRequests } from "../bench/serving/requests.ts";
import { kvTokensFor, serve } from "../bench/serving/serve.ts";
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
  const together = serve(runner, requests, 3, context);
  const alone = serve(runner, requests, 1, context);
  assertEquals(together.answers, alone.answers);
  assertEquals(together.answers.map((answer) => answer.length), requests.map(() => 9));
  assert(together.steps < alone.steps);
  assert(together.finishedAt.every((at) => at > 0 && at <= together.seconds));
});
