/** What `kumi compare` does. @module */

import { compareTensors, type GgufFile, type TensorErrors } from "../../gguf/mod.ts";
import { renderDistributions } from "../../loadtest/svg_plot.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";
import { compareModels, type Estimate, type ModelComparison } from "../../runner/compare.ts";
import { loadModelRunner } from "../../runner/model_runner.ts";
import { WINDOW_TOKENS_MIN } from "../../runner/text_windows.ts";
import { openModel } from "../../safetensors/open_model.ts";
import { createTokenizer } from "../../tokenizer/mod.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { readNamed, writeNamed } from "../named_file.ts";
import { checkNew } from "../new_file.ts";
import { ProgressLine } from "../progress.ts";
import { loadOptions } from "../sampling_options.ts";
import { renderTable } from "../table.ts";
import { formatFigure } from "../units.ts";

const WORST_TENSORS = 10;
const TOKENS_MAX = 2 ** 32;

/** What quantising has changed: perplexities, KL divergence, greedy tokens, and the tensors themselves. */
export async function runCompare(args: Arguments): Promise<number> {
  const [specA, specB, textPath] = args.positional;
  const tokensMax = numberOption(args, "tokens", { min: WINDOW_TOKENS_MIN, max: TOKENS_MAX, integer: true });
  const plot = args.values.get("plot");
  const options = loadOptions(args, WINDOW_TOKENS_MIN);
  if (plot !== undefined) await checkNew(args, plot);
  const text = await readNamed(textPath);
  using interrupt = interruptible();
  const { signal } = interrupt;
  using fileA = await openModel(await resolveModelFile(specA));
  using fileB = await openModel(await resolveModelFile(specB));
  const { tokens, bos } = tokensOf(fileA, fileB, text);
  using bar = new ProgressLine("loading");
  const load = (file: GgufFile) =>
    loadModelRunner(file, {
      ...options,
      isa: Deno.env.get("KUMI_ISA"),
      progress: (done, total) => bar.update(done, total),
      signal,
    });
  using a = await load(fileA);
  using b = await load(fileB);
  bar.clear();
  using windows = new ProgressLine("windows", String);
  const models = await compareModels(a, b, tokens.slice(0, tokensMax), {
    window: options.contextLength,
    bos,
    signal,
    progress: (done, total, mean) => windows.update(done, total, `KL divergence ${formatFigure(mean)}`),
  });
  windows.clear();
  const tensors = compareTensors(fileA, fileB, a.kernels, () => signal.throwIfAborted());
  if (plot !== undefined) {
    await writeNamed(plot, picture(models, `${oneLine(specB)} beside ${oneLine(specA)}`), "plot");
  }
  if (args.switches.has("json")) printJson(models, tensors);
  else printReport(models, tensors, args.switches.has("tensors"));
  return 0;
}

/** The text as both models read it. */
function tokensOf(a: GgufFile, b: GgufFile, text: string): { tokens: number[]; bos: number | undefined } {
  const [tokenizer, other] = [createTokenizer(a.metadata), createTokenizer(b.metadata)];
  const tokens = tokenizer.encode(text, { addSpecial: tokenizer.addBos });
  const others = other.encode(text, { addSpecial: other.addBos });
  const differs = tokens.length !== others.length || tokens.some((token, i) => token !== others[i]);
  if (differs) throw new UsageError("the models cut the text into different tokens: they cannot be compared");
  return { tokens, bos: tokenizer.addBos ? tokenizer.bos : undefined };
}

function printJson(models: ModelComparison, { tensors, unmatched }: TensorErrors): void {
  const { divergences: _, probabilityChanges: __, ...figures } = models;
  printLine(JSON.stringify({ ...figures, tensors, unmatched }));
}

function printReport(models: ModelComparison, { tensors, unmatched }: TensorErrors, listAll: boolean): void {
  const { perplexity: [a, b], perplexityRatio, divergence, sameGreedy, probabilityChange } = models;
  const figure = ({ value, standardError }: Estimate) => `${value.toFixed(4)} ± ${standardError.toFixed(4)}`;
  const percent = (value: number) => `${formatFigure(100 * value)} %`;
  const rows = [
    ["perplexity of A", figure(a)],
    ["perplexity of B", figure(b)],
    ["B's to A's", figure(perplexityRatio)],
    ["KL divergence, mean", `${formatFigure(divergence.value)} ± ${formatFigure(divergence.standardError)}`],
    ["median, 90 %, 99 %", [divergence.median, divergence.p90, divergence.p99].map(formatFigure).join(", ")],
    ["greatest", formatFigure(divergence.max)],
    ["same greedy token", `${percent(sameGreedy.value)} ± ${percent(sameGreedy.standardError)}`],
    ["change of probability, mean", percent(probabilityChange.mean)],
    ["mean magnitude", percent(probabilityChange.meanAbsolute)],
    ["root mean square", percent(probabilityChange.rms)],
  ];
  printLine(renderTable([`of ${models.tokens} tokens`, "nats, or as said"], rows));
  if (unmatched.length > 0) {
    const example = oneLine(unmatched[0]);
    printNote(
      `note: ${unmatched.length} tensors are not in both files with the same dimensions, such as ${example}`,
    );
  }
  const listed = listAll ? tensors : tensors.slice(0, WORST_TENSORS);
  const cells = listed.map(({ name, from, to, relativeError }) => [
    oneLine(name),
    from,
    to,
    percent(relativeError),
  ]);
  printLine(renderTable([listAll ? "tensor" : "worst tensors", "A", "B", "relative rms error"], cells));
}

/** Distributions over the scored tokens. What is exactly zero has no place on a logarithmic axis and is drawn at its lower end. */
function picture({ divergences, probabilityChanges, divergence }: ModelComparison, title: string): string {
  const line = (label: string, values: Float64Array, floor: number) => ({
    label,
    color: "#1f6fb4",
    values: [...values.map((value) => Math.max(floor, Math.abs(value)))].sort((x, y) => x - y),
  });
  return renderDistributions(title, [
    {
      title: "KL divergence by token",
      axis: "nats",
      lines: [line(`${divergences.length} tokens`, divergences, 1e-6)],
      mark: { value: Math.max(1e-6, divergence.value), label: "mean" },
    },
    {
      title: "Change of the next token's probability",
      axis: "magnitude, 1 = 100 %",
      lines: [line(`${probabilityChanges.length} tokens`, probabilityChanges, 1e-6)],
    },
  ]);
}
