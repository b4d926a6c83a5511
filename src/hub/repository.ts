/**
 * Fetches a repository that holds a folder of safetensors into one folder of the cache. All files come from one commit: that of the
 * first file that arrived. A note in the folder lists them once all are there, and then the hub is not asked again.
 * @module
 */

import { cacheFolder, checkpointFolder } from "./cache.ts";
import { requireSpace } from "./disk_space.ts";
import { downloadFile, isFile, makeFolder } from "./download.ts";
import { HubError } from "./error.ts";
import { lockFile } from "./file_lock.ts";
import type { FileIdentity } from "./http.ts";
import { ggufChoices, listFiles, type Listing } from "./listing.ts";
import type { DownloadProgress } from "./meter.ts";
import { diskError } from "./part_file.ts";
import { formatHubRepository, type HubRepository, parseHubRepository } from "./reference.ts";
import { type DownloadOptions, hubAddress, hubToken } from "./transfer.ts";

const CONFIG = "config.json";
const TOKENIZER = "tokenizer.json";
const SETTINGS = ["generation_config.json", "tokenizer_config.json", "chat_template.jinja"];
const INDEX = "model.safetensors.index.json";
const NOTE = ".kumi.json";

/** How to download a repository. */
export interface RepositoryOptions extends DownloadOptions {
  /** Names of the weights' files of a folder, in which everything else lies by now. May throw what is wrong with it. */
  weightFiles(folder: string): Promise<readonly string[]>;
}

/** What the note in a folder says. */
interface FolderNote {
  /** Where the files come from. */
  readonly commit?: string;
  /** Names of all files; none before all are there. */
  readonly files?: readonly string[];
}

/**
 * Path of the folder in the cache, downloaded first when it is not whole. Throws HubError, what `weightFiles` throws, or the
 * signal's reason.
 */
export async function downloadRepository(
  reference: string | HubRepository,
  options: RepositoryOptions,
): Promise<string> {
  const repository = typeof reference === "string" ? parseHubRepository(reference) : reference;
  const folder = checkpointFolder(options.cache ?? cacheFolder(), repository);
  if (await isWhole(folder)) return folder;
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  await makeFolder(folder);
  using _lock = await lockFile(
    `${folder}.lock`,
    signal,
    () => options.onWait?.("another process downloads this model", 0),
  );
  if (!await isWhole(folder)) await new FolderDownload(repository, folder, { ...options, signal }).run();
  return folder;
}

/** Whether all files are there that the note lists. */
async function isWhole(folder: string): Promise<boolean> {
  const { files } = await readNote(folder);
  if (files === undefined) return false;
  const there = await Promise.all(files.map((file) => isFile(`${folder}/${file}`)));
  return !there.includes(false);
}

async function readNote(folder: string): Promise<FolderNote> {
  try {
    const { commit, files } = JSON.parse(await Deno.readTextFile(`${folder}/${NOTE}`));
    const isList = Array.isArray(files) && files.every((file) => typeof file === "string");
    return {
      commit: typeof commit === "string" && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined,
      files: isList ? files : undefined,
    };
  } catch {
    return {};
  }
}

/** One repository on its way. */
class FolderDownload {
  readonly #name: string;
  readonly #files: string[] = [];
  #commit: string | undefined;
  #listing: Listing | null = null;
  #doneBytes = 0;
  /** Bytes of all files, as far as known. */
  #totalBytes: number | undefined;

  constructor(
    readonly repository: HubRepository,
    readonly folder: string,
    readonly options: RepositoryOptions & { readonly signal: AbortSignal },
  ) {
    this.#name = formatHubRepository(repository);
  }

