/** Random-weight models for benchmarks, written once and kept. @module */

import { openGguf } from "../../gguf/mod.ts";
import { writeRandomModel } from "../../models/random_model.ts";
import { cacheFolder } from "../../hub/cache.ts";
import { ProgressLine } from "../progress.ts";

/** The file of a shape and format in the cache folder; written on first use, with a progress bar. */
export async function randomModelFile(shape: string, format: string, signal?: AbortSignal): Promise<string> {
  const folder = `${cacheFolder()}/bench`;
  const path = `${folder}/${shape}-${format.toLowerCase()}.gguf`;
  if (await isUsable(path)) return path;
  await Deno.mkdir(folder, { recursive: true });
  using bar = new ProgressLine(`writing ${path}`);
  await writeRandomModel(path, { shape, format, signal, progress: (done, total) => bar.update(done, total) });
  return path;
}

async function isUsable(path: string): Promise<boolean> {
  try {
    using _file = await openGguf(path);
    return true;
  } catch {
    return false; // absent, or cut off by an earlier crash: written anew
  }
}
