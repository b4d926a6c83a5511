/**
 * Fetches a model file into the cache: resumes what an interruption left, checks size and SHA-256, and only then gives the file
 * its name. A file under its own name in the cache is therefore whole, and is used without asking the hub again.
 * @module
 */

import { cachedPath, cacheFolder } from "./cache.ts";
import { HubError } from "./error.ts";
import { lockFile } from "./file_lock.ts";
import type { FileIdentity } from "./http.ts";
import { diskError, PartFile, removePart } from "./part_file.ts";
import { type HubReference, parseHubReference } from "./reference.ts";
import { type DownloadOptions, Transfer } from "./transfer.ts";

export type { DownloadOptions } from "./transfer.ts";

/**
 * Path of the model file in the cache, downloaded first when it is not there. Throws HubError, or the signal's reason.
 */
export async function downloadModel(
  reference: string | HubReference,
  options: DownloadOptions = {},
): Promise<string> {
  const parsed = typeof reference === "string" ? parseHubReference(reference) : reference;
  const path = cachedPath(options.cache ?? cacheFolder(), parsed);
  return await once(path, options, (signal) => downloadFile(parsed, path, { ...options, signal }));
}

/**
 * Gives `path` when a file is there, else lets `fetch` write it, in one process at a time. Throws HubError, the signal's reason, or what
 * `fetch` throws.
 */
export async function once(
  path: string,
  { signal = new AbortController().signal, onWait }: DownloadOptions,
  fetch: (signal: AbortSignal) => Promise<unknown>,
): Promise<string> {
  if (await isFile(path)) return path;
  signal.throwIfAborted();
  await makeFolder(path.slice(0, path.lastIndexOf("/")));
  using _lock = await lockFile(
    `${path}.lock`,
    signal,
    () => onWait?.("another process downloads this file", 0),
  );
  if (!await isFile(path)) await fetch(signal);
  return path;
}

/** Downloads one file to `path`; the caller holds its lock. Gives what the hub said of it. */
export async function downloadFile(
  reference: HubReference,
  path: string,
  options: DownloadOptions & { readonly signal: AbortSignal },
): Promise<FileIdentity> {
  return await writeWhole(path, (part) => new Transfer(reference, part, options.signal, options).run());
}

/**
 * Lets `write` fill a part file and gives it its name when that is done. What is wrong with its content, and so of no use to
 * another attempt, is removed, and so is a part without content.
 */
export async function writeWhole<T>(path: string, write: (part: PartFile) => Promise<T>): Promise<T> {
  const partPath = `${path}.part`;
  let result: T;
  try {
    // Closed before it is renamed or removed, which Windows insists on.
    using part = await PartFile.open(partPath);
    result = await write(part);
    await part.sync();
  } catch (error) {
    const isUseless = error instanceof HubError && error.kind === "mismatch";
    if (isUseless || await isEmpty(partPath)) await removePart(partPath);
    throw error;
  }
  await Deno.rename(partPath, path);
  await removePart(partPath);
  return result;
}

/** Makes a folder of the cache. Throws HubError where that cannot be written. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    throw diskError(error, path);
  }
}

async function isEmpty(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ size }) => size === 0, () => false);
}

/** Whether a file is there. */
export async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}
