/** The steps of `deno task test`, in the order in which they are told. @module */

import { ensureLibrary, ensureReferenceLibrary } from "../../src/setup/build.ts";
import { BUILD } from "../../src/setup/paths.ts";
import {
  ensureProgram,
  findProgram,
  INSTALLABLE,
  missingReason,
  ProgramMissing,
} from "../../src/setup/programs.ts";
import { type Arch, checkObjects } from "../disassembly/check.ts";
import { readRuns } from "../emulation/coverage.ts";
import { emulatedTests, type LevelsOutcome, nativeTests } from "../emulation/levels.ts";
import { countZigTests } from "../run_counts.ts";
import { denoTests } from "./deno_tests.ts";
import { type Context, failure, type Outcome, type Step, tool, zigBuild } from "./step.ts";

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

/**
 * Builds a library. The tests of benchmarks need the references, too: compiled here, they keep no test
 * waiting.
 */
async function library(context: Context, ensure: typeof ensureLibrary): Promise<Outcome> {
  try {
    const path = await ensure({ zig: () => Promise.resolve(context.zig), signal: context.signal });
    return { ok: true, output: path };
  } catch (error) {
    return failure(error, context);
  }
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

/**
 * Installs what tests want and this machine lacks, where that is small and needs no root. What cannot be had
 * is said; it is no failure.
 */
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

/**
 * Looks for instructions beyond its level's features in every object, and beyond the least level's in the
 * rest of the library.
 */
async function disassembly(context: Context, arch: Arch): Promise<Outcome> {
  const step = arch === Deno.build.arch ? "objects" : `objects-${arch}`;
  const built = await zigBuild(context, step, "--prefix", BUILD);
  return built.ok ? await checkObjects(`${BUILD}/objects/${arch}`, arch, context.signal) : built;
}

export const STEPS: readonly Step[] = [
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
    name: "references",
    title: "the library of scalar references builds",
    lane: "native",
    run: (context) => library(context, ensureReferenceLibrary),
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
    name: "disassembly",
    title: "no instruction is beyond its level",
    lane: "native",
    run: (context) => disassembly(context, Deno.build.arch),
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
    // Emulators take one processor for minutes: they begin early, so that the others are not idle at the end.
    after: ["kernels", "references"],
    run: (context) => zigTests(context, emulatedTests),
  },
  {
    name: "disassembly-aarch64",
    title: "no instruction is beyond its level, aarch64",
    lane: "aarch64",
    after: ["kernels", "references"],
    run: (context) => disassembly(context, "aarch64"),
  },
  {
    name: "zig-test-aarch64",
    title: "Zig unit tests, aarch64 under qemu",
    lane: "aarch64",
    run: aarch64,
  },
  {
    name: "deno-test",
    title: "TypeScript tests and doc examples",
    lane: "deno",
    after: ["programs", "kernels", "references"],
    run: denoTests,
  },
];
