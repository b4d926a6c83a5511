import { type EncodedHeader, encodeHeader, type PlacedTensor, type TensorSpec } from "./encode.ts";
import { GgufError, quote } from "./error.ts";
import type { MetadataEntry } from "./value_types.ts";

export type { TensorSpec } from "./encode.ts";

/** What a new file holds. Tensor data follows through {@linkcode GgufWriter.write}. */
export interface GgufContents {
  readonly entries: readonly MetadataEntry[];
  /** In the order in which their data will be written. */
  readonly tensors: readonly TensorSpec[];
}

/**
 * Writes a GGUF version 3 file, tensor after tensor in chunks, so that a file larger than memory can be made.
 *
 * The data goes to a temporary file beside the target, which takes the target's name in {@linkcode GgufWriter.finish};
 * a writer that is disposed before leaves nothing behind.
 *
 * ```ts ignore
 * await using writer = await GgufWriter.create("out.gguf", { entries, tensors });
 * for (const { name } of tensors) await writer.writeTensor(name, chunks(name));
 * await writer.finish();
 * ```
 */
export class GgufWriter implements AsyncDisposable {
  readonly path: string;
  /** Size of the finished file in bytes. */
  readonly fileBytes: number;
  readonly #temporaryPath: string;
  readonly #file: Deno.FsFile;
  readonly #header: EncodedHeader;
  /** Index of the tensor whose data comes next, and how many of its bytes were written. */
  #tensorIndex = 0;
  #tensorBytes = 0;
  #open = true;

  private constructor(path: string, temporaryPath: string, file: Deno.FsFile, header: EncodedHeader) {
    this.path = path;
    this.fileBytes = header.fileBytes;
    this.#temporaryPath = temporaryPath;
    this.#file = file;
    this.#header = header;
  }

  /** Creates the temporary file and writes the header. Throws {@linkcode GgufError} for contents that GGUF cannot hold, and where the disk is full. */
  static async create(path: string, { entries, tensors }: GgufContents): Promise<GgufWriter> {
    const header = encodeHeader(entries, tensors);
    const temporaryPath = `${path}.${crypto.randomUUID().slice(0, 8)}.partial`;
    const file = await Deno.open(temporaryPath, { write: true, createNew: true });
    const writer = new GgufWriter(path, temporaryPath, file, header);
    try {
      await writer.#put(header.bytes);
      return writer;
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The next tensor's data, whole. `chunks` may be of any size. */
  async writeTensor(name: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const next = this.#next(0);
    if (next.name !== name) throw new GgufError(`the next tensor is ${quote(next.name)}, not ${quote(name)}`);
    const index = this.#tensorIndex;
    for await (const chunk of chunks) {
      if (this.#tensorIndex !== index) throw new GgufError(`more data than tensor ${quote(name)} holds`);
      await this.write(chunk);
    }
    if (this.#tensorIndex === index) {
      throw new GgufError(
        `tensor ${quote(name)} needs ${next.bytes} bytes, and ${this.#tensorBytes} were written`,
      );
    }
  }

  /** The next bytes of tensor data, in the order of the tensors; one call must not cross from one tensor to the next. */
  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    const tensor = this.#next(chunk.length);
    await this.#put(chunk);
    this.#tensorBytes += chunk.length;
    if (this.#tensorBytes < tensor.bytes) return;
    const { tensors, fileBytes } = this.#header;
    const end = tensors[this.#tensorIndex + 1]?.offset ?? fileBytes;
    await this.#put(new Uint8Array(end - tensor.offset - tensor.bytes));
    this.#tensorIndex += 1;
    this.#tensorBytes = 0;
  }

  /** Makes the data durable and gives the file its name. Throws {@linkcode GgufError} when tensor data is missing. */
  async finish(): Promise<void> {
    this.#assertOpen();
    const missing = this.#header.tensors[this.#tensorIndex];
    if (missing !== undefined) throw new GgufError(`data of tensor ${quote(missing.name)} is missing`);
    await this.#file.sync();
    this.#close();
    await Deno.rename(this.#temporaryPath, this.path);
  }

  /** Removes the temporary file unless {@linkcode GgufWriter.finish} was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#close();
    await Deno.remove(this.#temporaryPath);
  }

  /** The system's message of a failed write names no file. */
  async #put(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
    } catch (cause) {
      throw new GgufError(`${this.path} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }

  #next(bytes: number): PlacedTensor {
    this.#assertOpen();
    const tensor = this.#header.tensors[this.#tensorIndex];
    if (tensor === undefined) throw new GgufError("all tensors are written");
    if (this.#tensorBytes + bytes > tensor.bytes) {
      throw new GgufError(`more data than tensor ${quote(tensor.name)} holds: ${tensor.bytes} bytes`);
    }
    return tensor;
  }

  #assertOpen(): void {
    if (!this.#open) throw new GgufError("the writer is closed");
  }

  #close(): void {
    this.#open = false;
    this.#file.close();
  }
}
