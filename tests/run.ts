/**
 * `deno task test`: formatting, lint, types, the generated bindings, the Zig tests, the TypeScript tests. The last line is
 * `N passed, N failed`: each step counts as one test beside the tests that it ran. Exit status 1 when anything failed.
 * @module
 */

import {
  ensureLibrary,
  ensureReferenceLibrary,
  zigBuildCommand,
  zigEnvironment,
} from "../src/setup/build.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { BUILD, ROOT } from "../src/setup/paths.ts";
import { capture, Interruption } from "../src/setup/process.ts";
import {
  ensureProgram,
  findProgram,
  INSTALLABLE,
  missingReason,
  ProgramMissing,
} from "../src/setup/programs.ts";
import { note } from "../src/setup/progress.ts";
import { ensureZig } from "../src/setup/zig.ts";
import { type Arch, checkObjects } from "./disassembly/check.ts";
import { coverageTable, type Ran, readRuns, type Skipped } from "./emulation/coverage.ts";
import { emulatedTests, type LevelsOutcome, nativeTests } from "./emulation/levels.ts";
import { makeRecording } from "./emulation/recording.ts";
import { countDenoTests, type Counts, countZigTests, skippedDenoTests, stripColors } from "./run_counts.ts";

const HELP = `usage: deno task test [options] [test files]

  --only STEP     run only this step and what it needs; may be repeated
  --filter TEXT   run only tests whose name contains TEXT (steps zig-test and deno-test)
  --long          100,000 mutations in the fuzz test instead of 2,000 (sets KUMI_FUZZ)
  --verbose       print the output of steps that pass, too
  --list          list the steps
  --help          this text

Test files, if given, are passed to deno test, and only that step runs.`;

