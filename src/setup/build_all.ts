/** `deno task build --all`: the kernel library for every platform, from this machine, checked. @module */

import { PLATFORMS } from "../ffi/platform.ts";
import { readSharedLibrary } from "./binary/shared_library.ts";
import { type BuildOptions, ensurePlatformLibrary } from "./build.ts";
import { levelNames, levelsInside, libraryProblems } from "./library_check.ts";
import { note } from "./progress.ts";

/** One built library. */
interface Built {
  readonly id: string;
  readonly file: string;
  readonly bytes: number;
  readonly levels: readonly string[];
  readonly exports: number;
  readonly problems: readonly string[];
}

function table(built: readonly Built[]): string {
  const rows = built.map(({ id, file, bytes, levels, exports, problems }) => [
    id,
    `${(bytes / 2 ** 20).toFixed(2)} MB`,
    `${exports} ${problems.length === 0 ? "ok" : "NOT OK"}`,
    file,
    levels.join(" "),
  ]);
  const all = [["platform", "size", "exports", "file", "levels"], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()).join("\n");
}

/**
 * Builds all libraries that are out of date, one after the other, and prints a table of them. Resolves to
 * whether each is as it must be. Throws BuildError, ZigError, or the signal's reason.
 */
export async function buildAll(options: BuildOptions = {}): Promise<boolean> {
  const built: Built[] = [];
  for (const platform of PLATFORMS) {
    const file = await ensurePlatformLibrary(platform, options);
    const bytes = await Deno.readFile(file);
    const library = readSharedLibrary(bytes);
    const expected = await levelNames(platform.arch);
    const levels = levelsInside(bytes, expected);
    const problems = libraryProblems(platform, library, bytes.length);
    const absent = expected.filter((name) => !levels.includes(name));
    if (absent.length > 0) problems.push(`it lacks the levels ${absent.join(", ")}`);
    built.push({
      id: platform.id,
      file,
      bytes: bytes.length,
      levels,
      exports: library.exports.length,
      problems,
    });
  }
  console.log(table(built));
  for (const { id, problems } of built) for (const problem of problems) note(`${id}: ${problem}`);
  return built.every(({ problems }) => problems.length === 0);
}
