/**
 * `deno task test`: formatting, lint, types, the generated bindings, the Zig tests, the TypeScript tests. The
 * last line is `N passed, N failed`: each step counts as one test beside the tests that it ran. Exit status 1
 * when anything failed.
 * @module
 */

import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { Interruption } from "../src/setup/process.ts";
import { note } from "../src/setup/progress.ts";
import { ensureZig } from "../src/setup/zig.ts";
import { coverageTable } from "./emulation/coverage.ts";
import { makeRecording } from "./emulation/recording.ts";
import type { Counts } from "./run_counts.ts";
import { findChanged } from "./suite/changed.ts";
import type { Context, Options, Outcome, Step } from "./suite/step.ts";
import { STEPS } from "./suite/steps.ts";

const HELP = `usage: deno task test [options] [test files]

  --changed       only what concerns the changes since the last commit: formatting, lint, types, and the tests
                  that lead to a changed file, the nearest first, for a minute or so; with changed kernels their
                  tests on this machine, too
  --only STEP     run only this step and what it needs; may be repeated
  --filter TEXT   run only tests whose name contains TEXT (steps zig-test and deno-test)
  --long          100,000 mutations in the fuzz test instead of 2,000 (sets KUMI_FUZZ)
  --verbose       print the output of steps that pass, too
  --list          list the steps
  --help          this text

Test files, if given, are passed to deno test, and only that step runs.`;

function parseOptions(args: readonly string[]): Options {
  const only: string[] = [];
  const files: string[] = [];
  let filter: string | undefined;
  let long = false;
  let verbose = false;
  let changed = false;
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].split(/=(.*)/s);
    const value = () => {
      const given = inline ?? args[++i];
      if (given === undefined) throw new TypeError(`${name} needs a value`);
      return given;
    };
    if (name === "--only") only.push(...value().split(","));
    else if (name === "--filter") filter = value();
    else if (name === "--long") long = true;
    else if (name === "--verbose") verbose = true;
    else if (name === "--changed") changed = true;
    else if (name.startsWith("-")) throw new TypeError(`unknown option ${name}\n${HELP}`);
    else files.push(args[i]);
  }
  const unknown = only.find((name) => !STEPS.some((step) => step.name === name));
  if (unknown !== undefined) {
    throw new TypeError(
      `no step is called ${unknown}; there are ${STEPS.map((step) => step.name).join(", ")}`,
    );
  }
  if (changed && (only.length > 0 || files.length > 0)) {
    throw new TypeError("--changed chooses the steps and the files itself: leave out --only and test files");
  }
  return { only, filter, long, verbose, changed, files };
}

/** The steps to run: those asked for, and the library that the TypeScript tests open. */
function selectSteps({ options, changed }: Context): Step[] {
  if (changed !== undefined) return STEPS.filter(({ name }) => changed.steps.includes(name));
  let names = [...options.only];
  if (names.length === 0 && options.files.length > 0) names = ["deno-test"];
  if (names.length === 0 && options.filter !== undefined) names = ["zig-test", "deno-test"];
  if (names.includes("deno-test")) names.push("kernels");
  return STEPS.filter((step) => names.length === 0 || names.includes(step.name));
}

/** A step that has run. */
interface Finished extends Outcome {
  readonly seconds: number;
}

async function timed(step: Step, context: Context): Promise<Finished> {
  const start = performance.now();
  const outcome = await step.run(context);
  return { ...outcome, seconds: (performance.now() - start) / 1000 };
}

/** Prints what a step said and adds it to the totals. */
function report(step: Step, outcome: Finished, context: Context, totals: Counts): void {
  const seconds = outcome.seconds.toFixed(1).padStart(6);
  if (outcome.skipped !== undefined) {
    totals.skipped++;
    console.log(`skip ${seconds} s  ${step.title}: ${outcome.skipped}`);
    return;
  }
  const counts = outcome.counts ?? { passed: 0, failed: 0, skipped: 0 };
  totals.passed += counts.passed + (outcome.ok ? 1 : 0);
  totals.failed += counts.failed + (outcome.ok || counts.failed > 0 ? 0 : 1);
  totals.skipped += counts.skipped;
  const detail = outcome.counts === undefined
    ? ""
    : ` (${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped)`;
  if (!outcome.ok || context.options.verbose) {
    console.log(`\n---- ${step.title}\n${outcome.output.trimEnd()}\n----`);
  }
  console.log(`${outcome.ok ? "ok  " : "FAIL"} ${seconds} s  ${step.title}${detail}`);
  for (const name of outcome.skippedTests ?? []) console.log(`skip           ${name}`);
}

/**
 * Five lanes, so that the cores stay busy: the quick tools, the Zig code of this machine, of other x86-64 ones and of aarch64, the
 * TypeScript tests. Reports come in the order of the steps.
 */
async function runSteps(
  steps: readonly Step[],
  context: Context,
  totals: Counts,
): Promise<readonly Finished[]> {
  const running: { step: Step; finished: Promise<Finished> }[] = [];
  for (const step of steps) {
    const before = running.filter((other) =>
      other.step.lane === step.lane || step.after?.includes(other.step.name)
    );
    const finished = Promise.all(before.map((other) => other.finished)).then(() => timed(step, context));
    finished.catch(() => {}); // the loop below meets it, unless an earlier step threw
    running.push({ step, finished });
  }
  for (const { step, finished } of running) report(step, await finished, context, totals);
  return await Promise.all(running.map(({ finished }) => finished));
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  if (args.includes("--list")) {
    for (const step of STEPS) console.log(`${step.name.padEnd(20)}${step.title}`);
    return 0;
  }
  const options = parseOptions(args);
  const totals: Counts = { passed: 0, failed: 0, skipped: 0 };
  const start = performance.now();
  using interruption = new Interruption();
  const { signal } = interruption;
  try {
    const needs = { zig: await ensureZig({ signal }), stdFlags: stdFlags(await chooseStd()), signal };
    let recording: Promise<string> | undefined;
    const context: Context = {
      options,
      ...needs,
      changed: options.changed ? await findChanged(signal) : undefined,
      recording: () => recording ??= makeRecording(needs),
    };
    const steps = selectSteps(context);
    if (steps.length === 0) note("nothing has changed since the last commit");
    const finished = await runSteps(steps, context, totals);
    const ran = finished.flatMap((each) => each.ran ?? []);
    const table = coverageTable(ran, finished.flatMap((each) => each.skippedLevels ?? []));
    if (table !== "") console.log(`\n${table}`);
  } catch (error) {
    totals.failed++;
    note(signal.aborted ? "interrupted" : error instanceof Error ? error.message : String(error));
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`\n${seconds} s in all${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    note(error.message);
    Deno.exit(2);
  }
}
