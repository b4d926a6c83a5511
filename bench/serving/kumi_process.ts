/**
 * kumi, one request at a time, in a process of its own: deno run … kumi_process.ts FILE CONTEXT THREADS (0:
 * its own choice). Answers each line of stdin, {"prompt": [token, …], "answerTokens"}, with a line
 * {"seconds", "how"}.
 * @module
 */

import { openGguf } from "../../src/gguf/mod.ts";
import { loadModelRunner } from "../../src/runner/model_runner.ts";
import { kvTokensFor, serve } from "./serve.ts";

const [path, context, threads] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];
using file = await openGguf(path);
using runner = await loadModelRunner(file, {
  contextLength: context,
  kvTokens: kvTokensFor(1, context),
  threads,
});
const how = `${runner.kernels.isa}, ${runner.kernels.threads} threads, KV f16`;

let pending = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (pending + text).split("\n");
  pending = lines.pop()!;
  for (const line of lines) {
    const { prompt, answerTokens } = JSON.parse(line);
    const request = { prompt: Uint32Array.from(prompt as number[]), answerTokens };
    const { seconds } = await serve(runner, [request], 1, context);
    console.log(JSON.stringify({ seconds, how }));
  }
}
