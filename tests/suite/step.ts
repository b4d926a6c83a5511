/** What every step of the suite is made of. @module */

import { zigBuildCommand, zigEnvironment } from "../../src/setup/build.ts";
import { ROOT } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import type { Ran, Skipped } from "../emulation/coverage.ts";
import { type Counts, stripColors } from "../run_counts.ts";

export interface Options {
  readonly only: readonly string[];
  readonly filter?: string;
  readonly long: boolean;
  readonly verbose: boolean;
  readonly changed: boolean;
  readonly files: readonly string[];
}

/** What a step's run says. */
export interface Outcome {
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

/** One step. Steps of a lane run one after another. */
export interface Step {
  readonly name: string;
  readonly title: string;
  readonly lane: "tools" | "native" | "emulated" | "aarch64" | "deno";
  /** Steps of other lanes that come before it, where they are run at all. */
  readonly after?: readonly string[];
  run(context: Context): Promise<Outcome>;
}

/** What a change concerns. */
export interface Changed {
  /** Test files, the nearest first. */
  readonly tests: readonly string[];
  readonly steps: readonly string[];
}

export interface Context {
  readonly options: Options;
  readonly zig: string;
  readonly stdFlags: readonly string[];
  readonly signal: AbortSignal;
  readonly changed?: Changed;
  /** Path of the recorded forward passes, which are made once. */
  recording(): Promise<string>;
}

/** Only against what hangs: a busy machine may take long. */
const TIMEOUT_MINUTES = 45;

/** Runs a command to its end. */
export async function tool(
  context: Context,
  command: readonly string[],
  env: Record<string, string> = {},
  minutes = TIMEOUT_MINUTES,
): Promise<Outcome> {
  const stop = AbortSignal.timeout(minutes * 60_000);
  const result = await capture(command, {
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    signal: context.signal,
    stop,
  });
  if (result === null) return { ok: false, output: `${command[0]} not found` };
  const output = stripColors(result.stdout + result.stderr);
  if (!stop.aborted) return { ok: result.code === 0, output };
  return {
    ok: false,
    output: `${output}
stopped after ${minutes} minutes: ${command.join(" ")}`,
  };
}

/**
 * Steps of build.zig. They give way to the TypeScript tests, which wait for one thing after another, where
 * the system knows how.
 */
export async function zigBuild(context: Context, ...args: string[]): Promise<Outcome> {
  const build = ["--build-file", `${ROOT}/kernels/build.zig`, "--summary", "all", ...args];
  const command = zigBuildCommand(context.zig, build);
  const prefix = Deno.build.os === "windows" ? [] : ["nice", "-n", "10"];
  return await tool(context, [...prefix, ...command], zigEnvironment());
}

/** What a step says that threw. Throws where the whole run was interrupted. */
export function failure(error: unknown, context: Context): Outcome {
  context.signal.throwIfAborted();
  return { ok: false, output: error instanceof Error ? error.message : String(error) };
}
