/**
 * Runs the unit tests on every instruction-set level of x86-64: natively where the processor has it, else
 * under Bochs on a model that has it; those of matrix tiles, too, with a trap that computes the tile
 * instructions.
 * @module
 */

import { BUILD } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { type Counts, countZigTests } from "../run_counts.ts";
import { type Bochs, runUnderBochs } from "./bochs.ts";
import { type Ran, readRuns, type Skipped, type Way } from "./coverage.ts";
import { BochsUnavailable, installBochs } from "./install_bochs.ts";
import { type Model, MODELS, nameOf } from "./models.ts";

/** Where `zig build native-tests` and `zig build emulated-tests` leave the programs. */
export const PREFIX = `${BUILD}/level-tests`;
const PROGRAMS = `${PREFIX}/tests`;
/** Folders whose levels are the library's own; the trap's have a replay of their own. */
const REPLAYED = new Set(["native", "static"]);
const NATIVE_TIMEOUT_MS = 10 * 60 * 1000;
const BOCHS_TIMEOUT_MS = 10 * 60 * 1000;
/** An emulator computes on one processor, and takes 1 GiB of memory for its own. */
const EMULATORS_MAX = 2;
const PROBE_TIMEOUT_MS = 60 * 1000;

/** What a run of tests says. */
export interface LevelsOutcome {
  readonly ok: boolean;
  readonly output: string;
  readonly counts: Counts;
  readonly ran: readonly Ran[];
  readonly skippedLevels: readonly Skipped[];
}

/** Builds steps of build.zig. */
export type Build = (...args: string[]) => Promise<{ ok: boolean; output: string }>;

/** Collects what the programs of a step said. */
class Report {
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  readonly ran: Ran[] = [];
  readonly skippedLevels: Skipped[] = [];
  #output = "";
  #ok = true;

  /** A program of tests that has ended; `status` is undefined for one that did not. */
  program(title: string, way: Way, status: number | undefined, output: string): void {
    const counts = countZigTests(output);
    this.counts.passed += counts.passed;
    this.counts.skipped += counts.skipped;
    this.counts.failed += status === 0 ? counts.failed : Math.max(1, counts.failed);
    this.ran.push(...readRuns(output, way));
    this.note(
      status === 0,
      `${title}: ${status === undefined ? "did not end" : `status ${status}`}\n${output}`,
    );
  }

  check(ok: boolean, text: string): void {
    this.counts[ok ? "passed" : "failed"]++;
    this.note(ok, text);
  }

  note(ok: boolean, text: string): void {
    this.#ok &&= ok;
    this.#output += text + "\n";
  }

  get outcome(): LevelsOutcome {
    return {
      ok: this.#ok,
      output: this.#output,
      counts: this.counts,
      ran: this.ran,
      skippedLevels: this.skippedLevels,
    };
  }
}

