import { type ByteSource, FileSource } from "./byte_source.ts";
import { GgufError, quote } from "./error.ts";
import { type GgufHeader, headerSteps, type TensorInfo } from "./header.ts";
import { MetadataReader } from "./metadata.ts";
import { MetadataMap } from "./metadata_map.ts";
import { otherParts, SPLIT_KEYS, type SplitPart, splitPart } from "./split.ts";
import type { MetadataEntry } from "./value_types.ts";

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

const SAMPLES = 64;
const SAMPLE_BYTES = 4096;

/** One file with its checked header. */
export interface GgufPart {
  readonly path: string;
  readonly source: ByteSource;
  readonly header: GgufHeader;
}

/**
 * A checked GGUF file that stays open for reading tensors, or the files of a split model as one.
 *
 * Reads are synchronous, so that a worker can load weights without a promise for each row. The object belongs to the
 * isolate that made it.
 */
export class GgufFile implements Disposable {
  /** Of the first part. */
  readonly path: string;
  readonly version: 2 | 3;
  /** Alignment of tensor data in bytes. */
  readonly alignment: number;
  /** Size in bytes when it was opened, of all parts together. */
  readonly fileBytes: number;
  /** Files that the model lies in. */
  readonly partCount: number;
  /** Metadata in the file's order, with the types that the file gives; of a split model without the keys that tell of it. */
  readonly entries: readonly MetadataEntry[];
  /** Metadata values by key. */
  readonly metadata: MetadataMap;
  /** Typed access to the metadata. */
  readonly get: MetadataReader;
  /** Tensors by name, in the file's order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #parts: readonly GgufPart[];
  /** Which part a tensor lies in. */
  readonly #partOf: ReadonlyMap<string, GgufPart>;
  #digest: Promise<string> | undefined;

  /** Of one file, or of all parts of a split model in order. Throws GgufError where they do not belong together. */
  constructor(...parts: readonly [GgufPart, ...GgufPart[]]) {
    const [{ path, header }] = parts;
    this.path = path;
    this.version = header.version;
    this.alignment = header.alignment;
    this.fileBytes = parts.reduce((sum, part) => sum + part.source.bytes, 0);
    this.partCount = parts.length;
    this.entries = parts.length === 1
      ? header.entries
      : header.entries.filter(({ key }) => !SPLIT_KEYS.has(key));
    this.metadata = new MetadataMap(this.entries, header.texts);
    this.get = new MetadataReader(this.metadata);
    this.#parts = parts;
    this.#partOf = placeTensors(parts);
    this.tensors = new Map(parts.flatMap((part) => [...part.header.tensors]));
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
    const { path, source } = this.#partOf.get(name)!;
    withPath(path, () => source.readAt(tensor.offset + byteOffset, target));
  }

  /**
   * SHA-256 in hex that tells files apart without reading all of them: of the size, the header, and 64 samples of 4 KiB spread
   * over the tensors' data; of all parts where there are several. Throws {@linkcode GgufError} when the file is closed or has become
   * shorter.
   */
  digest(): Promise<string> {
    return this.#digest ??= this.#makeDigest();
  }