  async run(): Promise<void> {
    this.#commit = (await readNote(this.folder)).commit;
    if (!await this.#fetch(CONFIG)) throw await this.#notAFolder(`has no ${CONFIG}`);
    await this.#writeNote();
    this.#listing = await this.#list();
    if (!await this.#fetch(TOKENIZER)) {
      throw await this.#notAFolder(`has no ${TOKENIZER}, without which there are no tokens`);
    }
    for (const file of [...SETTINGS, INDEX]) await this.#fetch(file);
    const weights = await this.options.weightFiles(this.folder);
    await this.#plan(weights);
    for (const file of weights) {
      if (await this.#fetch(file)) continue;
      throw await this.#notAFolder(
        this.#files.includes(INDEX)
          ? `has no ${file}, which ${INDEX} names`
          : `has no ${file} and no ${INDEX}`,
      );
    }
    await this.#writeNote(this.#files);
  }

  /** Where the files come from: the commit, once it is known. */
  get #source(): HubRepository {
    return { ...this.repository, revision: this.#commit ?? this.repository.revision };
  }

  async #list(): Promise<Listing | null> {
    const base = hubAddress(this.options);
    return await listFiles(this.#source, {
      base,
      token: hubToken(this.options),
      signal: this.options.signal,
    });
  }

  /** Fetches one file where it is not there yet. False when the repository has none of that name. */
  async #fetch(file: string): Promise<boolean> {
    const path = `${this.folder}/${file}`;
    if (await isFile(path)) {
      this.#doneBytes += (await Deno.stat(path)).size;
    } else {
      // A list that was cut off does not tell that a file is missing.
      let found: FileIdentity;
      try {
        const onProgress = (progress: DownloadProgress) => this.#report(progress);
        found = await downloadFile({ ...this.#source, path: file }, path, { ...this.options, onProgress });
      } catch (error) {
        if (error instanceof HubError && error.kind === "not-found") return false;
        throw error;
      }
      this.#commit ??= found.commit;
      this.#doneBytes += found.size ?? 0;
    }
    this.#files.push(file);
    return true;
  }

  #report(progress: DownloadProgress): void {
    const { bytes, totalBytes, bytesPerSecond } = progress;
    const total = this.#totalBytes ?? (totalBytes === undefined ? undefined : this.#doneBytes + totalBytes);
    const done = this.#doneBytes + bytes;
    const secondsLeft = total !== undefined && bytesPerSecond > 0
      ? (total - done) / bytesPerSecond
      : undefined;
    this.options.onProgress?.({ ...progress, bytes: done, totalBytes: total, secondsLeft });
  }

  /** Knows the total before the weights come, and whether the disk has room for them. */
  async #plan(weights: readonly string[]): Promise<void> {
    const sizes = weights.map((file) => this.#listing?.get(file));
    if (sizes.includes(undefined)) return;
    let missing = 0;
    for (const [index, file] of weights.entries()) {
      const there = await bytesOf(`${this.folder}/${file}`) ?? await bytesOf(`${this.folder}/${file}.part`) ??
        0;
      missing += Math.max(0, sizes[index]! - there);
    }
    await requireSpace(this.#name, missing, this.folder);
    this.#totalBytes = this.#doneBytes + sizes.reduce((sum: number, size) => sum + size!, 0);
  }

  /** Why this is no folder of safetensors, with what to write where there are GGUF files instead. */
  async #notAFolder(why: string): Promise<HubError> {
    const listing = this.#listing ?? await this.#list();
    const choices = listing === null ? [] : ggufChoices(this.repository, listing);
    const advice = choices.length > 0
      ? `, but GGUF files; write one of these:\n${choices.map((each) => `  ${each}`).join("\n")}`
      : listing === null
      ? `: name a GGUF file of it, ${this.#name}/FILE.gguf, or a repository of safetensors`
      : ", and no GGUF files: kumi cannot run what is in it";
    return new HubError("not-found", `${this.#name} ${why}${advice}`);
  }

  async #writeNote(files?: readonly string[]): Promise<void> {
    const path = `${this.folder}/${NOTE}`;
    const note: FolderNote = { commit: this.#commit, files };
    try {
      await Deno.writeTextFile(`${path}.part`, JSON.stringify(note) + "\n");
      await Deno.rename(`${path}.part`, path);
    } catch (error) {
      throw diskError(error, path);
    }
  }
}

async function bytesOf(path: string): Promise<number | undefined> {
  return await Deno.stat(path).then(({ size }) => size, () => undefined);
}
