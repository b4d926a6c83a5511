/** `kumi perplexity`: how well a model predicts a text. @module */

import { openGguf } from "../../gguf/mod.ts";
import { loadModelRunner } from "../../runner/model_runner.ts";
import { perplexity as measurePerplexity, WINDOW_TOKENS_MIN } from "../../runner/perplexity.ts";
import { createTokenizer } from "../../tokenizer/mod.ts";
import type { Arguments, Command } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { ProgressLine } from "../progress.ts";
import { LOAD_OPTIONS, loadOptions } from "../sampling_options.ts";
import { formatDuration } from "../units.ts";
import { printLine } from "../../process/print.ts";

/** Windows of the context length; the second half of each is scored, as llama.cpp's tool does. */
export const perplexity: Command = {
  name: "perplexity",
  summary: "measure how well a model predicts a text (lower is better)",
  usage: "perplexity FILE TEXT [--context N]",
  positionals: { min: 2, max: 2 },
  options: [
    ...LOAD_OPTIONS.filter((option) => option.name === "threads" || option.name === "kv"),
    {
      name: "context",
      alias: "c",
      value: "N",
      help: "tokens of a window; default 512 or the model's context",
    },
    { name: "json", help: "one JSON object" },
  ],
  details: "TEXT is a file. Each window of N tokens is scored on its second half.",
  run: runPerplexity,
};

async function runPerplexity(args: Arguments): Promise<number> {
  const [spec, textPath] = args.positional;
  const options = loadOptions(args, WINDOW_TOKENS_MIN);
  const text = await Deno.readTextFile(textPath);
  using interrupt = interruptible();
  const { signal } = interrupt;
  using file = await openGguf(await resolveModelFile(spec));
  const tokenizer = createTokenizer(file.metadata);
  using bar = new ProgressLine("loading");
  using runner = await loadModelRunner(file, {
    ...options,
    isa: Deno.env.get("KUMI_ISA"),
    progress: (done, total) => bar.update(done, total),
    signal,
  });
  bar.clear();
  const tokens = tokenizer.encode(text, { addSpecial: tokenizer.addBos });
  const startedMs = performance.now();
  using windows = new ProgressLine("windows", String);
  const result = await measurePerplexity(runner, tokens, {
    window: options.contextLength,
    bos: tokenizer.addBos ? tokenizer.bos : undefined,
    signal,
    progress: (done, total, value) => windows.update(done, total, `perplexity ${value.toFixed(4)}`),
  });
  windows.clear();
  if (args.switches.has("json")) {
    printLine(JSON.stringify(result));
  } else {
    printLine(
      `perplexity ${result.perplexity.toFixed(4)} ± ${result.standardError.toFixed(4)} ` +
        `(${result.tokens} tokens in ${result.windows} windows, ${
          formatDuration(performance.now() - startedMs)
        })`,
    );
  }
  return 0;
}
