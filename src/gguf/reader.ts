import { createHash } from "node:crypto";
import { type ByteSource, FileSource } from "./byte_source.ts";
import { GgufError, quote } from "./error.ts";
import { type GgufHeader, headerSteps, type TensorInfo } from "./header.ts";
import { MetadataReader } from "./metadata.ts";
import type { MetadataEntry, MetadataValue } from "./value_types.ts";

export { GgufError } from "./error.ts";
export type { TensorInfo } from "./header.ts";
export type { MetadataArray, MetadataEntry, MetadataValue } from "./value_types.ts";

/** Options of {@linkcode openGguf}. */
export interface OpenGgufOptions {
  /** Stops reading the header; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called now and then with the bytes of the header read so far, and the file's size. */
  progress?: (headerBytes: number, fileBytes: number) => void;
}

// How long the header may be parsed before other tasks get a turn.
const TURN_MS = 10;

const HEADER_READ_BYTES = 1 << 20;
const SAMPLES = 64;
const SAMPLE_BYTES = 4096;

/**
 * A checked GGUF file that stays open for reading tensors.
 *
 * Reads are synchronous, so that a worker can load weights without a promise for each row. The object belongs to the
 * isolate that made it.
 */
export class GgufFile implements Disposable {
  readonly path: string;
  readonly version: 2 | 3;
  /** Alignment of tensor data in bytes. */
  readonly alignment: number;
  /** Size of the file in bytes when it was opened. */
  readonly fileBytes: number;
  /** Position of the tensor data in bytes. */
  readonly dataOffset: number;
  /** Metadata in the file's order, with the types that the file gives. */
  readonly entries: readonly MetadataEntry[];
  /** Metadata values by key. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Typed access to the metadata. */
  readonly get: MetadataReader;
  /** Tensors by name, in the file's order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #source: ByteSource;

  constructor(path: string, source: ByteSource, header: GgufHeader) {
    this.path = path;
    this.version = header.version;
    this.alignment = header.alignment;
    this.fileBytes = source.bytes;
    this.dataOffset = header.dataOffset;
    this.entries = header.entries;
    this.metadata = new Map(header.entries.map(({ key, value }) => [key, value]));
    this.get = new MetadataReader(this.metadata);
    this.tensors = header.tensors;
    this.#source = source;
  }

  /** The tensor of this name; throws {@linkcode GgufError} when there is none. */
  tensor(name: string): TensorInfo {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new GgufError(`${this.path}: there is no tensor ${quote(name)}`);
    return tensor;
  }

  /**
   * Fills `target` with the tensor's bytes from `byteOffset` on.
   *
   * Throws RangeError when the range is not inside the tensor, and {@linkcode GgufError} when there is no such tensor,
   * the file is closed, or it has become shorter since it was opened.
   */
  readInto(name: string, byteOffset: number, target: Uint8Array): void {
    const tensor = this.tensor(name);
    if (!Number.isSafeInteger(byteOffset) || byteOffset < 0 || byteOffset + target.length > tensor.bytes) {
      throw new RangeError(
        `readInto() of ${target.length} bytes at ${byteOffset} is outside the tensor ${
          quote(name)
        } of ${tensor.bytes} bytes`,
      );
    }
    withPath(this.path, () => this.#source.readAt(tensor.offset + byteOffset, target));
  }

  /**
   * SHA-256 in hex that tells files apart without reading all of them: of the size, the header, and 64 samples of 4 KiB spread
   * over the tensors' data. Throws {@linkcode GgufError} when the file is closed or has become shorter.
   */
  digest(): string {
    const hash = createHash("sha256").update(`${this.fileBytes}\n`);
    const read = (at: number, length: number) => {
      const bytes = new Uint8Array(length);
      withPath(this.path, () => this.#source.readAt(at, bytes));
      hash.update(bytes);
    };
    for (let at = 0; at < this.dataOffset; at += HEADER_READ_BYTES) {
      read(at, Math.min(HEADER_READ_BYTES, this.dataOffset - at));
    }
    const data = this.fileBytes - this.dataOffset;
    const length = Math.min(SAMPLE_BYTES, data);
    for (let i = 0; i < SAMPLES; i++) {
      read(this.dataOffset + Math.floor((data - length) * i / (SAMPLES - 1)), length);
    }
    return hash.digest("hex");
  }

  /** Closes the file. Reading tensors is an error after it; metadata stays. */
  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a GGUF file (version 2 or 3, little-endian) and reads its header.
 *
 * ```ts ignore
 * using file = await openGguf("model.gguf");
 * const layers = file.get.u32("llama.block_count", { min: 1 });
 * ```
 *
 * Throws {@linkcode GgufError} with a sentence that names the file and what is wrong with it, whatever its bytes are:
 * nothing is allocated before the file is known to hold it, and never more than 64 MB.
 */
export async function openGguf(path: string, options: OpenGgufOptions = {}): Promise<GgufFile> {
  options.signal?.throwIfAborted();
  let source: FileSource | null = null;
  try {
    source = await FileSource.open(path);
    const header = await parseInTurns(source, options);
    return new GgufFile(path, source, header);
  } catch (error) {
    source?.close();
    throw located(path, error);
  }
}

async function parseInTurns(source: ByteSource, { signal, progress }: OpenGgufOptions): Promise<GgufHeader> {
  const steps = headerSteps(source);
  let turnStart = performance.now();
  while (true) {
    const step = steps.next();
    if (step.done) {
      progress?.(step.value.dataOffset, source.bytes);
      return step.value;
    }
    if (performance.now() - turnStart < TURN_MS) continue;
    progress?.(step.value, source.bytes);
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    turnStart = performance.now();
  }
}

function located(path: string, error: unknown): unknown {
  return error instanceof GgufError
    ? new GgufError(`${path}: ${error.message}`, { cause: error.cause })
    : error;
}

function withPath<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw located(path, error);
  }
}
