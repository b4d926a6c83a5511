/** JSON objects on a disk, by whom they belong to. @module */

import { printNote } from "../../process/print.ts";

/** What all of them have. */
interface Named {
  readonly id: string;
}

/** Folder of those who ask without a key. */
const OPEN_FOLDER = "open";
const FOLDER = /^(open|[0-9a-f]{1,64})$/;
const RANDOM_BYTES = 10;
const TIME_DIGITS = 12;
/** For whoever runs the server alone. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** A new id that nobody can guess; those that are made later are greater. Texts of clients are never ids. */
export function newStoredId(prefix: string, nowMs = Date.now()): string {
  const time = nowMs.toString(16).padStart(TIME_DIGITS, "0");
  return prefix + time + crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)).toHex();
}

/** Paths of what belongs to tenants, each in a folder of its own. */
export class TenantFolders {
  readonly #root: string;

  /** Makes the folder if there is none. Throws Deno's errors. */
  constructor(root: string) {
    this.#root = root;
    Deno.mkdirSync(root, { recursive: true, mode: FOLDER_MODE });
  }

  /** Those that have anything. */
  tenants(): string[] {
    const folders = Array.from(Deno.readDirSync(this.#root)).filter(({ name, isDirectory }) =>
      isDirectory && FOLDER.test(name)
    );
    return folders.map(({ name }) => name === OPEN_FOLDER ? "" : name);
  }

  names(tenant: string): string[] {
    return Array.from(Deno.readDirSync(this.#folder(tenant)), ({ name }) => name);
  }

  /** `name`: one that the server has made. */
  path(tenant: string, name: string): string {
    return `${this.#folder(tenant)}/${name}`;
  }

  async make(tenant: string): Promise<void> {
    await Deno.mkdir(this.#folder(tenant), { recursive: true, mode: FOLDER_MODE });
  }

  #folder(tenant: string): string {
    return `${this.#root}/${tenant === "" ? OPEN_FOLDER : tenant}`;
  }
}

/** The records of one kind: all of them are in memory, and each is a file. */
export class Records<T extends Named> {
  readonly #folders: TenantFolders;
  readonly #all = new Map<string, Map<string, T>>();
  /** What is being written: states of a record reach the disk in their order. */
  #writing: Promise<void> = Promise.resolve();

  /** Reads what there is with ids that begin so. A file that cannot be read is passed over, and told. */
  constructor(folders: TenantFolders, prefix: string) {
    this.#folders = folders;
    const isRecord = (name: string) => name.startsWith(prefix) && name.endsWith(".json");
    for (const tenant of folders.tenants()) {
      for (const name of folders.names(tenant).filter(isRecord).sort()) {
        const record = readRecord<T>(folders.path(tenant, name));
        if (record !== null && `${record.id}.json` === name) this.#of(tenant).set(record.id, record);
      }
    }
  }

  get tenants(): string[] {
    return [...this.#all.keys()];
  }

  /** Newest first. */
  all(tenant: string): T[] {
    const records = [...this.#all.get(tenant)?.values() ?? []];
    return records.sort((a, b) => a.id < b.id ? 1 : -1);
  }

  get(tenant: string, id: string): T | undefined {
    return this.#all.get(tenant)?.get(id);
  }

  /** There at once, on the disk when this resolves: all of it or nothing. */
  async put(tenant: string, record: T): Promise<void> {
    this.#of(tenant).set(record.id, record);
    const path = this.#folders.path(tenant, `${record.id}.json`);
    await this.#inOrder(async () => {
      await this.#folders.make(tenant);
      await Deno.writeTextFile(`${path}.part`, JSON.stringify(record), { mode: FILE_MODE });
      await Deno.rename(`${path}.part`, path);
    });
  }

  /** As if it had never been there, for records that stand for nothing. */
  forget(tenant: string, id: string): void {
    this.#all.get(tenant)?.delete(id);
    Deno.removeSync(this.#folders.path(tenant, `${id}.json`));
  }

  async remove(tenant: string, id: string): Promise<void> {
    this.#all.get(tenant)?.delete(id);
    await this.#inOrder(() => Deno.remove(this.#folders.path(tenant, `${id}.json`)).catch(ignoreMissing));
  }

  async #inOrder(write: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(write);
    this.#writing = done.catch(() => {});
    await done;
  }

  #of(tenant: string): Map<string, T> {
    let records = this.#all.get(tenant);
    if (records === undefined) this.#all.set(tenant, records = new Map());
    return records;
  }
}

function readRecord<T>(path: string): T | null {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    printNote(`kumi: ${path} cannot be read and is passed over: ${(error as Error).message}`);
    return null;
  }
}

/** For what may be gone already. */
export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
