import { type GgufFile, openGguf, type OpenGgufOptions } from "../gguf/reader.ts";
import { later } from "../process/later.ts";
import { isCheckpoint } from "./folder.ts";

/** Some twenty modules that nobody needs for a GGUF file. */
const checkpoints = later<(path: string) => Promise<GgufFile>>()<typeof import("./mod.ts")>(
  new URL("./mod.ts", import.meta.url),
  "openCheckpoint",
);

/**
 * Opens a model: a GGUF file, or a folder of safetensors. Throws GgufError or CheckpointError that names the
 * file and what is wrong.
 */
export async function openModel(path: string, options: OpenGgufOptions = {}): Promise<GgufFile> {
  options.signal?.throwIfAborted();
  return await isCheckpoint(path) ? await (await checkpoints())(path) : await openGguf(path, options);
}
