/**
 * What a CPU quota does to a team of threads: prefill and decode with each number of threads in a control
 * group that may use only so many CPUs' worth of time. The numbers of threads take turns under each quota.
 * Linux, as root.
 *
 * deno task run bench/quota.ts [--shape smollm-135m] [--format q8_0] [--quotas 0.5,1,1.5,2] [--threads 1,2]
 * @module
 */

import { type BenchCase, contextOf, kvTokensOf, prepare, type PreparedCase } from "../src/cli/bench/cases.ts";
import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberListOption, numberOption } from "../src/cli/command.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { CpuQuota } from "./support/cpu_quota.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/quota.ts",
  summary: "threads under CPU quotas",
  usage: "[--shape NAME] [--format FORMAT] [--quotas Q,…] [--threads N,…] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "smollm-135m" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q8_0" },
    { name: "quotas", value: "Q,…", help: "CPUs' worth of time, fractions too", default: "0.5,1,1.5,2" },
    { name: "threads", value: "N,…", help: "numbers of threads", default: "1,2" },
    { name: "prompt", value: "N", help: "tokens of a prompt", default: "128" },
    { name: "steps", value: "N", help: "steps of a decode run", default: "64" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each; the medians count", default: "5" },
  ],
  run: runQuota,
};

interface Team extends Disposable {
  readonly threads: number;
  readonly prefill: PreparedCase;
  /** One step. */
  readonly decode: PreparedCase;
}

async function runQuota(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 1, max: 4096, integer: true })!;
  const [tokens, steps, repeat] = [number("prompt"), number("steps"), number("repeat")];
  const quotas = args.values.get("quotas")!.split(",").map(Number);
  const path = await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  using quota = CpuQuota.enter();
  using stack = new DisposableStack();
  const teams: Team[] = [];
  for (const threads of numberListOption(args, "threads", { min: 1, max: 512 })!) {
    teams.push(stack.use(await loadTeam(path, threads, tokens)));
  }
  console.log(`${path}, ${processorName()}\n`);
  const rows: string[][] = [];
  for (const cpus of quotas) {
    quota.set(cpus);
    const seconds = teams.map(() => ({
      prefill: [] as number[],
      decode: [] as number[],
      steps: [] as number[],
    }));
    for (let round = -1; round < repeat; round++) {
      for (const [i, team] of teams.entries()) {
        const times = Array.from({ length: steps }, () => team.decode.run());
        const prefill = team.prefill.run();
        if (round < 0) continue;
        seconds[i].decode.push(times.reduce((sum, time) => sum + time, 0));
        seconds[i].steps.push(...times);
        seconds[i].prefill.push(prefill);
      }
    }
    for (const [i, { threads }] of teams.entries()) {
      const { prefill, decode, steps: each } = seconds[i];
      const sorted = each.toSorted((a, b) => a - b);
      const at = (share: number) => `${(1000 * sorted[Math.floor((sorted.length - 1) * share)]).toFixed(1)}`;
      const speeds = [tokens / median(prefill), steps / median(decode)].map((speed) => speed.toFixed(1));
      rows.push([`${cpus}`, `${threads}`, ...speeds, at(0.5), at(0.99)]);
    }
  }
  console.log(renderTable(["quota", "threads", "prefill/s", "decode/s", "step ms p50", "p99"], rows));
  return 0;
}

async function loadTeam(path: string, threads: number, tokens: number): Promise<Team> {
  const cases = {
    prefill: { test: "prefill", tokens, batch: 1, depth: 0 },
    decode: { test: "decode", tokens: 1, batch: 1, depth: 63 },
  } as const satisfies Record<string, BenchCase>;
  const all = Object.values(cases);
  using file = await openGguf(path);
  const runner = await loadModelRunner(file, {
    threads,
    contextLength: Math.max(...all.map(contextOf)),
    kvTokens: Math.max(...all.map(kvTokensOf)),
  });
  return {
    threads,
    prefill: prepare(runner, cases.prefill),
    decode: prepare(runner, cases.decode),
    [Symbol.dispose]: () => runner.close(),
  };
}

if (import.meta.main) await runScript(COMMAND);
