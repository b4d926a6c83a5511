/**
 * Tests that want a program which not every machine has: they are skipped there, and their names say why.
 * Nothing is started to find out, so that a missing program costs one test and not its file.
 * @module
 */

import { findProgram, missingReason, type ProgramName } from "../../src/setup/programs.ts";

/**
 * Declares a test that needs programs: `body` gets their paths. Other reasons to skip it may be given, too.
 */
export function testWithPrograms<const T extends readonly ProgramName[]>(
  name: string,
  programs: T,
  body: (paths: { [K in keyof T]: string }, t: Deno.TestContext) => Promise<void>,
  otherReason?: string,
): void {
  const paths = programs.map((each) => findProgram(each));
  const missing = programs.find((_, i) => paths[i] === undefined);
  const reason = otherReason ?? (missing === undefined ? undefined : missingReason(missing));
  if (reason === undefined) Deno.test(name, (t) => body(paths as { [K in keyof T]: string }, t));
  else Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn: () => {} });
}
