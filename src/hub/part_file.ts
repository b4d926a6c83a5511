/**
 * An unfinished download: `file.part` holds the first bytes, `file.part.json` what they are a part of.
 * @module
 */

import type { Hash } from "node:crypto";
import { nodeCrypto } from "../process/node.ts";
import { HubError } from "./error.ts";
import type { FileIdentity } from "./http.ts";

/** What `file.part.json` holds. */
export interface PartNote extends FileIdentity {
  /** Strong ETag to resume with. */
  readonly etag?: string;
}

/** Turns a failed write into a HubError that says what to do. */
export function diskError(error: unknown, path: string): unknown {
  const code = (error as { code?: string }).code;
  const full = code === "ENOSPC" || code === "EDQUOT" || /no space left|quota exceeded/i.test(String(error));
  if (full) {
    const advice =
      "free some space, or set KUMI_CACHE to a folder on another disk, and repeat: the download resumes";
    return new HubError("disk", `the disk is full while writing ${path}: ${advice}`, { cause: error });
  }
  if (error instanceof Deno.errors.PermissionDenied || code === "EROFS") {
    return new HubError("disk", `cannot write ${path}: set KUMI_CACHE to a folder that can be written`, {
      cause: error,
    });
  }
  return error;
}

/** An open part file with a running SHA-256 over all its bytes. */
export class PartFile implements Disposable {
  readonly #file: Deno.FsFile;
  #hash: Hash = nodeCrypto().createHash("sha256");
  #bytes = 0;

  private constructor(readonly path: string, file: Deno.FsFile) {
    this.#file = file;
  }

  /** Opens or creates the part file, keeps nothing of it yet. */
  static async open(path: string): Promise<PartFile> {
    try {
      return new PartFile(path, await Deno.open(path, { create: true, read: true, write: true }));
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /** Bytes kept so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes over the bytes that an earlier download left, hashing them. */
  async adopt(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<void> {
    await this.restart(false);
    const buffer = new Uint8Array(1 << 20);
    for (let n = await this.#file.read(buffer); n !== null; n = await this.#file.read(buffer)) {
      signal.throwIfAborted();
      this.#hash.update(buffer.subarray(0, n));
      this.#bytes += n;
      onBytes(this.#bytes);
    }
  }

  /** Begins again at byte 0. */
  async restart(truncate = true): Promise<void> {
    if (truncate) await this.#file.truncate(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
    this.#hash = nodeCrypto().createHash("sha256");
    this.#bytes = 0;
  }

  /** Appends. Throws HubError when the disk is full. */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.length;) done += await this.#file.write(chunk.subarray(done));
    } catch (error) {
      throw diskError(error, this.path);
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** SHA-256 of all bytes as hex. */
  sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** The name that git gives a file of these bytes: SHA-1 over a head with their count, and them. */
  async blobId(): Promise<string> {
    const hash = nodeCrypto().createHash("sha1").update(`blob ${this.#bytes}\0`);
    const buffer = new Uint8Array(1 << 20);
    await this.#file.seek(0, Deno.SeekMode.Start);
    for (let n = await this.#file.read(buffer); n !== null; n = await this.#file.read(buffer)) {
      hash.update(buffer.subarray(0, n));
    }
    return hash.digest("hex");
  }

  /** Makes the bytes survive a power failure. */
  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw diskError(error, this.path);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Reads the note of an earlier download; null where there is none or it is damaged. */
export async function readNote(path: string): Promise<PartNote | null> {
  try {
    const note = JSON.parse(await Deno.readTextFile(`${path}.json`));
    return typeof note === "object" && note !== null ? note : null;
  } catch {
    return null;
  }
}

/** Writes the note. */
export async function writeNote(path: string, note: PartNote): Promise<void> {
  try {
    await Deno.writeTextFile(`${path}.json`, JSON.stringify(note) + "\n");
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Removes a part file and its note, where they exist. */
export async function removePart(path: string): Promise<void> {
  for (const name of [`${path}.json`, path]) {
    try {
      await Deno.remove(name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
