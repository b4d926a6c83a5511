import { type GgufFile, openGguf, type OpenGgufOptions } from "../gguf/reader.ts";
import { isCheckpoint } from "./folder.ts";
import { openCheckpoint } from "./mod.ts";

/**
 * Opens a model: a GGUF file, or a folder of safetensors. Throws GgufError or CheckpointError that names the
 * file and what is wrong.
 */
export async function openModel(path: string, options: OpenGgufOptions = {}): Promise<GgufFile> {
  options.signal?.throwIfAborted();
  return await isCheckpoint(path) ? await openCheckpoint(path) : await openGguf(path, options);
}
