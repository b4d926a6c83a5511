/**
 * Reads one file out of a zip archive, as Python's wheels are. No name in an archive is ever used as a path. Format: PKWARE's APPNOTE;
 * without encryption and zip64, which no wheel below 4 GB needs.
 * @module
 */

import { HubError } from "./error.ts";

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  /** Where its local header begins. */
  readonly offset: number;
}

const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const COMMENT_BYTES_MAX = 0xffff;
const ENTRY_BYTES = 46;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const DIRECTORY_BYTES_MAX = 16 << 20;
const CHUNK_BYTES = 1 << 18;
const ENCRYPTED = 1;

/** An archive that is open. */
export class ZipFile implements Disposable {
  private constructor(readonly path: string, readonly file: Deno.FsFile, readonly bytes: number) {}

  /** Opens an archive. */
  static async open(path: string): Promise<ZipFile> {
    const file = await Deno.open(path);
    return new ZipFile(path, file, (await file.stat()).size);
  }

  /** All files in it. Throws HubError where it is damaged. */
  async entries(): Promise<ZipEntry[]> {
    const tailBytes = Math.min(this.bytes, END_BYTES + COMMENT_BYTES_MAX);
    const tailOffset = this.bytes - tailBytes;
    const tail = await this.#read(tailOffset, tailBytes);
    let end = tailBytes - END_BYTES;
    while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end--;
    if (end < 0) throw this.#damaged("it has no directory");
    const count = tail.getUint16(end + 10, true);
    const size = tail.getUint32(end + 12, true);
    const offset = tail.getUint32(end + 16, true);
    if (size > DIRECTORY_BYTES_MAX || offset + size > tailOffset + end) {
      throw this.#damaged(`a directory of ${size} bytes at ${offset} does not fit`);
    }
    return this.#directory(await this.#read(offset, size), count);
  }

  #directory(view: DataView, count: number): ZipEntry[] {
    const entries: ZipEntry[] = [];
    for (let at = 0; entries.length < count;) {
      if (at + ENTRY_BYTES > view.byteLength || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
        throw this.#damaged(`entry ${entries.length} of its directory is none`);
      }
      const nameBytes = view.getUint16(at + 28, true);
      const next = at + ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) +
        view.getUint16(at + 32, true);
      if (next > view.byteLength) throw this.#damaged(`entry ${entries.length} of its directory is cut off`);
      const isEncrypted = (view.getUint16(at + 8, true) & ENCRYPTED) !== 0;
      entries.push({
        name: new TextDecoder().decode(
          new Uint8Array(view.buffer, view.byteOffset + at + ENTRY_BYTES, nameBytes),
        ),
        method: isEncrypted ? -1 : view.getUint16(at + 10, true),
        compressedBytes: view.getUint32(at + 20, true),
        bytes: view.getUint32(at + 24, true),
        offset: view.getUint32(at + 42, true),
      });
      at = next;
    }
    return entries;
  }

  /**
   * The content of a file, in order. Throws HubError where it is damaged, or longer or shorter than the directory says: nothing beyond that
   * is handed out.
   */
  async *content(entry: ZipEntry): AsyncGenerator<Uint8Array> {
    const { name, method, compressedBytes, bytes } = entry;
    if (method !== 0 && method !== 8) {
      throw this.#damaged(`${JSON.stringify(name)} is packed in an unknown way`);
    }
    const head = await this.#read(entry.offset, LOCAL_BYTES);
    if (head.getUint32(0, true) !== LOCAL_SIGNATURE) {
      throw this.#damaged(`${JSON.stringify(name)} is not where it should be`);
    }
    const start = entry.offset + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = ReadableStream.from(this.#chunks(start, compressedBytes));
    const stream = method === 0 ? packed : packed.pipeThrough(new DecompressionStream("deflate-raw"));
    let done = 0;
    try {
      for await (const chunk of stream) {
        done += chunk.length;
        if (done > bytes) break;
        yield chunk;
      }
    } catch (error) {
      // A stream tells of damaged data with a TypeError.
      if (error instanceof TypeError) throw this.#damaged(`${JSON.stringify(name)} cannot be unpacked`);
      throw error;
    }
    if (done !== bytes) {
      throw this.#damaged(`${JSON.stringify(name)} has not the ${bytes} bytes that it should have`);
    }
  }

  async *#chunks(offset: number, bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let done = 0; done < bytes;) {
      const view = await this.#read(offset + done, Math.min(CHUNK_BYTES, bytes - done));
      done += view.byteLength;
      yield new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    }
  }

  async #read(offset: number, bytes: number): Promise<DataView<ArrayBuffer>> {
    if (offset < 0 || offset + bytes > this.bytes) {
      throw this.#damaged(`${bytes} bytes at ${offset} lie beyond its end`);
    }
    const buffer = new Uint8Array(bytes);
    await this.file.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes;) {
      const n = await this.file.read(buffer.subarray(done));
      if (n === null) throw this.#damaged("it ended while it was read");
      done += n;
    }
    return new DataView(buffer.buffer);
  }

  #damaged(why: string): HubError {
    return new HubError("mismatch", `${this.path} is a damaged zip file: ${why}`);
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}