/** A program and what it runs: a level's unit tests, or the replay of recorded forward passes on it. */
interface Program {
  readonly title: string;
  readonly level: string;
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * The programs in a folder, and the replay, one program for all levels, on the levels of `REPLAYED` folders.
 */
async function programs(folder: string): Promise<Program[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(`${PROGRAMS}/${folder}`)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const found = names.sort().map((name): Program => {
    const level = name.replace(/_replay$/, "");
    return { title: name, level, path: `${PROGRAMS}/${folder}/${name}`, args: level === name ? [] : [level] };
  });
  if (!REPLAYED.has(folder)) return found;
  const path = `${PROGRAMS}/replay`;
  return found.flatMap((
    tests,
  ) => [tests, { ...tests, title: `${tests.level}_replay`, path, args: [tests.level] }]);
}

async function build(run: Build, step: string, folders: readonly string[], report: Report): Promise<boolean> {
  // What is left of levels that there are no more must not run.
  for (const folder of folders) {
    await Deno.remove(`${PROGRAMS}/${folder}`, { recursive: true }).catch(() => {});
  }
  const { ok, output } = await run(step, "--prefix", PREFIX);
  report.note(ok, output);
  return ok;
}

async function runHere(folder: string, way: Way, report: Report, signal: AbortSignal): Promise<void> {
  for (const { title, path, args } of await programs(folder)) {
    const stopped = AbortSignal.timeout(NATIVE_TIMEOUT_MS);
    try {
      const result = await capture([path, ...args], { signal: AbortSignal.any([signal, stopped]) });
      report.program(`${title}, ${way}`, way, result?.code, (result?.stderr ?? "") + (result?.stdout ?? ""));
    } catch (error) {
      if (!stopped.aborted) throw error;
      report.program(`${title}, ${way}`, way, undefined, "");
    }
  }
}

/** The levels of this machine. */
export async function nativeTests(run: Build, signal: AbortSignal): Promise<LevelsOutcome> {
  const report = new Report();
  if (await build(run, "native-tests", ["native"], report)) await runHere("native", "native", report, signal);
  return report.outcome;
}

/** The levels that this machine lacks, and detection on processors of many kinds. */
export async function emulatedTests(run: Build, signal: AbortSignal): Promise<LevelsOutcome> {
  const report = new Report();
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    report.skippedLevels.push({ level: "other x86-64 levels", reason: "only emulated on x86-64 Linux" });
    report.counts.skipped++;
    return report.outcome;
  }
  const installed = installBochs(signal).catch((error) => {
    if (error instanceof BochsUnavailable) return error;
    throw error;
  });
  installed.catch(() => {}); // met below, unless the build fails
  if (!await build(run, "emulated-tests", ["static", "trap"], report)) return report.outcome;
  await runHere("trap", "trap", report, signal);
  const root = await installed;
  if (typeof root !== "string") {
    const levels = new Set((await programs("static")).map(({ level }) => level));
    const reason = `Bochs is not there: ${root.message}`;
    report.skippedLevels.push(...[...levels].map((level) => ({ level, reason })));
    report.skippedLevels.push({ level: "detection on other processors", reason });
    report.counts.skipped += report.skippedLevels.length;
    return report.outcome;
  }
  const bochs: Bochs = { root, loader: `${PROGRAMS}/loader` };
  // The longest first.
  const runs = [
    ...(await programs("static")).map((program) => () => runEmulated(bochs, program, report, signal)),
    ...MODELS.map((model) => () => checkDetection(bochs, model, report, signal)),
  ];
  const atOnce = Math.min(EMULATORS_MAX, navigator.hardwareConcurrency);
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) await run();
  }));
  return report.outcome;
}

/** The program prints every level that there is, with `yes` or `no`; the best comes first. */
async function checkDetection(
  bochs: Bochs,
  model: Model,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const path = `${PROGRAMS}/supported_levels`;
  const { status, output } = await runUnderBochs(bochs, {
    ...model,
    path,
    timeoutMs: PROBE_TIMEOUT_MS,
    signal,
  });
  const found = [...output.matchAll(/^(\S+) (yes|no)$/gm)];
  const wrong = found.filter(([, level, answer]) => model.levels.includes(level) !== (answer === "yes"));
  const chosen = found.find(([, , answer]) => answer === "yes")?.[1];
  const ok = status === 0 && found.length > 0 && wrong.length === 0;
  report.check(
    ok,
    `${nameOf(model)}: ${chosen ?? output}${wrong.map(([line]) => `, wrong: ${line}`).join("")}`,
  );
}

async function runEmulated(
  bochs: Bochs,
  program: Program,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { title, level, path, args } = program;
  const model = MODELS.find(({ levels }) => levels.includes(level));
  if (model === undefined) {
    report.skippedLevels.push({ level: title, reason: "no model of Bochs has it" });
    report.counts.skipped++;
    return;
  }
  const { status, output, ticks } = await runUnderBochs(bochs, {
    ...model,
    path,
    args,
    timeoutMs: BOCHS_TIMEOUT_MS,
    signal,
  });
  const size = `${(ticks / 1e6).toFixed(0)} million instructions`;
  report.program(`${title}, Bochs's ${nameOf(model)}, ${size}`, "bochs", status, output);
}
