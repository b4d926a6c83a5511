/**
 * Receipts of answers that were computed together, lost their KV blocks, went on in another worker after theirs had died, or were guessed
 * ahead: verified in processes of their own, with every instruction set that this machine can run; and one changed byte in model, prompt
 * and answer.
 *
 *   deno task run bench/receipts.ts --answers 500 --model smollm2
 * @module
 */

import { parseArgs } from "node:util";
import { locateModel } from "../src/client/locate_model.ts";
import { Kernels } from "../src/ffi/context.ts";
import { kumi } from "../tests/support/kumi.ts";
import { triedAnswers } from "../tests/support/tried_answers.ts";

/** Exit statuses of `kumi verify`. */
const SAME = 0, DIFFERENT = 3;
/** Shares of the answers that lose their KV blocks again and again, and that are computed alone and guessed. */
const PREEMPTED_SHARE = 0.4, GUESSED_SHARE = 0.1;

/** Computes the answers; the lines of an audit with texts. Throws where one of the trials did not happen. */
async function makeReceipts(path: string, count: number): Promise<string[]> {
  const preempted = Math.floor(count * PREEMPTED_SHARE), guessed = Math.floor(count * GUESSED_SHARE);
  const replayed = count - preempted - guessed;
  const tried = await triedAnswers({ path, preempted, replayed, guessed, threads: 2 });
  console.log(
    `${count} answers: ${preempted} with ${tried.preemptions} preemptions among them; ${replayed} with the deaths of ${tried.deaths} workers; ` +
      `${guessed} alone with ${tried.guessed} tokens guessed right`,
  );
  if (tried.preemptions === 0 || tried.deaths === 0 || tried.guessed === 0) {
    throw new Error("the answers were not tried as they should be");
  }
  return tried.answers.map((answer) => JSON.stringify(answer));
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

/** One byte changed in each of a model's middle, a request and an answer. Whether all were found. */
async function changed(folder: string, path: string, lines: readonly string[]): Promise<boolean> {
  const isa = Kernels.supportedIsas()[0];
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await Deno.writeFile(`${folder}/other.gguf`, bytes);
  console.log("a byte of the model, of each prompt, of each answer:");
  const codes = [await verify(folder, lines, `${folder}/other.gguf`, isa)];
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
  codes.push(await verify(folder, prompts, path, isa));
  const texts = edit((line) => line.text = line.text === "" ? "x" : line.text.slice(0, -1));
  codes.push(await verify(folder, texts, path, isa));
  return codes.every((code) => code === DIFFERENT);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { answers: { type: "string", default: "500" }, model: { type: "string", default: "demo" } },
  });
  const path = await locateModel(values.model);
  const folder = await Deno.makeTempDir({ prefix: "kumi-receipts-" });
  try {
    const lines = await makeReceipts(path, Number(values.answers));
    let isRight = true;
    for (const isa of Kernels.supportedIsas()) {
      if (await verify(folder, lines, path, isa) !== SAME) isRight = false;
    }
    if (!await changed(folder, path, lines)) isRight = false;
    if (!isRight) Deno.exitCode = 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
