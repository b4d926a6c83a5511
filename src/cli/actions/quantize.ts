/** What `kumi quantize` does. @module */

import { Kernels } from "../../ffi/context.ts";
import {
  planQuantization,
  quantizeFile,
  type QuantizeReport,
  type QuantizeTarget,
  readImportance,
  targetNames,
  tensorType,
} from "../../gguf/mod.ts";
import { type Arguments, UsageError } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { checkNew } from "../new_file.ts";
import { ProgressLine } from "../progress.ts";
import { threadsOption } from "../threads_option.ts";
import { renderTable } from "../table.ts";
import { formatBytes, formatFigure } from "../units.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";

/** From F32, F16, BF16 (or Q8_0) to any mix or format that the kernels run, with the error it costs. */
export async function runQuantize(args: Arguments): Promise<number> {
  const [source, output, format] = args.positional;
  if (!targetNames.includes(format.toLowerCase())) {
    throw new UsageError(`FORMAT is one of ${targetNames.join(", ")}, current value is ${format}`);
  }
  const isPure = args.switches.has("pure");
  const imatrix = args.values.get("imatrix");
  const importance = imatrix === undefined ? undefined : await readImportance(imatrix);
  if (args.switches.has("dry-run")) return await printPlan(args, { format, isPure, importance });
  await checkNew(args, output);
  const input = await resolveModelFile(source);
  const threads = threadsOption(args);
  using kernels = Kernels.open({ threads, isa: Deno.env.get("KUMI_ISA"), workspaceBytes: 64 });
  using interrupt = interruptible();
  using bar = new ProgressLine("quantizing");
  const startedMs = performance.now();
  const report = await quantizeFile(input, output, format, {
    kernels,
    isPure,
    importance,
    open: openModel,
    signal: interrupt.signal,
    progress: (done, total, tensor) => bar.update(done, total, tensor),
  });
  bar.clear();
  if (args.switches.has("json")) printLine(JSON.stringify(report));
  else printReport(report, output, (performance.now() - startedMs) / 1000, args.switches.has("tensors"));
  return 0;
}

/** What would be written. */
async function printPlan(args: Arguments, wanted: QuantizeTarget): Promise<number> {
  using interrupt = interruptible();
  using file = await openModel(await resolveModelFile(args.positional[0]), { signal: interrupt.signal });
  const { target, tensors, bytesOut, warnings } = planQuantization(file, wanted);
  const rows = tensors.map(({ source: { name, dims, type }, typeId, bytes }) => ({
    name,
    dims,
    from: tensorType(type).name,
    to: tensorType(typeId).name,
    bytes,
  }));
  if (args.switches.has("json")) {
    const bytesIn = file.fileBytes;
    printLine(JSON.stringify({ format: target.name, bytesIn, bytesOut, tensors: rows, warnings }));
    return 0;
  }
  const cells = rows.map(({ name, dims, from, to, bytes }) => [
    oneLine(name),
    dims.join(" × "),
    from,
    to,
    formatBytes(bytes),
  ]);
  printLine(renderTable(["tensor", "size", "from", "to", "bytes"], cells));
  for (const warning of warnings) printNote(`note: ${oneLine(warning)}`);
  printLine(`${target.name}: ${formatBytes(file.fileBytes)} → ${formatBytes(bytesOut)}; nothing was written`);
  return 0;
}

function printReport(report: QuantizeReport, output: string, seconds: number, listTensors: boolean): void {
  const changed = report.tensors.filter((tensor) => tensor.from !== tensor.to);
  if (listTensors) {
    const rows = changed.map((tensor) => [
      tensor.name,
      tensor.from,
      tensor.to,
      formatFigure(tensor.rmsError),
      formatFigure(tensor.maxError),
      `${formatFigure(tensor.relativeError * 100)} %`,
    ]);
    printLine(renderTable(["tensor", "from", "to", "rms error", "max error", "relative"], rows));
  }
  for (const warning of report.warnings) printNote(`note: ${oneLine(warning)}`);
  const elements = (tensor: { dims: readonly number[] }) =>
    tensor.dims.reduce((product, dim) => product * dim, 1);
  const total = changed.reduce((sum, tensor) => sum + elements(tensor), 0);
  const squares = changed.reduce((sum, tensor) => sum + tensor.relativeError ** 2 * elements(tensor), 0);
  const relative = total === 0 ? 0 : Math.sqrt(squares / total);
  printLine(
    `${oneLine(output)}: ${formatBytes(report.bytesIn)} → ${formatBytes(report.bytesOut)} in ${
      seconds.toFixed(1)
    } s, ` +
      `${report.format}, relative rms error ${formatFigure(relative * 100)} %`,
  );
}
