/** What `kumi convert` does. @module */

import { Kernels } from "../../ffi/context.ts";
import { copyModel } from "../../gguf/copy_file.ts";
import { quantizeFile, targetNames } from "../../gguf/mod.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";
import { type Arguments, UsageError } from "../command.ts";
import { checkNew } from "../new_file.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { ProgressLine } from "../progress.ts";
import { threadsOption } from "../threads_option.ts";
import { formatBytes } from "../units.ts";

/** A model as one GGUF file, its weights as they are or quantised. */
export async function runConvert(args: Arguments): Promise<number> {
  const [source, output] = args.positional;
  const format = args.values.get("weights");
  if (format !== undefined && !targetNames.includes(format.toLowerCase())) {
    throw new UsageError(`--weights is one of ${targetNames.join(", ")}, current value is ${format}`);
  }
  await checkNew(args, output);
  const input = await resolveModelFile(source);
  using interrupt = interruptible();
  using bar = new ProgressLine(format === undefined ? "converting" : "quantizing");
  const { signal } = interrupt;
  const progress = (done: number, total: number) => bar.update(done, total);
  let bytes: number;
  if (format === undefined) {
    using file = await openModel(input, { signal });
    bytes = await copyModel(file, output, { signal, progress });
  } else {
    const threads = threadsOption(args);
    using kernels = Kernels.open({ threads, isa: Deno.env.get("KUMI_ISA"), workspaceBytes: 64 });
    const report = await quantizeFile(input, output, format, { kernels, open: openModel, signal, progress });
    for (const warning of report.warnings) printNote(`note: ${oneLine(warning)}`);
    bytes = report.bytesOut;
  }
  bar.clear();
  printLine(`${oneLine(output)}: ${formatBytes(bytes)}`);
  return 0;
}
