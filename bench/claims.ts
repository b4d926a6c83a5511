/**
 * The founding claims, tested: each pillar switched off in turn, and the factor that it brings. Results are added to
 * a file, so that a part can be measured again when the machine is quiet; docs/claims.md is made of it.
 *
 * deno task run bench/claims.ts [--results docs/claims.json] [--only PILLAR,…] [--models smollm2,1b] [--page]
 * @module
 */

import { Kernels } from "../src/ffi/context.ts";
import { isaReport } from "../src/ffi/isa.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { processorName } from "../src/cli/system.ts";
import { ensurePlainLibrary } from "../src/setup/build.ts";
import { type Level, measureLevels } from "./claims/instruction_sets.ts";
import { renderPage, renderPicture } from "./claims/page.ts";
import { type ClaimResult, factorOf, median, merge } from "./claims/result.ts";
import {
  batching,
  dynamicKv,
  latencyClasses,
  prefixSharing,
  type ServingOptions,
  together,
  workers,
} from "./claims/serving.ts";
import { runScript } from "./support/script.ts";

const SERVING: Readonly<Record<string, (options: ServingOptions) => Promise<ClaimResult[]>>> = {
  batching,
  kv: dynamicKv,
  workers,
  classes: latencyClasses,
  prefixes: prefixSharing,
};
const PILLARS = ["isa", ...Object.keys(SERVING), "together"];
const MODELS = ["smollm2", "1b"];

const COMMAND: Command = {
  name: "bench/claims.ts",
  summary: "each pillar switched off in turn: the factor that it brings",
  usage: "[--results FILE] [--only PILLAR,…] [--models NAME,…] [--rounds N] [--page]",
  positionals: { min: 0, max: 0 },
  options: [
    {
      name: "results",
      value: "FILE",
      help: "where results are kept, beside the page",
      default: "docs/claims.json",
    },
    { name: "only", value: "NAME,…", help: `some of ${PILLARS.join(", ")}` },
    {
      name: "models",
      value: "NAME,…",
      help: "smollm2 (a model of 135 million), 1b (random weights)",
      default: "smollm2,1b",
    },
    { name: "smollm2", value: "PATH", help: "the file of the small model", default: "smollm2" },
    { name: "rounds", value: "N", help: "runs of each condition; medians count", default: "3" },
    {
      name: "threads",
      alias: "t",
      value: "N",
      help: "of the instruction sets; default: the cores there are",
    },
    {
      name: "page",
      help: "write claims.md and claims.svg beside the results, and measure nothing unless --only is there",
    },
  ],
  run: runClaims,
};

/** Where results lie, and those of before. */
async function readResults(path: string): Promise<ClaimResult[]> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function namesOf(args: Arguments, option: string, all: readonly string[]): string[] {
  const names = args.values.get(option)?.split(",") ?? [...all];
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--${option} takes ${all.join(", ")}, current value is ${unknown}`);
  }
  return names;
}

/** What this machine and this library can do, SIMD off first. */
async function levelsHere(): Promise<Level[]> {
  const supported = new Set(isaReport().levels.filter((each) => each.supported).map(({ name }) => name));
  const steps: Level[] = [
    { name: "AVX2", isa: "x86_64_v3" },
    { name: "AVX-512", isa: "x86_64_v4" },
    { name: "AVX-512 VNNI, BF16", isa: "x86_64_v4_bf16" },
    { name: "AMX", isa: "amx" },
  ];
  return [
    { name: "SIMD off", libraryPath: await ensurePlainLibrary() },
    ...steps.filter(({ isa }) => supported.has(isa!) && isBuilt(isa!)),
  ];
}

/** KUMI_BUILD_LEVELS may have left it out. */
function isBuilt(isa: string): boolean {
  try {
    Kernels.open({ threads: 1, isa, workspaceBytes: 64 })[Symbol.dispose]();
    return true;
  } catch (error) {
    console.error(`without ${isa}: ${(error as Error).message}`);
    return false;
  }
}

async function runClaims(args: Arguments): Promise<number> {
  const path = args.values.get("results")!;
  const rounds = numberOption(args, "rounds", { min: 1, max: 100, integer: true })!;
  const threads = numberOption(args, "threads", { min: 1, max: 1024, integer: true });
  const pillars = namesOf(args, "only", PILLARS);
  let results = await readResults(path);
  if (!args.switches.has("page") || args.values.has("only")) {
    for (const name of namesOf(args, "models", MODELS)) {
      const model = await modelOf(name, args.values.get("smollm2")!);
      for (const pillar of pillars) {
        const found = await measurePillar(pillar, model, { rounds, threads });
        for (const result of found) print(result);
        // Kept at once: whatever happens to the next one, this one need not be measured again.
        results = merge(results, found);
        await Deno.writeTextFile(path, `${JSON.stringify(results, null, 1)}\n`);
      }
    }
  }
  const page = path.replace(/\.json$/, "");
  await Deno.writeTextFile(`${page}.md`, renderPage(results, `${page.replace(/.*\//, "")}.svg`));
  // As all pages are.
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", `${page}.md`],
    stdout: "null",
    stderr: "null",
  })
    .output();
  if (results.length > 0) await Deno.writeTextFile(`${page}.svg`, renderPicture(results));
  return 0;
}

interface ClaimModel {
  readonly label: string;
  readonly path: string;
  /** The same shape in BF16; null where there is no such file. */
  readonly bf16: string | null;
}

async function modelOf(name: string, smollm2: string): Promise<ClaimModel> {
  if (name === "smollm2") {
    return { label: "SmolLM2 135M, Q4_1", path: await resolveModelFile(smollm2), bf16: null };
  }
  return {
    label: "Llama 1B, Q4_K",
    path: await randomModelFile("llama-1b", "q4_k"),
    bf16: await randomModelFile("llama-1b", "bf16"),
  };
}

async function measurePillar(
  pillar: string,
  { label, path, bf16 }: ClaimModel,
  { rounds, threads }: { readonly rounds: number; readonly threads: number | undefined },
): Promise<ClaimResult[]> {
  const about = { processor: processorName(), date: new Date().toISOString().slice(0, 10) };
  if (pillar === "isa") {
    return await measureLevels(await levelsHere(), { path, model: label, rounds, threads, about });
  }
  const options = { path, model: label, rounds, about };
  if (pillar !== "together") return await SERVING[pillar](options);
  if (bf16 === null) return [];
  return await together({ ...options, bf16, plain: await ensurePlainLibrary() });
}

function print(result: ClaimResult): void {
  const parts = result.conditions.map((condition) =>
    `${condition.name} ${median(condition.values).toPrecision(3)} (${
      factorOf(result, condition).toFixed(2)
    }×)`
  );
  console.log(`${result.pillar}, ${result.model}, ${result.load}, ${result.unit}: ${parts.join("; ")}`);
}

await runScript(COMMAND);
