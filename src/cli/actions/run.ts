/** What `kumi run` does. @module */

import type { Generation } from "../../client/generation.ts";
import type { ChatMessage } from "../../protocol/request.ts";
import { type Arguments, UsageError } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { AnswerOutput } from "../answer_output.ts";
import { loadModelWithProgress } from "../model_option.ts";
import { writeAll } from "../progress.ts";
import { samplingOptions } from "../sampling_options.ts";
import { readStdinText } from "../stdin.ts";
import { renderSpeed } from "../speed.ts";
import { printLine, printNote } from "../../process/print.ts";

/** The prompt comes from the argument, from stdin, or from both: then stdin follows the argument. */
export async function runOnce(args: Arguments): Promise<number> {
  const prompt = await readPrompt(args);
  const options = samplingOptions(args);
  const system = args.values.get("system");
  const raw = args.switches.has("raw");
  if (raw && system !== undefined) {
    throw new UsageError("--system needs the chat template, which --raw leaves out");
  }
  await using model = await loadModelWithProgress(args);
  using interrupt = interruptible();
  const { signal } = interrupt;
  const messages: ChatMessage[] = [{ role: "user", content: prompt }];
  if (system !== undefined) messages.unshift({ role: "system", content: system });
  const answer = raw
    ? model.generate(prompt, { ...options, signal })
    : model.chat(messages, { ...options, signal });
  if (args.switches.has("json")) printLine(JSON.stringify(await answer.result));
  else await printParts(answer, signal);
  const result = await answer.result;
  if (result.text === "" && result.finishReason === "stop") {
    printNote("kumi: the model ended its answer before its first word");
  }
  if (args.switches.has("stats")) printNote(renderSpeed(result));
  return result.finishReason === "abort" ? 130 : 0;
}

/** Streams to stdout; a person's terminal gets a final newline, a pipe exactly the text. */
async function printParts(answer: Generation, signal: AbortSignal): Promise<void> {
  const output = new AnswerOutput();
  let last = "";
  try {
    for await (const part of answer) {
      output.write(part);
      last = part;
    }
  } catch (error) {
    // An interrupted answer is shown as far as it goes.
    if (!signal.aborted) throw error;
  } finally {
    output.end();
  }
  if (Deno.stdout.isTerminal() && !last.endsWith("\n")) writeAll(Deno.stdout, "\n");
}

async function readPrompt(args: Arguments): Promise<string> {
  const argument = args.positional[0];
  const piped = Deno.stdin.isTerminal()
    ? ""
    : argument === undefined
    ? await readStdinText()
    : await readPiped();
  const prompt = [argument ?? "", piped].filter((part) => part !== "").join("\n\n");
  // An empty argument is a prompt: nothing but the model's first token, or an empty message.
  if (prompt === "" && argument === undefined) {
    throw new UsageError("no prompt: pass it as an argument or through stdin");
  }
  return prompt;
}

/** What a pipe or a file on stdin holds. Stdin that is neither, as under a service manager, holds nothing. */
async function readPiped(): Promise<string> {
  try {
    const { isFifo, isFile } = await Deno.stat("/dev/stdin");
    return isFifo || isFile ? await readStdinText() : "";
  } catch {
    return "";
  }
}
