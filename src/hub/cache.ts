/** Where downloaded models lie. @module */

import { HubError } from "./error.ts";
import type { NamedModel } from "./named_models.ts";
import type { HubReference, HubRepository } from "./reference.ts";

/** Reads one environment variable. */
export type Environment = (name: string) => string | undefined;

/**
 * The cache folder: `KUMI_CACHE`, else `kumi` in the system's place for caches (`XDG_CACHE_HOME` or ~/.cache, ~/Library/Caches,
 * `LOCALAPPDATA`). Throws HubError when none of them is set.
 */
export function cacheFolder(env: Environment = Deno.env.get, os: string = Deno.build.os): string {
  const own = env("KUMI_CACHE");
  if (own) return own.replace(/[\\/]+$/, "");
  if (os === "windows") {
    const local = env("LOCALAPPDATA") ?? (env("USERPROFILE") && `${env("USERPROFILE")}\\AppData\\Local`);
    if (local) return `${local}\\kumi\\cache`;
  } else {
    const home = env("HOME");
    const xdg = env("XDG_CACHE_HOME");
    // The specification calls relative paths here invalid.
    if (xdg?.startsWith("/")) return `${xdg.replace(/\/+$/, "")}/kumi`;
    if (home) return os === "darwin" ? `${home}/Library/Caches/kumi` : `${home}/.cache/kumi`;
  }
  throw new HubError("disk", "no folder for downloaded models: set KUMI_CACHE to one");
}

/** Where the file of a reference lies in a cache folder. */
export function cachedPath(folder: string, { owner, repo, revision, path }: HubReference): string {
  return [folder, "models", owner, repo, revision, path].join("/");
}

/** Where the folder of a repository lies. It ends in the repository's name, which is what such a model is called. */
export function checkpointFolder(folder: string, { owner, repo, revision }: HubRepository): string {
  return [folder, "checkpoints", owner, revision, repo].join("/");
}

/** Where a model of the list of names lies; another file of the same name, in another kumi, lies elsewhere. */
export function namedPath(folder: string, { name, sha256, file }: NamedModel): string {
  return [folder, "named", `${name}-${sha256.slice(0, 12)}`, file].join("/");
}
