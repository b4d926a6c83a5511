/** What `kumi perplexity` does. @module */

import { loadModelRunner } from "../../runner/model_runner.ts";
import { perplexity as measurePerplexity } from "../../runner/perplexity.ts";
import { WINDOW_TOKENS_MIN } from "../../runner/text_windows.ts";
import { createTokenizer } from "../../tokenizer/mod.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { ProgressLine } from "../progress.ts";
import { loadOptions } from "../sampling_options.ts";
import { readNamed } from "../named_file.ts";
import { formatDuration } from "../units.ts";
import { printLine } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";

/** Windows of the context length; the second half of each is scored, as llama.cpp's tool does. */
export async function runPerplexity(args: Arguments): Promise<number> {
  const [spec, textPath] = args.positional;
  const options = loadOptions(args, WINDOW_TOKENS_MIN);
  const text = await readNamed(textPath);
  using interrupt = interruptible();
  const { signal } = interrupt;
  using file = await openModel(await resolveModelFile(spec));
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
