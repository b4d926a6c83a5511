/** The peer's native library comes in builds for many processors, of which it loads the best. @module */

import { PeerError } from "./error.ts";

const BUILD = /^libggml-cpu-([\w-]+)\.(so|dylib)$/;

/**
 * A copy of an installed peer that has only one of those builds, such as `haswell` for AVX2: to compare both
 * programs with the same instruction set. Files are linked and take no room. Throws a PeerError that lists
 * the builds there are.
 */
export async function peerVariant(folder: string, variant: string): Promise<string> {
  const copy = `${folder}-${variant}`;
  if (await Deno.stat(`${copy}/installed`).then(() => true, () => false)) return copy;
  const builds = await buildsIn(folder);
  if (!builds.has(variant)) { // before anything is written: a wrong name may be a path, too
    throw new PeerError(
      `The peer has no build called ${variant}; there are: ${[...builds].sort().join(", ")}`,
    );
  }
  await linkTree(folder, copy, (name) => (BUILD.exec(name)?.[1] ?? variant) === variant);
  await Deno.writeTextFile(`${copy}/installed`, "");
  return copy;
}

/** The processors for which there is a build in the folder or below. */
async function buildsIn(folder: string): Promise<Set<string>> {
  const builds = new Set<string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const found = isDirectory ? await buildsIn(`${folder}/${name}`) : BUILD.exec(name)?.slice(1, 2) ?? [];
    for (const build of found) builds.add(build);
  }
  return builds;
}

async function linkTree(from: string, to: string, isWanted: (name: string) => boolean): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (isDirectory) await linkTree(`${from}/${name}`, `${to}/${name}`, isWanted);
    else if (isFile && name !== "installed" && isWanted(name)) {
      await Deno.link(`${from}/${name}`, `${to}/${name}`).catch((error) => {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      });
    }
  }
}
