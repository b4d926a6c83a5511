/**
 * Receipts of answers that were computed together, lost their KV blocks, and went on in another worker after theirs had died: verified in
 * processes of their own, with every instruction set that this machine can run; and one changed byte in model, prompt and answer.
 *
 *   deno task run bench/receipts.ts --answers 500 --model smollm2
 * @module
 */

import { parseArgs } from "node:util";
import { type GenerationResult, Model } from "../mod.ts";
import { EngineClient } from "../src/client/client.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { WorkerTransport } from "../src/client/transport.ts";
import { Kernels } from "../src/ffi/context.ts";
import { ModelFiles } from "../src/safetensors/model_hash.ts";
import { kumi } from "../tests/support/kumi.ts";

/** Workers that die, and the steps after which they do. */
const DEATHS = [40, 90, 150];
const CONTEXT = 256;
/** So few that not all of 16 answers have room at the same time. */
const KV_TOKENS = 1536;
const SEQUENCES = 16;
/** One answer in so many is computed alone. */
const ALONE_SHARE = 10;

const TOPICS = [
  "a KV cache",
  "a batch",
  "the sea",
  "seven cats",
  "an old king",
  "rain",
  "a train to the north",
  "17 + 25",
];

/** The bodies of requests of all kinds, each with a prompt of its own. */
function requestOf(i: number): Record<string, unknown> {
  const content = `${i % 3 === 0 ? "Tell me a story about" : "What is"} ${TOPICS[i % TOPICS.length]}? (${i})`;
  const shared = { max_tokens: 8 + i % 41, temperature: [0, 0.7, 1, 1.3][i % 4], ignore_eos: i % 2 === 0 };
  if (i % 5 === 0) return { ...shared, prompt: content, top_k: 20 + i % 7, frequency_penalty: 0.3 };
  return { ...shared, messages: [{ role: "user", content }], top_p: 0.9, logit_bias: { [100 + i]: -2 } };
}

function start(
  model: Model,
  request: Record<string, unknown>,
  more: { seed?: number; prediction?: string } = {},
): Promise<GenerationResult> {
  const { messages, prompt } = request as { messages?: { role: string; content: string }[]; prompt?: string };
  const options = {
    maxTokens: request.max_tokens as number,
    temperature: request.temperature as number,
    ignoreEnd: request.ignore_eos as boolean,
    topK: request.top_k as number | undefined,
    topP: request.top_p as number | undefined,
    frequencyPenalty: request.frequency_penalty as number | undefined,
    logitBias: request.logit_bias as Record<number, number> | undefined,
    receipt: true,
    ...more,
  };
  return messages === undefined
    ? model.generate(prompt!, options).result
    : model.chat(messages, options).result;
}

/** Computes the answers, with deaths; the lines of an audit with texts. */
async function makeReceipts(path: string, count: number): Promise<string[]> {
  let starts = 0;
  const mortal = (steps: number) =>
    new URL(`../tests/support/mortal_worker.ts?steps=${steps}`, import.meta.url);
  const create = () => {
    const steps = DEATHS[starts++];
    return new WorkerTransport(steps === undefined ? undefined : mortal(steps));
  };
  const files = await ModelFiles.look(path);
  const client = await EngineClient.start(create, {
    path,
    engine: { threads: 2, contextLength: CONTEXT, kvTokens: KV_TOKENS, sequencesMax: SEQUENCES },
    workers: [{}],
  });
  await using model = new Model(client, { files });
  const requests = Array.from({ length: count }, (_, i) => requestOf(i));
  const alone = Math.floor(count / ALONE_SHARE);
  const lineOf = (request: Record<string, unknown>, { receipt, text }: GenerationResult) =>
    JSON.stringify({ receipt, request, text });
  const lines = await Promise.all(
    requests.slice(alone).map(async (request) => lineOf(request, await start(model, request))),
  );
  // One at a time their next tokens are guessed: here from what they will be.
  for (const request of requests.slice(0, alone)) {
    const { seed, text } = await start(model, request);
    lines.push(lineOf(request, await start(model, request, { seed, prediction: text })));
  }
  const { restarts, workers } = await model.stats();
  const { preemptions, acceptedTokens } = workers[0];
  console.log(
    `${count} answers, ${restarts} workers died; the last one preempted ${preemptions} times, ${acceptedTokens} tokens were guessed right`,
  );
  return lines;
}

/** Verifies a file's receipts and prints what was said. */
async function verify(folder: string, lines: readonly string[], model: string, isa: string): Promise<number> {
  await Deno.writeTextFile(`${folder}/audit.jsonl`, lines.map((line) => `${line}\n`).join(""));
  const args = ["verify", `${folder}/audit.jsonl`, "--model", model, "--threads", "2", "--parallel", "24"];
  const { code, stdout, stderr } = await kumi(args, "", { KUMI_ISA: isa });
  const last = (stdout.trim() || stderr.trim()).split("\n").at(-1);
  console.log(`${isa.padEnd(16)} exit ${code}: ${last}`);
  return code;
}

/** One byte changed in each of a model's middle, a request and an answer. */
async function changed(folder: string, path: string, lines: readonly string[]): Promise<void> {
  const isa = Kernels.supportedIsas()[0];
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await Deno.writeFile(`${folder}/other.gguf`, bytes);
  console.log("a byte of the model, of each prompt, of each answer:");
  await verify(folder, lines, `${folder}/other.gguf`, isa);
  const edit = (change: (line: { request: Record<string, unknown>; text: string }) => void) =>
    lines.map((line) => {
      const value = JSON.parse(line);
      change(value);
      return JSON.stringify(value);
    });
  const prompts = edit(({ request }) => {
    if (typeof request.prompt === "string") request.prompt = request.prompt.replace("?", "!");
    else (request.messages as { content: string }[])[0].content += ".";
  });
  await verify(folder, prompts, path, isa);
  await verify(
    folder,
    edit((line) => line.text = line.text === "" ? "x" : line.text.slice(0, -1)),
    path,
    isa,
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { answers: { type: "string", default: "500" }, model: { type: "string", default: "demo" } },
  });
  const path = await locateModel(values.model);
  const folder = await Deno.makeTempDir({ prefix: "kumi-receipts-" });
  try {
    const lines = await makeReceipts(path, Number(values.answers));
    for (const isa of Kernels.supportedIsas()) await verify(folder, lines, path, isa);
    await changed(folder, path, lines);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
