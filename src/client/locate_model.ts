import { fileURLToPath } from "node:url";
import { checkWholeName } from "../gguf/split.ts";
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
 * cache, downloaded first when it is not there. Throws HubError, GgufError for a part of a split model, TypeError for other URLs,
 * or the signal's reason.
 */
export async function locateModel(model: string | URL, options: LocateOptions = {}): Promise<string> {
  const { signal, progress, onWait } = options;
  if (model === "demo") return demoModelFile();
  if (model instanceof URL) return pathOf(model);
  if (model.startsWith("file:")) return pathOf(new URL(model));
  if (!isHubReference(model)) return model;
  checkWholeName(model);
  return await downloadModel(model, {
    signal,
    onWait,
    onProgress: ({ bytes, totalBytes }) => progress?.(bytes, totalBytes ?? bytes),
  });
}

function pathOf(url: URL): string {
  if (url.protocol === "file:") return fileURLToPath(url);
  throw new TypeError(
    `A model must be a local file or hf:owner/repo/file.gguf, current value is ${url.href}`,
  );
}
