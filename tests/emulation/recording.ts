/** Makes the recording of forward passes that the Zig tests replay. @module */

import { ensureLibrary } from "../../src/setup/build.ts";
import { BUILD, ROOT } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";

/**
 * Builds the library, runs record.ts with it and resolves to the recording's path. Throws BuildError, Error
 * with what record.ts said, or the signal's reason.
 */
export async function makeRecording(
  options: { zig: string; stdFlags: readonly string[]; signal: AbortSignal },
): Promise<string> {
  const { zig, stdFlags, signal } = options;
  await ensureLibrary({ zig: () => Promise.resolve(zig), signal });
  const path = `${BUILD}/forward_passes.recording`;
  const script = `${ROOT}/tests/emulation/record.ts`;
  const command = [Deno.execPath(), "run", "--quiet", "--allow-all", ...stdFlags, script, path, ...stdFlags];
  const result = await capture(command, { cwd: ROOT, env: { NO_COLOR: "1" }, signal });
  if (result?.code !== 0) throw new Error(`Cannot record forward passes:\n${result?.stderr ?? "no deno"}`);
  return path;
}
