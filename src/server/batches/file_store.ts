/** Files of clients and of their answers, within bounds. @module */

import { ApiError } from "../api_error.ts";
import { type FilePurpose, nowSeconds, type StoredFile } from "./objects.ts";
import { ignoreMissing, newStoredId, Records, type TenantFolders } from "./records.ts";

/** What each key may keep. */
export interface StoreLimits {
  /** Bytes of its files, with those that are on their way and the answers that are being written. */
  readonly bytesMax: number;
  /** Its files, and as many batches. */
  readonly filesMax: number;
  /** For how long a file is kept, in s. */
  readonly ageMax: number;
}

const FILE_PREFIX = "file-";
const UPLOAD_PREFIX = "upload-";
const CONTENT = ".jsonl";
/** Files on their way at the same time. */
const UPLOADS_MAX = 8;
const FILE_MODE = 0o600;

/** What is said of a file. */
export interface AdoptOptions {
  readonly id?: string;
  readonly filename: string;
  readonly purpose: FilePurpose;
  /** For how long it is kept at most. */
  readonly ageSeconds?: number;
}

/** An id for a file that is not there yet. */
export function newFileId(): string {
  return newStoredId(FILE_PREFIX);
}

/** A file on its way. It is kept, or nothing of it is left. */
export interface Upload {
  /** Throws an ApiError where there is no room. */
  write(bytes: Uint8Array): Promise<void>;
  keep(about: AdoptOptions): Promise<StoredFile>;
  /** Nothing is left of it, unless it was kept. */
  drop(): Promise<void>;
}

/** The files of all keys. A key sees its own. */
export class FileStore {
  readonly limits: StoreLimits;
  readonly #folders: TenantFolders;
  readonly #records: Records<StoredFile>;
  /** Bytes that are no files yet, by tenant. */
  readonly #pending = new Map<string, number>();
  readonly #uploads = new Map<string, number>();

  /** Reads what there is; what earlier servers did not finish to receive is removed. */
  constructor(folders: TenantFolders, limits: StoreLimits) {
    this.#folders = folders;
    this.limits = limits;
    this.#records = new Records(folders, FILE_PREFIX);
    for (const tenant of folders.tenants()) {
      const names = new Set(folders.names(tenant));
      for (const name of names) {
        if (this.#isLeftOver(tenant, name)) Deno.removeSync(folders.path(tenant, name));
      }
      for (const { id } of this.#records.all(tenant)) {
        if (!names.has(id + CONTENT)) this.#records.forget(tenant, id);
      }
    }
  }

  /** Newest first. */
  all(tenant: string): StoredFile[] {
    return this.#records.all(tenant).filter(({ expires_at }) => expires_at > nowSeconds());
  }

  /** Throws an ApiError, 404. */
  find(tenant: string, id: string): StoredFile {
    const file = this.#records.get(tenant, id);
    if (file !== undefined && file.expires_at > nowSeconds()) return file;
    throw new ApiError(404, "There is no file of this id", { param: "file_id", code: "file_not_found" });
  }

  /** Where the content of a file lies. */
  pathOf(tenant: string, { id }: Pick<StoredFile, "id">): string {
    return this.#folders.path(tenant, id + CONTENT);
  }

  /** Files and bytes of all keys. */
  get figures(): { readonly files: number; readonly bytes: number } {
    const all = this.#records.tenants.map((tenant) => this.#records.all(tenant)).flat();
    const pending = this.#pending.values().reduce((sum, bytes) => sum + bytes, 0);
    return { files: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, pending) };
  }

