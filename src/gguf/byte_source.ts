import { GgufError } from "./error.ts";

/** Bytes at absolute positions: a file, or memory in tests. */
export interface ByteSource {
  /** Size in bytes when the source was opened. */
  readonly bytes: number;
  /** Fills all of `target` from absolute position `offset`; throws {@linkcode GgufError} when the source ends before. */
  readAt(offset: number, target: Uint8Array): void;
  close(): void;
}

/**
 * A regular file, read with seek and read and never mapped: a file that shrinks later is an error here and not a
 * signal that ends the process.
 */
export class FileSource implements ByteSource {
  readonly bytes: number;
  #file: Deno.FsFile | null;

  private constructor(file: Deno.FsFile, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
  }

  /** Opens `path` for reading. Throws {@linkcode GgufError} when it is missing, unreadable, or not a regular file. */
  static async open(path: string): Promise<FileSource> {
    // Looked at before opening, because opening a FIFO waits for a writer; looked at again after, because the name
    // may point elsewhere by then.
    assertRegular(await attempt(() => Deno.stat(path)));
    const file = await attempt(() => Deno.open(path, { read: true }));
    try {
      const info = await file.stat();
      assertRegular(info);
      return new FileSource(file, info.size);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  readAt(offset: number, target: Uint8Array): void {
    if (this.#file === null) throw new GgufError("the file is closed");
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    let done = 0;
    while (done < target.length) {
      const count = this.#file.readSync(done === 0 ? target : target.subarray(done));
      if (count === null || count === 0) {
        throw new GgufError(
          `the file ended at byte ${offset + done} where ${target.length - done} more were expected: ` +
            `it was ${this.bytes} bytes long when it was opened and is shorter now`,
        );
      }
      done += count;
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }
}

/** Bytes in memory. `bytes` may be larger than `data`; the rest then reads as zeros, as a sparse file does. */
export class MemorySource implements ByteSource {
  readonly bytes: number;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array, bytes: number = data.length) {
    this.#data = data;
    this.bytes = bytes;
  }

  readAt(offset: number, target: Uint8Array): void {
    if (offset + target.length > this.bytes) throw new GgufError(`the file ended at byte ${this.bytes}`);
    const part = this.#data.subarray(Math.min(offset, this.#data.length), offset + target.length);
    target.set(part);
    target.fill(0, part.length);
  }

  close(): void {}
}

function assertRegular(info: Deno.FileInfo): void {
  if (info.isFile) return;
  const kind = info.isDirectory
    ? "a directory"
    : info.isFifo
    ? "a FIFO"
    : info.isSocket
    ? "a socket"
    : info.isCharDevice || info.isBlockDevice
    ? "a device"
    : "something else";
  throw new GgufError(`a model must be a regular file, and this is ${kind}`);
}

async function attempt<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw new GgufError("there is no such file", { cause });
    throw new GgufError(`cannot open it: ${(cause as Error).message}`, { cause });
  }
}
