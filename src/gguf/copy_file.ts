import type { GgufFile } from "./reader.ts";
import { GgufWriter } from "./writer.ts";

const CHUNK_BYTES = 4 << 20;

/** Options of {@linkcode copyModel}. */
export interface CopyOptions {
  signal?: AbortSignal;
  /** Called after each chunk. */
  progress?: (bytesDone: number, bytesTotal: number) => void;
}

/** Writes a model as one GGUF file, tensor by tensor as it is: parts are joined. Gives the file's size in bytes. */
export async function copyModel(
  file: GgufFile,
  output: string,
  { signal, progress }: CopyOptions = {},
): Promise<number> {
  const tensors = [...file.tensors.values()];
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  function* chunksOf(name: string, bytes: number): Generator<Uint8Array> {
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes - at));
      file.readInto(name, at, chunk);
      yield chunk;
      progress?.(done += chunk.length, total);
    }
  }
  await using writer = await GgufWriter.create(output, { entries: file.entries, tensors });
  for (const { name, bytes } of tensors) await writer.writeTensor(name, chunksOf(name, bytes));
  await writer.finish();
  return writer.fileBytes;
}
