/** The folder that stretches lie in: which there are, within a budget, whoever else writes there. @module */

import { type StoredStretch, toEvict } from "../../../scheduler/mod.ts";

/** A file of the store. */
interface StoredFile extends StoredStretch {
  readonly name: string;
}

const FILE = /^([0-9a-f]{64})\.(\d{1,6})\.kumikv$/;
const PART = /^\.[0-9a-f-]{36}\.part$/;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** A file that somebody began to write so many ms ago is not being written any more. */
const LEFT_OVER_MS = 3_600_000;
/** How old what is known of the folder may be, in ms, when room is made: others write there, too. */
const STALE_MS = 60_000;

/**
 * Files appear whole or not at all: they are written beside and renamed. What another server has removed is simply not there any more;
 * what it has written is found by its name.
 */
export class StoreFolder {
  readonly path: string;
  readonly #bytesMax: number;
  readonly #now: () => number;
  readonly #files = new Map<string, StoredFile>();
  #listedAt = -Infinity;

  /** `now`: ms since 1970, as files have it. */
  constructor(path: string, bytesMax: number, now: () => number = Date.now) {
    this.path = path;
    this.#bytesMax = bytesMax;
    this.#now = now;
  }

  /** Makes the folder where there is none, and looks at what is there. Throws Deno's errors. */
  async open(): Promise<void> {
    await Deno.mkdir(this.path, { recursive: true, mode: FOLDER_MODE });
    await this.#list();
  }

  get files(): number {
    return this.#files.size;
  }

  get bytes(): number {
    return this.#files.values().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether a stretch is there, as far as is known. */
  has(name: string): boolean {
    return this.#files.has(name);
  }

  /**
   * The bytes of a stretch's file; null where it is gone. They lie in `room` where that is large enough: memory that was used before is
   * read into several times as fast as new memory. Throws Deno's errors.
   */
  async read(name: string, room?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
    const file = this.#files.get(name);
    if (file === undefined) return null;
    try {
      using opened = await Deno.open(this.#pathOf(file));
      const bytes = room !== undefined && room.length >= file.bytes ? room : new Uint8Array(file.bytes);
      let done = 0;
      while (done < file.bytes) {
        const read = await opened.read(bytes.subarray(done, file.bytes));
        if (read === null) break;
        done += read;
      }
      return bytes.subarray(0, done);
    } catch (error) {
      this.#files.delete(name);
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  /** Notes that stretches were used together, now. */
  async use(names: readonly string[]): Promise<void> {
    const usedAt = this.#now();
    for (const name of names) {
      const file = this.#files.get(name);
      if (file === undefined) continue;
      this.#files.set(name, { ...file, usedAt });
      // Others see by it what is used.
      await Deno.utime(this.#pathOf(file), new Date(usedAt), new Date(usedAt)).catch(() => {});
    }
  }

  /** Forgets a stretch: its file is not what it should be, and may be written again. */
  forget(name: string): void {
    this.#files.delete(name);
  }

  /** Writes a stretch; false where the budget has no room for one as large. Throws Deno's errors, and nothing of it is left. */
  async write(name: string, index: number, parts: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (!await this.#makeRoom(bytes)) return false;
    const part = `${this.path}/.${crypto.randomUUID()}.part`;
    const file = { name, index, bytes, usedAt: this.#now() };
    try {
      using opened = await Deno.open(part, { write: true, createNew: true, mode: FILE_MODE });
      for (const each of parts) {
        for (let done = 0; done < each.length;) done += await opened.write(each.subarray(done));
      }
      await Deno.rename(part, this.#pathOf(file));
    } catch (error) {
      await Deno.remove(part).catch(() => {});
      throw error;
    }
    this.#files.set(name, file);
    return true;
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    if (this.#now() - this.#listedAt > STALE_MS) await this.#list();
    const evicted = toEvict([...this.#files.values()], this.#bytesMax, bytes);
    if (evicted === null) return false;
    for (const file of evicted) {
      this.#files.delete(file.name);
      await Deno.remove(this.#pathOf(file)).catch(() => {});
    }
    return true;
  }

  /** Looks at the folder. What was never finished, by whomever, is removed once it is old; what is not the store's is left alone. */
  async #list(): Promise<void> {
    this.#listedAt = this.#now();
    this.#files.clear();
    for await (const { name: entry, isFile } of Deno.readDir(this.path)) {
      if (!isFile) continue;
      const [, name, index] = FILE.exec(entry) ?? [];
      const isPart = PART.test(entry);
      if (name === undefined && !isPart) continue;
      const info = await Deno.stat(`${this.path}/${entry}`).catch(() => null);
      if (info === null) continue;
      const usedAt = info.mtime?.getTime() ?? 0;
      if (!isPart) this.#files.set(name, { name, index: Number(index), bytes: info.size, usedAt });
      else if (this.#listedAt - usedAt > LEFT_OVER_MS) {
        await Deno.remove(`${this.path}/${entry}`).catch(() => {});
      }
    }
  }

  #pathOf({ name, index }: Pick<StoredFile, "name" | "index">): string {
    return `${this.path}/${name}.${index}.kumikv`;
  }
}
