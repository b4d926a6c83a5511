/** Gets a peer's package from its registry, once, into the cache folder. @module */

import { cacheFolder } from "../../../hub/cache.ts";
import { printNote } from "../../../process/print.ts";
import { lastWords, pythonPrograms, PYTHONS } from "../../../process/python.ts";
import { PeerError } from "./error.ts";
import { LLAMA_CPP, nativePackage, type PeerProgram } from "./programs.ts";

/** The folder whose `node_modules` holds llama.cpp, installed first where it is missing. Throws PeerError. */
export function installPeer(): Promise<string> {
  return installed(LLAMA_CPP);
}

/** The folder that holds a peer's packages, installed first where they are missing. Needs its registry; PeerError. */
export async function installed(peer: PeerProgram): Promise<string> {
  const folder = installedFolder(peer);
  const done = `${folder}/installed`;
  if (await Deno.stat(done).then(() => true, () => false)) return folder;
  const [program, ...args] = peer.registry === "npm" ? npmCommand(peer, folder) : pipCommand(peer, folder);
  printNote(`installing ${peer.package} with ${peer.registry === "npm" ? "npm" : "pip"} into ${folder} …`);
  await Deno.mkdir(folder, { recursive: true });
  await install(peer, program, args);
  await Deno.writeTextFile(done, "");
  return folder;
}

/** Where a peer is, or would be; an empty file `installed` in it says that it is whole. */
export function installedFolder(peer: PeerProgram): string {
  return `${cacheFolder()}/peer/${peer.package}`;
}

function npmCommand(peer: PeerProgram, folder: string): string[] {
  // The package lists native libraries for every graphics card as optional: 600 MB that are not wanted here.
  const flags = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  return ["npm", "install", "--prefix", folder, ...flags, peer.package!, nativePackage()];
}

function pipCommand(peer: PeerProgram, folder: string): string[] {
  const flags = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"];
  return [...pythonCommand(), "-m", "pip", "install", ...flags, "--target", folder, peer.package!];
}

/** What starts Python 3. Throws PeerError where there is none. */
export function pythonCommand(): readonly string[] {
  const [found] = pythonPrograms();
  const command = PYTHONS.find(([program]) => program === found);
  if (command === undefined) {
    throw new PeerError("this peer needs Python 3 (Debian, Ubuntu: apt-get install python3 python3-pip)");
  }
  return command;
}

async function install(peer: PeerProgram, program: string, args: string[]): Promise<void> {
  try {
    const command = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" });
    const { success, stderr } = await command.output();
    if (success) return;
    throw new PeerError(
      `${peer.package} cannot be installed: ${lastWords(new TextDecoder().decode(stderr))}`,
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PeerError(
      "--peer llama.cpp needs node and npm (Debian, Ubuntu: apt-get install nodejs npm)",
    );
  }
}
