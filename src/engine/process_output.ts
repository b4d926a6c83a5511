/** Standard output of an engine's process: frames, and nothing else. @module */

import { printNote } from "../process/print.ts";

/** Writes a whole frame. Returns when the pipe has it: it outlives this process. */
export function writeFrame(frame: Uint8Array): void {
  for (let at = 0; at < frame.length;) at += Deno.stdout.writeSync(frame.subarray(at));
}

/** What code writes to the console of this thread goes to standard error. */
export function keepStdout(): void {
  for (const method of ["log", "info", "debug", "table", "dir"] as const) {
    console[method] = (...values: unknown[]) =>
      printNote(values.map((value) => typeof value === "string" ? value : Deno.inspect(value)).join(" "));
  }
}
