/** Room on a disk, before it is needed. @module */

import { HubError } from "./error.ts";

/** Throws HubError where `bytes` more cannot be written in a folder, which is there, as far as the system says. */
export async function requireSpace(name: string, bytes: number, folder: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= bytes) return;
  const [need, have] = [bytes, free].map((each) => `${(each / 1e9).toFixed(2)} GB`);
  throw new HubError(
    "disk",
    `${name} needs ${need}, ${have} are free at ${folder}: free some space, or set KUMI_CACHE`,
  );
}

/** Bytes that can still be written there; undefined where the system does not say. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { statfs } = await import("node:fs/promises"); // slow to load, and seldom wanted
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
