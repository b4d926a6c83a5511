/** Gets the peer's package from npm, once, into the cache folder. @module */

import { cacheFolder } from "../../../hub/cache.ts";
import { printNote } from "../../../process/print.ts";

const VERSION = "3.22.1";

/** Name and version of what is measured against. */
export const PEER_PACKAGE = `node-llama-cpp@${VERSION}`;

/** The peer cannot be had; the message says what to do. */
export class PeerError extends Error {
  override readonly name = "PeerError";
}

/** npm's name of the package with the native library for this machine's processor. */
function nativePackage(): string {
  const { os, arch } = Deno.build;
  const system = os === "darwin" ? "mac" : os === "windows" ? "win" : "linux";
  const suffix = os === "darwin" && arch === "aarch64" ? "-metal" : "";
  return `@node-llama-cpp/${system}-${arch === "aarch64" ? "arm64" : "x64"}${suffix}@${VERSION}`;
}

/**
 * The folder whose node_modules holds the package, installed first where it is missing. Needs node, npm and
 * npm's registry. Throws PeerError.
 */
export async function installPeer(): Promise<string> {
  const folder = `${cacheFolder()}/peer/${PEER_PACKAGE}`;
  const done = `${folder}/installed`;
  if (await Deno.stat(done).then(() => true, () => false)) return folder;
  printNote(`installing ${PEER_PACKAGE} with npm into ${folder} …`);
  await Deno.mkdir(folder, { recursive: true });
  // The package lists native libraries for every graphics card as optional: 600 MB that are not wanted here.
  const flags = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  const args = ["install", "--prefix", folder, ...flags, PEER_PACKAGE, nativePackage()];
  try {
    const command = new Deno.Command("npm", { args, stdin: "null", stdout: "null", stderr: "piped" });
    const { success, stderr } = await command.output();
    if (!success) {
      throw new PeerError(`npm could not install ${PEER_PACKAGE}: ${new TextDecoder().decode(stderr)}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PeerError("--peer needs node and npm (Debian, Ubuntu: apt-get install nodejs npm)");
  }
  await Deno.writeTextFile(done, "");
  return folder;
}
