/**
 * Vocabularies with their expected ids, and chat templates, as llama.cpp publishes them: in the source bundle
 * that npm's node-llama-cpp ships, once a bench has installed it.
 * @module
 */

import { PEER_PACKAGE } from "../../src/cli/bench/peer/install.ts";
import { cacheFolder } from "../../src/hub/cache.ts";

const BUNDLE = `${cacheFolder()}/peer/${PEER_PACKAGE}/node_modules/node-llama-cpp/llama/gitRelease.bundle`;

function hasBundle(): boolean {
  try {
    return Deno.statSync(BUNDLE).isFile;
  } catch {
    return false;
  }
}

async function git(...args: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args }).output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

/** A folder for the bundle's files, which ends with this process. */
async function cloneBundle(): Promise<string> {
  const folder = await Deno.makeTempDir();
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await git("clone", "--quiet", "--bare", BUNDLE, `${folder}/bundle`);
  return folder;
}

let clone: Promise<string> | undefined;

/** The path of a copy of `models/FILE`. */
async function fetchFile(file: string): Promise<string> {
  const folder = await (clone ??= cloneBundle());
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
  if (hasBundle()) {
    Deno.test(name, async () => await body(...await Promise.all(files.map(fetchFile))));
  } else {
    const reason = `skipped: no ${PEER_PACKAGE}, which "kumi bench --peer llama.cpp" installs`;
    Deno.test({ name: `${name} (${reason})`, ignore: true, fn: () => {} });
  }
}
