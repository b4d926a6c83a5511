/**
 * The TypeScript tests: a few files a process, as many processes at once as there are processors. A crash
 * costs no more than one process's files, and what waits leaves its processor to others.
 * @module
 */

import { ROOT } from "../../src/setup/paths.ts";
import { countDenoTests, type Counts, skippedDenoTests } from "../run_counts.ts";
import { type Context, type Outcome, tool } from "./step.ts";

const PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-ffi",
  "--allow-sys",
  // The last one is for documentation: no machine has it.
  "--allow-net=127.0.0.1,localhost,[2001:db8::1]",
];
/** What holds tests and doc examples; folders that a checkout does not have yet are left out. */
const TESTED = ["mod.ts", "README.md", "docs", "src", "scheduler", "tests", "examples", "bench"];
/**
 * Unit tests take less time than the start of a process; those in tests/ start servers and processes of their
 * own.
 */
const UNIT_BATCH = 24;
const BATCH = 3;
/** More processes than that would disturb each other's servers and threads. */
const PROCESSES_MAX = 4;
/** What one process may take, on a busy machine as well: one test that hangs leaves time to say which. */
const PROCESS_MINUTES = 20;
/** Of the tests that a change concerns no further process starts after that. */
const CHANGED_MS = 40_000;

/** What one process runs: files, and flags. */
type Batch = readonly string[];

/** Types of code have a step of their own; those of examples in docs have not. */
const NO_CHECK = "--no-check";

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function testFiles(path: string): Promise<string[]> {
  if (/\.\w+$/.test(path)) return [];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${path}`)) {
    if (isDirectory) found.push(...await testFiles(`${path}/${name}`));
    else if (name.endsWith("_test.ts")) found.push(`${path}/${name}`);
  }
  return found.sort();
}

/** Consecutive files together, so that tests of one kind, which take alike long, are spread. */
function batches(files: readonly string[], size: number): Batch[] {
  const count = Math.ceil(files.length / size);
  return Array.from({ length: count }, (_, i) => files.filter((_, j) => j % count === i));
}

/** All tests, those that take longest first, and the examples in docs. */
async function allBatches(): Promise<Batch[]> {
  const present: string[] = [];
  for (const path of TESTED) if (await exists(`${ROOT}/${path}`)) present.push(path);
  const files = (await Promise.all(present.map(testFiles))).flat();
  const whole = files.filter((file) => /^tests\/\w+\.ts$/.test(file));
  const units = files.filter((file) => !whole.includes(file));
  const unchecked = [...batches(whole, BATCH), ...batches(units, UNIT_BATCH)].map((
    batch,
  ) => [NO_CHECK, ...batch]);
  return [...unchecked, ["--ignore=**/*_test.ts", ...present]];
}

async function runBatch(context: Context, batch: Batch): Promise<Outcome> {
  const { options } = context;
  const long: Record<string, string> = options.long ? { KUMI_FUZZ: "100000" } : {};
  const filter = options.filter === undefined ? [] : [`--filter=${options.filter}`];
  const command = [Deno.execPath(), "test", "--quiet", "--doc"];
  const outcome = await tool(
    context,
    [...command, ...context.stdFlags, ...PERMISSIONS, ...filter, ...batch],
    long,
    options.long ? undefined : PROCESS_MINUTES,
  );
  const counts = countDenoTests(outcome.output);
  // A process that crashed says nothing of its tests.
  if (!outcome.ok && counts.failed === 0) counts.failed = 1;
  return { ...outcome, counts, skippedTests: skippedDenoTests(outcome.output) };
}

/**
 * Runs the batches in order, some at a time. `until`: the time after which none is started; those left over
 * come back.
 */
async function runBatches(
  context: Context,
  all: readonly Batch[],
  until = Infinity,
): Promise<[Outcome[], Batch[]]> {
  const outcomes: Outcome[] = [];
  const rest = [...all];
  const processes = Math.max(1, Math.min(PROCESSES_MAX, navigator.hardwareConcurrency));
  await Promise.all(Array.from({ length: processes }, async () => {
    while (rest.length > 0 && performance.now() < until) {
      outcomes.push(await runBatch(context, rest.shift()!));
    }
  }));
  return [outcomes, rest];
}

function sum(outcomes: readonly Outcome[], verbose: boolean): Outcome {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const outcome of outcomes) {
    for (const key of ["passed", "failed", "skipped"] as const) counts[key] += outcome.counts![key];
  }
  const told = outcomes.filter(({ ok }) => verbose || !ok);
  return {
    ok: outcomes.every(({ ok }) => ok),
    output: told.map(({ output }) => output.trimEnd()).join("\n\n"),
    counts,
    skippedTests: outcomes.flatMap(({ skippedTests }) => skippedTests ?? []),
  };
}

/** The files named; those that a change concerns, for a minute at most; or all. */
export async function denoTests(context: Context): Promise<Outcome> {
  const { options, changed } = context;
  if (options.files.length > 0) return await runBatch(context, options.files);
  if (changed === undefined) return sum((await runBatches(context, await allBatches()))[0], options.verbose);
  const near: Batch[] = [];
  for (let i = 0; i < changed.tests.length; i += BATCH) {
    near.push([NO_CHECK, ...changed.tests.slice(i, i + BATCH)]);
  }
  const [outcomes, left] = await runBatches(context, near, performance.now() + CHANGED_MS);
  const outcome = sum(outcomes, options.verbose);
  if (left.length === 0) return outcome;
  const further = `${
    left.flat().filter((each) => each !== NO_CHECK).length
  } test files further from the change: deno task test runs them`;
  return { ...outcome, skippedTests: [...outcome.skippedTests ?? [], further] };
}
