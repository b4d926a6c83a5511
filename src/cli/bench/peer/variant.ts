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
  const builds = new Set<string>();
  await linkTree(folder, copy, (name) => {
    const build = BUILD.exec(name)?.[1];
    if (build !== undefined) builds.add(build);
    return build === undefined || build === variant;
  });
  if (!builds.has(variant)) {
    await Deno.remove(copy, { recursive: true });
    throw new PeerError(
      `The peer has no build called ${variant}; there are: ${[...builds].sort().join(", ")}`,
    );
  }
  await Deno.writeTextFile(`${copy}/installed`, "");
  return copy;
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
