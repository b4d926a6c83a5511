/** The models that lie in the cache, and their removal. @module */

import { cacheFolder } from "./cache.ts";
import { HubError } from "./error.ts";
import { NAMED_MODELS, namedModel } from "./named_models.ts";
import { diskError } from "./part_file.ts";
import { formatHubReference, formatHubRepository } from "./reference.ts";

/** A model in the cache. */
export interface CachedModel {
  /** As a user writes it: `smollm2`, `hf:owner/repo/file.gguf`, `hf:owner/repo`; a path where it is none of these. */
  readonly name: string;
  /** The file that is loaded, or the folder; of one that is not whole where that will be. */
  readonly path: string;
  readonly bytes: number;
  readonly changedAt: Date;
  /** Whether all of it is there: the rest of a download that was cut off comes with the next. */
  readonly isWhole: boolean;
  /** What it takes on the disk: all of it is removed with it. */
  readonly files: readonly string[];
}

interface Found {
  readonly path: string;
  readonly bytes: number;
  readonly changedAt: Date;
}

/** Ends of names that downloads have beside the file. */
const BESIDE = /\.(?:part|part\.json|lock)$/;
const DEPTH_MAX = 24;

/** The paths of all parts of a model by the path of one. */
export type PartPaths = (path: string) => readonly string[];

/** All models in the cache, by name. Throws HubError where there can be no cache. */
export async function cachedModels(
  partPaths: PartPaths,
  folder: string = cacheFolder(),
): Promise<CachedModel[]> {
  const groups = new Map<string, { name: string; path: string; files: Found[] }>();
  for (const kind of ["named", "models", "checkpoints"]) {
    for await (const file of filesIn(`${folder}/${kind}`)) {
      const parts = file.path.slice(folder.length + 1).split("/");
      const model = modelOf(folder, parts, partPaths);
      if (model === null) continue;
      groups.getOrInsertComputed(model.path, () => ({ ...model, files: [] })).files.push(file);
    }
  }
  return groups.values().map(({ name, path, files }) => {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const changedAt = new Date(Math.max(...files.map((file) => file.changedAt.getTime())));
    return {
      name,
      path,
      bytes,
      changedAt,
      isWhole: isWhole(path, files, partPaths),
      files: files.map((file) => file.path),
    };
  }).filter(({ bytes }) => bytes > 0).toArray().sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Removes a model's files, and folders that are empty then. Throws HubError where another process downloads it. */
export async function removeCached(
  { name, path, files }: CachedModel,
  folder: string = cacheFolder(),
): Promise<void> {
  const locks = files.filter((file) => file.endsWith(".lock"));
  const held: Deno.FsFile[] = [];
  try {
    for (const lock of locks) {
      const file = await Deno.open(lock, { write: true });
      held.push(file);
      if (!await file.tryLock(true)) throw new HubError("disk", `another process is downloading ${name}`);
    }
    for (const file of files) {
      await Deno.remove(file).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw diskError(error, file);
      });
    }
  } finally {
    for (const file of held) file.close();
  }
  // As far up as nothing else lies there.
  for (let above = files[0] ?? path; above.length > folder.length + 1;) {
    above = above.slice(0, above.lastIndexOf("/"));
    if (above.length <= folder.length || !await removeEmpty(above)) return;
  }
}

/** The model that a file of the cache belongs to; null for what is of none. */
function modelOf(
  folder: string,
  [kind, ...parts]: readonly string[],
  partPaths: PartPaths,
): { name: string; path: string } | null {
  const inside = (...names: readonly string[]) => [folder, kind, ...names].join("/");
  if (kind === "named") {
    const [place, file] = parts;
    const known = NAMED_MODELS.find(({ name, sha256 }) => place === `${name}-${sha256.slice(0, 12)}`);
    // Of another version of kumi: its name means another file here.
    const path = known === undefined
      ? inside(place, (file ?? "").replace(BESIDE, ""))
      : inside(place, known.file);
    return file === undefined ? null : { name: known?.name ?? path, path };
  }
  const [owner, second, third, ...rest] = parts;
  if (third === undefined || rest.length === 0) return null;
  if (kind === "checkpoints") {
    return {
      name: formatHubRepository({ owner, repo: third, revision: second }),
      path: inside(owner, second, third),
    };
  }
  const last = rest.length - 1;
  const [file] = partPaths(rest[last].replace(BESIDE, ""));
  const path = [...rest.slice(0, last), file].join("/");
  return {
    name: formatHubReference({ owner, repo: second, revision: third, path }),
    path: inside(owner, second, third, path),
  };
}

/** Every part that its name tells of, and nothing that a download has left. */
function isWhole(path: string, files: readonly Found[], partPaths: PartPaths): boolean {
  const there = new Set(files.map((file) => file.path));
  if ([...there].some((file) => file.endsWith(".part"))) return false;
  if (files.some((file) => file.path.startsWith(`${path}/`))) return true;
  return partPaths(path).every((part) => there.has(part));
}

async function* filesIn(folder: string, depth = 0): AsyncGenerator<Found> {
  if (depth > DEPTH_MAX) return;
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isFile, isDirectory } of entries) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesIn(path, depth + 1);
    else if (isFile) {
      const info = await Deno.stat(path).catch(() => null);
      if (info !== null) yield { path, bytes: info.size, changedAt: info.mtime ?? new Date(0) };
    }
  }
}

/** Whether there was nothing in it. */
async function removeEmpty(folder: string): Promise<boolean> {
  return await Deno.remove(folder).then(() => true, () => false);
}

/** The model of a name as users write it. Throws HubError, with the names that are there, where it is not in the cache. */
export function findCached(models: readonly CachedModel[], name: string): CachedModel {
  const found = models.find((each) => each.name === name || each.path === name);
  if (found !== undefined) return found;
  const isDownload = name.startsWith("hf:") || namedModel(name) !== undefined;
  const why = isDownload ? "it was not downloaded" : "only what was downloaded lies there";
  throw new HubError(
    "not-found",
    `the cache has no model ${JSON.stringify(name)}: ${why}; kumi list tells all`,
  );
}
