import { fileURLToPath } from "node:url";
import { partPaths } from "../gguf/split.ts";
import { downloadModel, isHubReference } from "../hub/mod.ts";
import { demoModelFile } from "../ffi/native_files.ts";

export interface LocateOptions {
  signal?: AbortSignal;
  /** Called while a file is downloaded. */
  progress?: (doneBytes: number, totalBytes: number) => void;
  /** Called before a download waits so many ms: for another attempt, or, with 0, for another process. */
  onWait?: (reason: string, ms: number) => void;
}

/**
 * The path of a model file: a path or file URL as it is, "demo" for the bundled toy, `hf:owner/repo/file.gguf` from the
 * cache, downloaded first when it is not there, with the other parts of a split model. Throws HubError, TypeError for other URLs,
 * or the signal's reason.
 */
export async function locateModel(model: string | URL, options: LocateOptions = {}): Promise<string> {
  const { signal, progress, onWait } = options;
  if (model === "demo") return demoModelFile();
  if (model instanceof URL) return pathOf(model);
  if (model.startsWith("file:")) return pathOf(new URL(model));
  if (!isHubReference(model)) return model;
  return await downloadParts(model, { signal, progress, onWait });
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
  if (url.protocol === "file:") return fileURLToPath(url);
  throw new TypeError(
    `A model must be a local file or hf:owner/repo/file.gguf, current value is ${url.href}`,
  );
}
