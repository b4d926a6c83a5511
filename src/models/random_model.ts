import { withEntries } from "../gguf/entries.ts";
import { randomRows, RandomWords } from "../gguf/random_blocks.ts";
import { randomVocab } from "../gguf/random_vocab.ts";
import { parseWeightFormat } from "../gguf/storage_format.ts";
import { tensorBytes, tensorType } from "../gguf/tensor_types.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { GgufWriter } from "../gguf/writer.ts";
import type { ModelFamily } from "./family.ts";
import { type RandomTensor, shapeEntries, shapeTensors } from "./random_shapes.ts";
import { type ModelShape, modelShape } from "./shapes.ts";

/** What {@linkcode writeRandomModel} makes. */
export interface RandomModelOptions {
  /** One of {@linkcode shapeNames}, or a shape of one's own. */
  shape: string | ModelShape;
  /** Whose tensors the model has, in place of the shape's family. */
  family?: ModelFamily;
  /** One of the format names; every matrix is in it, the embedding and the output too. */
  format: string;
  /** The same seed gives the same file. Default 1. */
  seed?: number;
  /** Metadata in place of entries with the same keys, or beside them. */
  entries?: readonly MetadataEntry[];
  signal?: AbortSignal;
  progress?: (bytesDone: number, bytesTotal: number) => void;
}

// A multiple of every block size would be large: chunks are whole blocks nearest to this.
const CHUNK_BYTES = 4 << 20;

/**
 * Writes a model with random weights at `path`: valid for every GGUF reader, useless for text, right for timing and for
 * comparing engines. A 1B model in Q4_K takes a few seconds and little memory.
 *
 * Returns the file's size in bytes. Throws GgufError for an unknown shape or format.
 */
export async function writeRandomModel(path: string, options: RandomModelOptions): Promise<number> {
  const { seed = 1, signal, progress } = options;
  const format = parseWeightFormat(options.format);
  const shape = typeof options.shape === "string" ? modelShape(options.shape) : options.shape;
  const name = typeof options.shape === "string" ? options.shape : shape.family;
  const tensors = shapeTensors(shape, format, options.family);
  const own = [...shapeEntries(name, shape, format), ...randomVocab(shape.family, shape.vocab)];
  const entries = withEntries(own, options.entries ?? []);
  await using writer = await GgufWriter.create(path, { entries, tensors });
  let done = 0;
  for (const [index, tensor] of tensors.entries()) {
    for (const chunk of tensorChunks(tensor, new RandomWords(seed, index))) {
      signal?.throwIfAborted();
      await writer.write(chunk);
      done += chunk.length;
      progress?.(done, writer.fileBytes);
    }
  }
  await writer.finish();
  return writer.fileBytes;
}

/** The tensor's data. The chunks share one buffer: use each before asking for the next. */
function* tensorChunks(tensor: RandomTensor, random: RandomWords): Generator<Uint8Array> {
  const { type, dims, sigma, mean, values } = tensor;
  if (values !== undefined) {
    yield new Uint8Array(values.buffer);
    return;
  }
  const rows = randomRows(type, sigma, mean);
  const { blockBytes } = tensorType(type);
  const bytes = tensorBytes(tensorType(type), dims);
  const buffer = new Uint8Array(Math.min(bytes, Math.floor(CHUNK_BYTES / blockBytes) * blockBytes));
  for (let done = 0; done < bytes; done += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, bytes - done));
    rows.fill(chunk, random);
    yield chunk;
  }
}
