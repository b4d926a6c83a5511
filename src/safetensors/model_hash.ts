/** What a model's files are, to the byte: SHA-256 of all of them, computed once for each state of theirs. @module */

import { GgufError } from "../gguf/error.ts";
import { partPaths } from "../gguf/split.ts";
import { nodeCrypto } from "../process/node.ts";
import { isCheckpoint, weightFiles } from "./folder.ts";

/** Read at a time: a ms or so of hashing, after which others get a turn. */
const READ_BYTES = 1 << 20;
/** Files of a checkpoint beside its weights that make what is computed: settings, the tokenizer, the chat template. */
const SETTINGS = /\.(json|jinja|model|txt)$/;

/** A file as it lies on the disk. */
interface FileState {
  readonly path: string;
  /** Another one after any change that does not hide itself. */
  readonly state: string;
}

/** Hashes that were computed, by path and state. */
const known = new Map<string, string>();

/** Where hashes are kept beyond the process. */
export interface HashStore {
  get(key: string): string | undefined;
  set(key: string, sha256: string): void;
}

/** How a hash is computed. All optional. */
export interface HashOptions {
  readonly store?: HashStore;
  /** Called after each part that was read; what it throws ends the reading. */
  readonly onRead?: () => void;
}

/** A model's files as they were at one moment. */
export class ModelFiles {
  readonly #files: readonly FileState[];
  /** Whether it is a single file, whose own hash is that of the model. */
  readonly #isOne: boolean;
  readonly #root: string;
  #hash?: Promise<string>;

  private constructor(root: string, files: readonly FileState[], isOne: boolean) {
    this.#root = root;
    this.#files = files;
    this.#isOne = isOne;
  }

  /** Looks at the files of a model: a GGUF file with its other parts, or a folder. Throws Deno's errors where they are not there. */
  static async look(path: string): Promise<ModelFiles> {
    if (!await isCheckpoint(path)) {
      const paths = partPaths(path);
      return new ModelFiles(path, await Promise.all(paths.map(stateOf)), paths.length === 1);
    }
    const names = await weightFiles(path);
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (!isDirectory && SETTINGS.test(name) && !names.includes(name)) names.push(name);
    }
    return new ModelFiles(
      path,
      await Promise.all(names.sort().map((name) => stateOf(`${path}/${name}`))),
      false,
    );
  }

  /**
   * The SHA-256 in hex: of a single file its own, as `sha256sum` tells it; of several files that of the lines that `sha256sum` would
   * print for them in the order of their names. Others get turns while it is computed. Rejects with a GgufError where a file has
   * changed since `look()`: what was loaded is no longer what lies there.
   */
  sha256(options: HashOptions = {}): Promise<string> {
    this.#hash ??= this.#compute(options);
    this.#hash.catch(() => this.#hash = undefined);
    return this.#hash;
  }

  async #compute(options: HashOptions): Promise<string> {
    const hashes: string[] = [];
    for (const file of this.#files) hashes.push(await hashOf(file, options));
    if (this.#isOne) return hashes[0];
    const list = nodeCrypto().createHash("sha256");
    for (const [i, { path }] of this.#files.entries()) list.update(`${hashes[i]}  ${nameOf(path)}\n`);
    return list.digest("hex");
  }

  toString(): string {
    return this.#root;
  }
}

function nameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

async function stateOf(path: string): Promise<FileState> {
  const { size, mtime, ctime, ino, dev } = await Deno.stat(path);
  return { path, state: [size, mtime?.getTime(), ctime?.getTime(), dev, ino].join(" ") };
}

async function hashOf(file: FileState, { store, onRead }: HashOptions): Promise<string> {
  const key = `${file.state} ${file.path}`;
  const before = known.get(key) ?? store?.get(key);
  await throwIfChanged(file);
  if (before !== undefined) {
    known.set(key, before);
    return before;
  }
  const hash = nodeCrypto().createHash("sha256");
  using opened = await Deno.open(file.path);
  const bytes = new Uint8Array(READ_BYTES);
  for (let count; (count = await opened.read(bytes)) !== null;) {
    hash.update(bytes.subarray(0, count));
    onRead?.();
  }
  await throwIfChanged(file);
  const sha256 = hash.digest("hex");
  known.set(key, sha256);
  store?.set(key, sha256);
  return sha256;
}

async function throwIfChanged({ path, state }: FileState): Promise<void> {
  const now = await stateOf(path).catch(() => null);
  if (now?.state !== state) {
    throw new GgufError(`${path} has changed since it was loaded: nobody can tell any more what was loaded`);
  }
}