  async #makeDigest(): Promise<string> {
    // Read before anything is waited for: the file may be closed meanwhile.
    const samples = this.#parts.map((part) => withPath(part.path, () => sampleOf(part)));
    const digests = await Promise.all(samples.map(sha256));
    return digests.length === 1 ? digests[0] : await sha256(new TextEncoder().encode(digests.join("\n")));
  }

  /** Closes the file. Reading tensors is an error after it; metadata stays. */
  close(): void {
    for (const { source } of this.#parts) source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What a part's digest is of. */
function sampleOf({ source, header: { dataOffset } }: GgufPart): Uint8Array<ArrayBuffer> {
  const size = new TextEncoder().encode(`${source.bytes}\n`);
  const data = source.bytes - dataOffset;
  const length = Math.min(SAMPLE_BYTES, data);
  const sample = new Uint8Array(size.length + dataOffset + SAMPLES * length);
  sample.set(size);
  source.readAt(0, sample.subarray(size.length, size.length + dataOffset));
  for (let i = 0, to = size.length + dataOffset; i < SAMPLES; i++, to += length) {
    const at = dataOffset + Math.floor((data - length) * i / (SAMPLES - 1));
    source.readAt(at, sample.subarray(to, to + length));
  }
  return sample;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Which part has each tensor. Throws GgufError where two have the same. */
function placeTensors(parts: readonly GgufPart[]): Map<string, GgufPart> {
  const places = new Map<string, GgufPart>();
  for (const part of parts) {
    for (const name of part.header.tensors.keys()) {
      const other = places.get(name);
      if (other !== undefined) {
        throw new GgufError(`${part.path}: the tensor ${quote(name)} is in ${other.path}, too`);
      }
      places.set(name, part);
    }
  }
  return places;
}

/**
 * Opens a GGUF file (version 2 or 3, little-endian) and reads its header. A part of a split model opens all of them: they lie beside
 * each other and are found by their names.
 *
 * ```ts ignore
 * using file = await openGguf("model.gguf");
 * const layers = file.get.u32("llama.block_count", { min: 1 });
 * ```
 *
 * Throws {@linkcode GgufError} with a sentence that names the file and what is wrong with it, whatever its bytes are:
 * nothing is allocated before the file is known to hold it, and never more than 64 MB for each part.
 */
export async function openGguf(path: string, options: OpenGgufOptions = {}): Promise<GgufFile> {
  const opened: GgufPart[] = [];
  try {
    const part = await openPart(path, options);
    opened.push(part);
    const own = withPath(path, () => splitPart(readerOf(part)));
    if (own === null) return new GgufFile(part);
    const parts: GgufPart[] = [];
    for (const [index, each] of withPath(path, () => otherParts(path, own)).entries()) {
      const other = index === own.index ? part : await openOther(each, { index, count: own.count }, options);
      if (other !== part) opened.push(other);
      parts.push(other);
    }
    const [first, ...others] = parts;
    checkTensorCount(parts);
    return new GgufFile(first, ...others);
  } catch (error) {
    for (const { source } of opened) source.close();
    throw error;
  }
}

async function openPart(path: string, options: OpenGgufOptions): Promise<GgufPart> {
  options.signal?.throwIfAborted();
  let source: FileSource | null = null;
  try {
    source = await FileSource.open(path);
    return { path, source, header: await parseInTurns(source, options) };
  } catch (error) {
    source?.close();
    throw located(path, error);
  }
}

/** Opens a part whose place in the model is known. */
async function openOther(path: string, place: SplitPart, options: OpenGgufOptions): Promise<GgufPart> {
  const part = await openPart(path, options);
  try {
    const own = splitPart(readerOf(part));
    if (own?.index === place.index && own.count === place.count) return part;
    throw new GgufError(
      `this should be part ${place.index + 1} of ${place.count} of a split model, ` +
        (own === null ? "and it is a whole one" : `and it is part ${own.index + 1} of ${own.count}`),
    );
  } catch (error) {
    part.source.close();
    throw located(path, error);
  }
}

function readerOf({ header }: GgufPart): MetadataReader {
  return new MetadataReader(new MetadataMap(header.entries, header.texts));
}

/** The first part may say how many tensors all have. */
function checkTensorCount(parts: readonly GgufPart[]): void {
  const found = parts.reduce((sum, { header }) => sum + header.tensors.size, 0);
  const said = readerOf(parts[0]).u32("split.tensors.count", { fallback: found });
  if (said !== found) {
    throw new GgufError(
      `${parts[0].path}: split.tensors.count is ${said}, and the ${parts.length} parts have ${found} tensors`,
    );
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
    await new Promise<void>((resolve) => setImmediate(resolve)); // a timer would take 2 ms
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
