/** How a process ended, and of whom. @module */

import type { Blame } from "../transport.ts";

/** The end of a process, as Deno tells it. */
export interface ProcessEnd {
  readonly code: number;
  readonly signal: string | null;
}

/** What an end says. */
export interface EndVerdict {
  /** Goes on after "The engine died: ". */
  readonly reason: string;
  readonly blame: Blame;
}

/**
 * Signals by which code ends itself: a bad address, an instruction or a sum that cannot be, an assertion. All
 * others come from outside: from a person, a supervisor, or the system that wants memory.
 */
const FAULTS: ReadonlySet<string> = new Set([
  "SIGSEGV",
  "SIGBUS",
  "SIGILL",
  "SIGFPE",
  "SIGABRT",
  // V8 stops with it where it finds itself broken, or its heap full.
  "SIGTRAP",
  "SIGSYS",
]);

/** Windows has no signals: the statuses of its exceptions, such as 0xC0000005, are errors by their highest bits. */
const WINDOWS_FAULT_MIN = 0xc0000000;

/**
 * Judges the end of an engine's process that nobody had asked for.
 *
 * @example
 * ```ts
 * import { judgeEnd } from "./ending.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(judgeEnd({ code: 137, signal: "SIGKILL" }).blame, "nobody");
 * assertEquals(judgeEnd({ code: 139, signal: "SIGSEGV" }).blame, "step");
 * ```
 */
export function judgeEnd({ code, signal }: ProcessEnd): EndVerdict {
  if (signal === "SIGKILL") {
    return { reason: "its process was killed (SIGKILL), by somebody or for want of memory", blame: "nobody" };
  }
  if (signal !== null) {
    const isFault = FAULTS.has(signal);
    return {
      reason: isFault ? `its process crashed (${signal})` : `its process was ended (${signal})`,
      blame: isFault ? "step" : "nobody",
    };
  }
  const status = code >>> 0;
  if (status >= WINDOWS_FAULT_MIN) {
    return { reason: `its process crashed (0x${status.toString(16)})`, blame: "step" };
  }
  return { reason: `its process ended with status ${code}`, blame: code === 0 ? "nobody" : "step" };
}
