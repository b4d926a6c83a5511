/**
 * Puts Bochs 3.0, as Debian trixie packages it, into a folder of its own, with the C library that it needs.
 * Nothing of the system changes.
 * @module
 */

import { DebianUnavailable, installDebian, runOrUnavailable } from "../../src/setup/debian.ts";
import { BUILD } from "../../src/setup/paths.ts";
import { bochsCommand } from "./bochs.ts";
import { weaken } from "./weaken_elf.ts";

const PACKAGES = ["bochs", "libc6", "libstdc++6", "libgcc-s1", "libltdl7"];
/** What those packages hold; the rest of what Bochs is linked to draws windows and plays sounds. */
const LIBRARIES = new Set(["libltdl.so.7", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"]);
/** Called at every start, to convert sounds between sample rates. */
const CALLED = new Set(["src_new", "src_process", "src_delete", "src_strerror"]);

/** Why Bochs cannot be had on this machine, as a sentence. */
export { DebianUnavailable as BochsUnavailable };

/**
 * For x86-64 Linux. Resolves to the root of the unpacked packages. Throws BochsUnavailable, or the signal's
 * reason.
 */
export async function installBochs(signal?: AbortSignal, folder = `${BUILD}/bochs`): Promise<string> {
  const root = `${folder}/root`;
  await installDebian({ packages: PACKAGES, root, prepare }, signal);
  return root;
}

async function prepare(root: string, signal: AbortSignal): Promise<void> {
  const program = `${root}/usr/bin/bochs-bin`;
  const file = await Deno.readFile(program);
  weaken(file, LIBRARIES, CALLED);
  await Deno.writeFile(program, file, { mode: 0o755 });
  const { command, env } = bochsCommand(root);
  await runOrUnavailable([...command, "--help", "cpu"], { env, signal });
}
