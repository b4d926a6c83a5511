/**
 * Vocabularies with their expected ids, and chat templates, as llama.cpp publishes them: in the source bundle
 * that npm's node-llama-cpp ships, once a bench has installed it.
 * @module
 */

import { PEER_PACKAGE } from "../../src/cli/bench/peer/programs.ts";
import { cacheFolder } from "../../src/hub/cache.ts";
import { findOnPath } from "../../src/process/path_search.ts";

/** The bundle, or a sentence that says why there is none. */
function findBundle(): { readonly path: string } | { readonly missing: string } {
  const missing = `no ${PEER_PACKAGE}, which "kumi bench --peer llama.cpp" installs`;
  try {
    const folder = `${cacheFolder()}/peer/${PEER_PACKAGE}`;
    // The last file of an installation: another test may be at it.
    Deno.statSync(`${folder}/installed`);
    if (findOnPath("git") === undefined) return { missing: "no git" };
    return { path: `${folder}/node_modules/node-llama-cpp/llama/gitRelease.bundle` };
  } catch {
    return { missing };
  }
}

const bundle = findBundle();

async function git(...args: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

/** A folder for the bundle's files, which ends with this process. */
async function cloneBundle(path: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await git("clone", "--quiet", "--bare", path, `${folder}/bundle`);
  return folder;
}

let clone: Promise<string> | undefined;

/** The path of a copy of `models/FILE`. */
async function fetchFile(bundle: string, file: string): Promise<string> {
  const folder = await (clone ??= cloneBundle(bundle));
  const path = `${folder}/${file.replaceAll("/", "_")}`;
  await Deno.writeFile(path, await git("-C", `${folder}/bundle`, "show", `HEAD:models/${file}`));
  return path;
}

/**
 * Declares a test of published files, by their names in llama.cpp's folder `models`; `body` gets the paths of
 * copies.
 */
export function testPublished(
  name: string,
  files: readonly string[],
  body: (...paths: string[]) => Promise<void>,
): void {
  if ("path" in bundle) {
    Deno.test(
      name,
      async () => await body(...await Promise.all(files.map((file) => fetchFile(bundle.path, file)))),
    );
  } else {
    Deno.test({ name: `${name} (skipped: ${bundle.missing})`, ignore: true, fn: () => {} });
  }
}
