/** Where Python is looked for, and what its tools say. @module */

import { findOnPath } from "./path_search.ts";

/** Commands that may start Python 3, the best first. */
export const PYTHONS: readonly (readonly string[])[] = Deno.build.os === "windows"
  ? [["py", "-3"], ["python"], ["python3"]]
  : [["python3"], ["python"]];

/** The programs among them that this machine has. Reads PATH. */
export function pythonPrograms(path?: string): string[] {
  return PYTHONS.map(([program]) => program).filter((program) => findOnPath(program, path) !== undefined);
}

/** The last lines of what a tool said, on one line. */
export function lastWords(text: string): string {
  return text.trim().split("\n").slice(-2).join(" ").slice(-300);
}
