/** What `kumi imatrix` does. @module */

import { writeImportance } from "../../gguf/mod.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";
import { collectImportance, ImportanceCollector } from "../../runner/importance.ts";
import { loadModelRunner } from "../../runner/model_runner.ts";
import { WINDOW_TOKENS_MIN } from "../../runner/text_windows.ts";
import { openModel } from "../../safetensors/open_model.ts";
import { createTokenizer } from "../../tokenizer/mod.ts";
import { type Arguments, numberOption } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { readNamed } from "../named_file.ts";
import { checkNew } from "../new_file.ts";
import { ProgressLine } from "../progress.ts";
import { loadOptions } from "../sampling_options.ts";
import { formatDuration } from "../units.ts";

const CHUNKS_MAX = 1 << 24;

/** Mean squares of what each matrix multiplies, for `quantize --imatrix`. */
export async function runImatrix(args: Arguments): Promise<number> {
  const [spec, textPath] = args.positional;
  const output = args.values.get("output")!;
  const chunks = numberOption(args, "chunks", { min: 1, max: CHUNKS_MAX, integer: true });
  const options = loadOptions(args, WINDOW_TOKENS_MIN);
  await checkNew(args, output);
  const text = await readNamed(textPath);
  using interrupt = interruptible();
  const { signal } = interrupt;
  using file = await openModel(await resolveModelFile(spec));
  const tokenizer = createTokenizer(file.metadata);
  const collector = new ImportanceCollector();
  using bar = new ProgressLine("loading");
  using runner = await loadModelRunner(file, {
    ...options,
    isa: Deno.env.get("KUMI_ISA"),
    onProduct: collector.listener,
    progress: (done, total) => bar.update(done, total),
    signal,
  });
  bar.clear();
  const tokens = tokenizer.encode(text, { addSpecial: tokenizer.addBos });
  const startedMs = performance.now();
  using windows = new ProgressLine("windows", String);
  const dataset = textPath.split("/").pop()!;
  const contents = await collectImportance(runner, collector, tokens, dataset, {
    window: options.contextLength,
    chunks,
    bos: tokenizer.addBos ? tokenizer.bos : undefined,
    signal,
    progress: (done, total) => windows.update(done, total),
  });
  windows.clear();
  await writeImportance(output, contents);
  printLine(
    `${
      oneLine(output)
    }: ${contents.matrices.size} matrices over ${contents.chunks} windows of ${contents.chunkTokens} ` +
      `tokens, ${formatDuration(performance.now() - startedMs)}`,
  );
  return 0;
}
