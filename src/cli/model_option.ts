/** Models named on the command line. @module */

import { STUCK_EXIT_CODE } from "../protocol/errors.ts";
import { loadModel, type Model } from "../client/model.ts";
import type { LoadOptions } from "../protocol/options/load.ts";
import { checkThere, locateModel } from "../client/locate_model.ts";
import { type Arguments, UsageError } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { ProgressLine } from "./progress.ts";
import { formatDuration } from "./units.ts";
import { loadOptions, readLoadOptions } from "./sampling_options.ts";
import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";

/**
 * The path of a model given as a path, `hf:…`, a name of the list or "demo"; downloads with a progress bar.
 */
export async function resolveModelFile(spec: string): Promise<string> {
  using interrupt = interruptible();
  using bar = new ProgressLine("downloading");
  return await locateModel(spec, {
    signal: interrupt.signal,
    progress: (done, total) => bar.update(done, total),
    onWait: (reason, ms) => noteWait(reason, ms, bar),
  });
}

/** Throws a UsageError where `--model` is to be a file here that is not there, or an option of loading is wrong. */
export function checkModelOptions(args: Arguments): void {
  readLoadOptions(args);
  try {
    checkThere(args.values.get("model")!);
  } catch (error) {
    throw new UsageError(`--model: ${(error as Error).message}`);
  }
}

/** Loads the model of `--model` with a progress bar; Ctrl-C stops it. `more`: what the command itself wants. */
export async function loadModelWithProgress(args: Arguments, more: LoadOptions = {}): Promise<Model> {
  using interrupt = interruptible();
  using downloading = new ProgressLine("downloading");
  using loading = new ProgressLine("loading");
  const lines = { download: downloading, load: loading };
  const model = await loadModel(args.values.get("model")!, {
    ...loadOptions(args),
    ...more,
    isa: Deno.env.get("KUMI_ISA"),
    signal: interrupt.signal,
    onStuck: exitStuck,
    onWait: (reason, ms) => noteWait(reason, ms, downloading),
    progress: ({ phase, doneBytes, totalBytes }) => lines[phase].update(doneBytes, totalBytes),
  });
  loading.clear();
  for (const note of model.info.notes) printNote(`kumi: ${note}`);
  return model;
}

/** Says on stderr what a download waits for. */
export function noteWait(reason: string, ms: number, bar?: ProgressLine): void {
  bar?.clear();
  const again = ms > 0 ? `; trying again in ${formatDuration(ms)}, Ctrl-C ends` : "";
  printNote(`kumi: ${oneLine(reason)}${again}`);
}

/** A thread in native code cannot be stopped and would keep the program from ending. */
function exitStuck(reason: string): never {
  printNote(`kumi: the engine is stuck: ${oneLine(reason)}`);
  Deno.exit(STUCK_EXIT_CODE);
}
