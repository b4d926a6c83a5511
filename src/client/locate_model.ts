import { partPaths } from "../gguf/split.ts";
import {
  downloadModel,
  downloadNamed,
  type DownloadOptions,
  downloadRepository,
  HubError,
  isHubReference,
  isHubRepository,
  NAMED_MODELS,
  namedModel,
} from "../hub/mod.ts";
import { demoModelFile } from "../ffi/native_files.ts";
import { nodeUrl } from "../process/node.ts";
import { nearest } from "../protocol/arguments.ts";
import { weightFiles } from "../safetensors/folder.ts";

export interface LocateOptions {
  signal?: AbortSignal;
  /** Called while a file is downloaded. */
  progress?: (doneBytes: number, totalBytes: number) => void;
  /** Called before a download waits so many ms: for another attempt, or, with 0, for what the reason says. */
  onWait?: (reason: string, ms: number) => void;
}

/** A word that could be the name of a model, and is hardly meant as a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/**
 * The path of a model: a path or file URL as it is, "demo" for the bundled toy. These come from the cache, downloaded first when they are
 * not there: `hf:owner/repo/file.gguf` with the other parts of a split model, `hf:owner/repo` as a folder of safetensors, and the names of
 * the list, such as "smollm2". Throws HubError, TypeError for other URLs, CheckpointError, or the signal's reason.
 */
export async function locateModel(model: string | URL, options: LocateOptions = {}): Promise<string> {
  if (model === "demo") return demoModelFile();
  if (model instanceof URL) return pathOf(model);
  if (model.startsWith("file:")) return pathOf(new URL(model));
  const named = namedModel(model);
  if (named !== undefined) return await downloadNamed(named, downloadOptions(options));
  if (isHubRepository(model)) {
    return await downloadRepository(model, { ...downloadOptions(options), weightFiles });
  }
  if (isHubReference(model)) return await downloadParts(model, options);
  if (NAME.test(model)) checkThere(model);
  return model;
}

/**
 * Throws a HubError for a model that is to be a file or folder here, where there is none; what else may be wrong with it shows when it is
 * loaded. Throws a TypeError for other URLs.
 */
export function checkThere(model: string): void {
  if (model === "demo" || namedModel(model) !== undefined) return;
  if (isHubRepository(model) || isHubReference(model)) return;
  const path = model.startsWith("file:") ? pathOf(new URL(model)) : model;
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw notThere(model);
  }
}

function downloadOptions({ signal, progress, onWait }: LocateOptions): DownloadOptions {
  return { signal, onWait, onProgress: ({ bytes, totalBytes = bytes }) => progress?.(bytes, totalBytes) };
}

function notThere(model: string): HubError {
  if (!NAME.test(model)) return new HubError("reference", `there is no file ${model}`);
  const names = ["demo", ...NAMED_MODELS.map(({ name }) => name)];
  const near = nearest(model, names);
  const advice = near === undefined ? `known names are ${names.join(", ")}` : `did you mean ${near}?`;
  return new HubError(
    "reference",
    `there is no file and no known model ${JSON.stringify(model)}; ${advice}`,
  );
}

/** Downloads the file, or all those that a split model lies in. Gives the path of the one that was named. */
async function downloadParts(model: string, { signal, progress, onWait }: LocateOptions): Promise<string> {
  const parts = partPaths(model);
  let doneBytes = 0;
  let path = "";
  for (const [index, part] of parts.entries()) {
    let last = 0;
    const file = await downloadModel(part, {
      signal,
      onWait,
      onProgress: ({ bytes, totalBytes = bytes }) => {
        last = totalBytes;
        // Parts are of about one size; how large the next ones are nobody knows yet.
        progress?.(doneBytes + bytes, doneBytes + totalBytes * (parts.length - index));
      },
    });
    doneBytes += last;
    if (part === model) path = file;
  }
  return path;
}

function pathOf(url: URL): string {
  if (url.protocol === "file:") return nodeUrl().fileURLToPath(url);
  throw new TypeError(
    `A model must be a local file, hf:owner/repo/file.gguf or a known name, current value is ${url.href}`,
  );
}
