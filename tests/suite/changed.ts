/**
 * What `deno task test --changed` has to run, by git's changes against the last commit and the files that it
 * does not know.
 * @module
 */

import { ROOT } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { concernedTests } from "./import_graph.ts";
import type { Changed } from "./step.ts";

/** What every test depends on without naming it. */
const CONFIGURATION = /^(deno\.json|src\/setup\/import_map\.local\.json)$/;
/** What stands for the kernels in TypeScript: who leads to it calls them. */
const KERNELS = "src/ffi/symbols.ts";
/** What reads README and the pages of docs/. */
const PAGES = "tests/support/pages.ts";

async function git(signal: AbortSignal, ...args: string[]): Promise<string[]> {
  const result = await capture(["git", ...args, "-z"], { cwd: ROOT, signal });
  if (result === null) throw new Error("--changed needs git, which is not installed");
  if (result.code !== 0) {
    throw new Error(`--changed needs a checkout that git knows: ${result.stderr.trim()}`);
  }
  return result.stdout.split("\0").filter((path) => path !== "");
}

/** The files of the checkout, with the text of those whose text names others. */
async function readSources(paths: Iterable<string>): Promise<Map<string, string>> {
  const entries = await Promise.all(Array.from(paths, async (path): Promise<[string, string] | null> => {
    if (!path.endsWith(".ts")) return [path, ""];
    return await Deno.readTextFile(`${ROOT}/${path}`).then((text) => [path, text], () => null);
  }));
  return new Map(entries.filter((entry) => entry !== null));
}

/** The steps that changed files call for, given the tests that they concern. */
export function changedSteps(paths: readonly string[], tests: readonly string[]): string[] {
  const steps: string[] = [];
  const kernels = paths.some((path) => path.startsWith("kernels/") && !path.endsWith(".md"));
  if (kernels) steps.push("zig-fmt", "symbols", "zig-test");
  if (paths.some((path) => /\.(ts|md|json)$/.test(path))) steps.push("fmt");
  if (paths.some((path) => /\.(ts|json)$/.test(path))) steps.push("lint", "check");
  if (tests.length > 0) steps.push("deno-test");
  if (kernels || tests.length > 0) steps.push("kernels");
  return steps;
}

/** Throws Error where git does not know the checkout, or the signal's reason. */
export async function findChanged(signal: AbortSignal): Promise<Changed> {
  const [known, untracked, changed] = await Promise.all([
    git(signal, "ls-files"),
    git(signal, "ls-files", "--others", "--exclude-standard"),
    git(signal, "diff", "--name-only", "HEAD"),
  ]);
  const paths = [...new Set([...changed, ...untracked])];
  const sources = await readSources(new Set([...known, ...untracked]));
  const seeds = new Set(paths.some((path) => CONFIGURATION.test(path)) ? sources.keys() : paths);
  if (paths.some((path) => path.startsWith("kernels/"))) seeds.add(KERNELS);
  if (paths.some((path) => path.endsWith(".md"))) seeds.add(PAGES);
  const tests = concernedTests(seeds, sources).map(({ file }) => file);
  return { tests, steps: changedSteps(paths, tests) };
}