  /** Bytes that a key may still keep. */
  room(tenant: string): number {
    const kept = this.#records.all(tenant).reduce((sum, { bytes }) => sum + bytes, 0);
    return this.limits.bytesMax - kept - (this.#pending.get(tenant) ?? 0);
  }

  /** Counts bytes that are no file yet; negative ones where they have become one, or are gone. */
  reserve(tenant: string, bytes: number): void {
    this.#pending.set(tenant, (this.#pending.get(tenant) ?? 0) + bytes);
  }

  /** Begins to receive a file. Throws an ApiError where there is no room for one. */
  async receive(tenant: string): Promise<Upload> {
    const { filesMax } = this.limits;
    const uploads = this.#uploads.get(tenant) ?? 0;
    if (this.#records.all(tenant).length + uploads >= filesMax) {
      throw noRoom(`There is room for ${filesMax} files: delete some`);
    }
    if (uploads >= UPLOADS_MAX) {
      throw new ApiError(429, `At most ${UPLOADS_MAX} files are received at the same time`, {
        code: "too_many_uploads",
      });
    }
    this.#uploads.set(tenant, uploads + 1);
    try {
      await this.#folders.make(tenant);
      const path = this.#folders.path(tenant, newStoredId(UPLOAD_PREFIX));
      const file = await Deno.open(path, { createNew: true, write: true, mode: FILE_MODE });
      return this.#upload(tenant, path, file);
    } catch (error) {
      this.#endUpload(tenant);
      throw diskError(error);
    }
  }

  #endUpload(tenant: string): void {
    this.#uploads.set(tenant, this.#uploads.get(tenant)! - 1);
  }

  #upload(tenant: string, path: string, file: Deno.FsFile): Upload {
    let bytes = 0, isOpen = true;
    const close = () => {
      if (!isOpen) return false;
      isOpen = false;
      file.close();
      this.#endUpload(tenant);
      this.reserve(tenant, -bytes);
      return true;
    };
    return {
      write: async (part) => {
        if (!isOpen) throw new DOMException("The file was dropped", "AbortError");
        if (part.length > this.room(tenant)) {
          throw noRoom(`There is room for ${this.limits.bytesMax} bytes of files: delete some`);
        }
        bytes += part.length;
        this.reserve(tenant, part.length);
        try {
          for (let done = 0; done < part.length;) done += await file.write(part.subarray(done));
        } catch (error) {
          throw diskError(error);
        }
      },
      keep: async (about) => {
        await file.syncData();
        close();
        return await this.adopt(tenant, path, bytes, about);
      },
      drop: async () => {
        if (close()) await Deno.remove(path).catch(ignoreMissing);
      },
    };
  }

  /**
   * Makes a file of what lies at a path. May be called again with the same `id` after a server has died: the
   * content goes where it belongs last.
   */
  async adopt(
    tenant: string,
    path: string,
    bytes: number,
    { id = newFileId(), filename, purpose, ageSeconds = Infinity }: AdoptOptions,
  ): Promise<StoredFile> {
    const created = nowSeconds();
    const file: StoredFile = {
      id,
      object: "file",
      bytes,
      created_at: created,
      expires_at: created + Math.min(this.limits.ageMax, ageSeconds),
      filename,
      purpose,
      status: "processed",
    };
    await this.#records.put(tenant, file);
    await Deno.rename(path, this.pathOf(tenant, file));
    return file;
  }

  /** Nobody sees it any more, and its bytes are free. */
  async remove(tenant: string, file: StoredFile): Promise<void> {
    await this.#records.remove(tenant, file.id);
    await Deno.remove(this.pathOf(tenant, file)).catch(ignoreMissing);
  }

  /** Removes what is too old, but for what is in use. */
  async sweep(isUsed: (tenant: string, file: StoredFile) => boolean): Promise<void> {
    const now = nowSeconds();
    for (const tenant of this.#records.tenants) {
      for (const file of this.#records.all(tenant)) {
        if (file.expires_at <= now && !isUsed(tenant, file)) await this.remove(tenant, file);
      }
    }
  }

  /** A content without its record, a record that was not finished, a file that was not received. */
  #isLeftOver(tenant: string, name: string): boolean {
    if (name.startsWith(UPLOAD_PREFIX) || name.endsWith(".part")) return true;
    if (!name.startsWith(FILE_PREFIX) || !name.endsWith(CONTENT)) return false;
    return this.#records.get(tenant, name.slice(0, -CONTENT.length)) === undefined;
  }
}

function noRoom(message: string): ApiError {
  return new ApiError(400, message, { param: "file", code: "quota_exceeded" });
}

/** What a client is told of a disk that takes nothing more. */
export function diskError(error: unknown): unknown {
  const isFull = error instanceof Error && /No space|ENOSPC|quota|File too large|EFBIG/i.test(error.message);
  return isFull ? new ApiError(507, "The server's disk is full", { code: "disk_full", cause: error }) : error;
}