/** Only against what hangs: a busy machine may take long. */
const STEP_TIMEOUT_MS = 60 * 60 * 1000;
const TEST_PERMISSIONS = [
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

interface Options {
  readonly only: readonly string[];
  readonly filter?: string;
  readonly long: boolean;
  readonly verbose: boolean;
  readonly files: readonly string[];
}

/** What a step's run says. */
interface Outcome {
  readonly ok: boolean;
  readonly output: string;
  readonly counts?: Counts;
  /** Why it did not run. */
  readonly skipped?: string;
  /** What ran on which instruction-set level, and which levels did not. */
  readonly ran?: readonly Ran[];
  readonly skippedLevels?: readonly Skipped[];
  /** What did not run, or is not there, and why. */
  readonly skippedTests?: readonly string[];
}

/** One step. Steps of a lane run one after another; `alone` steps run after everything before them. */
interface Step {
  readonly name: string;
  readonly title: string;
  readonly lane: "tools" | "native" | "emulated" | "alone";
  run(context: Context): Promise<Outcome>;
}

interface Context {
  readonly options: Options;
  readonly zig: string;
  readonly stdFlags: readonly string[];
  readonly signal: AbortSignal;
  /** Path of the recorded forward passes, which are made once. */
  recording(): Promise<string>;
}

async function tool(
  context: Context,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const timeout = AbortSignal.timeout(STEP_TIMEOUT_MS);
  const signal = AbortSignal.any([context.signal, timeout]);
  try {
    const result = await capture(command, { cwd: ROOT, env: { NO_COLOR: "1", ...env }, signal });
    if (result === null) return { ok: false, output: `${command[0]} not found` };
    return { ok: result.code === 0, output: stripColors(result.stdout + result.stderr) };
  } catch (error) {
    if (!timeout.aborted) throw error;
    return { ok: false, output: `stopped after ${STEP_TIMEOUT_MS / 60_000} minutes: ${command.join(" ")}` };
  }
}

async function zigBuild(context: Context, ...args: string[]): Promise<Outcome> {
  const command = zigBuildCommand(context.zig, [
    "--build-file",
    `${ROOT}/kernels/build.zig`,
    "--summary",
    "all",
    ...args,
  ]);
  return await tool(context, command, zigEnvironment());
}

/** Flags of build.zig for the unit tests. */
async function testFlags(context: Context): Promise<string[]> {
  const { filter } = context.options;
  return [
    `-Drecording=${await context.recording()}`,
    ...filter === undefined ? [] : [`-Dtest-filter=${filter}`],
  ];
}

async function zigTests(
  context: Context,
  run: (build: (...args: string[]) => Promise<Outcome>, signal: AbortSignal) => Promise<LevelsOutcome>,
): Promise<Outcome> {
  try {
    const flags = await testFlags(context);
    return await run((...args) => zigBuild(context, ...args, ...flags), context.signal);
  } catch (error) {
    return failure(error, context);
  }
}

function failure(error: unknown, context: Context): Outcome {
  context.signal.throwIfAborted();
  return { ok: false, output: error instanceof Error ? error.message : String(error) };
}

/** Builds a library. The tests of benchmarks need the references, too: compiled here, they keep no test waiting. */
async function library(context: Context, ensure: typeof ensureLibrary): Promise<Outcome> {
  try {
    const path = await ensure({ zig: () => Promise.resolve(context.zig), signal: context.signal });
    return { ok: true, output: path };
  } catch (error) {
    return failure(error, context);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function aarch64(context: Context): Promise<Outcome> {
  if (findProgram("qemu") === undefined) {
    const reason = missingReason("qemu");
    return { ok: true, output: "", skipped: reason, skippedLevels: [{ level: "neon", reason }] };
  }
  try {
    const outcome = await zigBuild(context, "test-aarch64", ...await testFlags(context));
    const { output } = outcome;
    return { ...outcome, counts: countZigTests(output), ran: readRuns(output, "qemu") };
  } catch (error) {
    return failure(error, context);
  }
}

/** Installs what tests want and this machine lacks, where that is small and needs no root. What cannot be had is said; it is no failure. */
async function programs(context: Context): Promise<Outcome> {
  const lines: string[] = [];
  const skippedTests: string[] = [];
  await Promise.all(INSTALLABLE.map(async (name) => {
    try {
      lines.push(`${name}: ${await ensureProgram(name, { signal: context.signal })}`);
    } catch (error) {
      if (!(error instanceof ProgramMissing)) throw error;
      skippedTests.push(error.message);
    }
  }));
  return { ok: true, output: lines.join("\n"), skippedTests };
}

/** Looks for instructions beyond its level's features in every object, and beyond the least level's in the rest of the library. */
async function disassembly(context: Context, arch: Arch): Promise<Outcome> {
  const step = arch === Deno.build.arch ? "objects" : `objects-${arch}`;
  const built = await zigBuild(context, step, "--prefix", BUILD);
  return built.ok ? await checkObjects(`${BUILD}/objects/${arch}`, arch, context.signal) : built;
}

async function denoTest(context: Context): Promise<Outcome> {
  const { options } = context;
  const present: string[] = [];
  for (const path of TESTED) if (await exists(`${ROOT}/${path}`)) present.push(path);
  const files = options.files.length > 0 ? options.files : present;
  const filter = options.filter === undefined ? [] : [`--filter=${options.filter}`];
  const long: Record<string, string> = options.long ? { KUMI_FUZZ: "100000" } : {};
  const outcome = await tool(
    context,
    [
      Deno.execPath(),
      "test",
      "--quiet",
      "--doc",
      ...context.stdFlags,
      ...TEST_PERMISSIONS,
      ...filter,
      ...files,
    ],
    long,
  );
  return {
    ...outcome,
    counts: countDenoTests(outcome.output),
    skippedTests: skippedDenoTests(outcome.output),
  };
}

const STEPS: readonly Step[] = [
  {
    name: "programs",
    title: "optional programs are installed where that is possible",
    lane: "tools",
    run: programs,
  },
  {
    name: "zig-fmt",
    title: "zig fmt --check",
    lane: "tools",
    run: (context) => tool(context, [context.zig, "fmt", "--check", "kernels"]),
  },
  {
    name: "fmt",
    title: "deno fmt --check",
    lane: "tools",
    run: (context) => tool(context, [Deno.execPath(), "fmt", "--check"]),
  },
  {
    name: "lint",
    title: "deno lint",
    lane: "tools",
    run: (context) => tool(context, [Deno.execPath(), "lint"]),
  },
  {
    name: "check",
    title: "deno check",
    lane: "tools",
    run: (context) => tool(context, [Deno.execPath(), "check", "--quiet", ...context.stdFlags, "."]),
  },
  {
    name: "kernels",
    title: "the kernel library builds",
    lane: "native",
    run: (context) => library(context, ensureLibrary),
  },
  {
    name: "symbols",
    title: "src/ffi/symbols.ts is up to date",
    lane: "native",
    run: (context) => zigBuild(context, "check-symbols"),
  },
  {
    name: "systems",
    title: "the library's code compiles for macOS, Windows and musl",
    lane: "native",
    run: (context) => zigBuild(context, "check-systems"),
  },
  {
    name: "references",
    title: "the library of scalar references builds",
    lane: "native",
    run: (context) => library(context, ensureReferenceLibrary),
  },
  {
    name: "disassembly",
    title: "no instruction is beyond its level",
    lane: "native",
    run: (context) => disassembly(context, Deno.build.arch),
  },
  {
    name: "disassembly-aarch64",
    title: "no instruction is beyond its level, aarch64",
    lane: "emulated",
    run: (context) => disassembly(context, "aarch64"),
  },
  {
    name: "zig-test",
    title: "Zig unit tests on this machine's instruction sets",
    lane: "native",
    run: (context) => zigTests(context, nativeTests),
  },
  {
    name: "zig-test-emulated",
    title: "Zig unit tests on other x86-64 instruction sets, under Bochs",
    lane: "emulated",
    run: (context) => zigTests(context, emulatedTests),
  },
  { name: "zig-test-aarch64", title: "Zig unit tests, aarch64 under qemu", lane: "native", run: aarch64 },
  { name: "deno-test", title: "TypeScript tests and doc examples", lane: "alone", run: denoTest },
];

function parseOptions(args: readonly string[]): Options {
  const only: string[] = [];
  const files: string[] = [];
  let filter: string | undefined;
  let long = false;
  let verbose = false;
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
    else if (name.startsWith("-")) throw new TypeError(`unknown option ${name}\n${HELP}`);
    else files.push(args[i]);
  }
  const unknown = only.find((name) => !STEPS.some((step) => step.name === name));
  if (unknown !== undefined) {
    throw new TypeError(
      `no step is called ${unknown}; there are ${STEPS.map((step) => step.name).join(", ")}`,
    );
  }
  return { only, filter, long, verbose, files };
}

/** The steps to run: those asked for, and the library that the TypeScript tests open. */
function selectSteps(options: Options): Step[] {
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
 * Three lanes, so that the cores stay busy: the quick tools, this machine's Zig code and aarch64's, the code under Bochs. The TypeScript tests
 * come last and alone, because some of them watch the clock. Reports come in the order of the steps.
 */
async function runSteps(
  steps: readonly Step[],
  context: Context,
  totals: Counts,
): Promise<readonly Finished[]> {
  const running: { step: Step; finished: Promise<Finished> }[] = [];
  for (const step of steps) {
    const before = running.filter((other) => step.lane === "alone" || other.step.lane === step.lane);
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
    const context: Context = { options, ...needs, recording: () => recording ??= makeRecording(needs) };
    const finished = await runSteps(selectSteps(options), context, totals);
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
