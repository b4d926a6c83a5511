/**
 * Whether a trial chose well: the chosen point beside a grid of others, each measured several times in turns under the
 * same load; and whether serving with the written configuration gives what the report says.
 *
 * deno task run bench/trial_grid.ts kumi-trial/report.json [--points 48] [--runs 3] [--results grid.jsonl]
 * @module
 */

import { startServeProcess } from "../src/cli/trial/serve_process.ts";
import { checkedConfig } from "../src/cli/trial/folder.ts";
import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { renderTable } from "../src/cli/table.ts";
import { formatFigure } from "../src/cli/units.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { fileStore, Journal } from "../src/trial/journal.ts";
import { kumiConfig } from "../src/trial/kumi_config.ts";
import { limitedSource, profileSource } from "../src/trial/load_source.ts";
import type { RunWish } from "../src/trial/measurer.ts";
import { type ProfileName, PROFILES } from "../src/trial/profiles.ts";
import type { PointSettings, TrialReport } from "../src/trial/report_data.ts";
import { describeSettings } from "../src/trial/rounds.ts";
import { ServerMeasurer } from "../src/trial/server_measurer.ts";
import { interval, isAbove, mean, relativeSpread } from "../src/trial/statistics.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/trial_grid.ts",
  summary: "a trial's choice beside a grid of other points, and its configuration served again",
  usage: "REPORT.json [--points N] [--runs N] [--drop SHARE] [--seconds S] [--results FILE]",
  positionals: { min: 1, max: 1 },
  options: [
    { name: "points", value: "N", help: "points of the grid, beside the chosen one", default: "48" },
    { name: "runs", value: "N", help: "of each point", default: "3" },
    {
      name: "drop",
      value: "SHARE",
      help: "points whose first run had less than this share of the best are not run again",
      default: "0",
    },
    { name: "seconds", value: "S", help: "of each run (default: as the trial's first round)" },
    {
      name: "results",
      value: "FILE",
      help: "what was measured; goes on where it was",
      default: "grid.jsonl",
    },
  ],
  run: runGrid,
};

interface GridRun {
  readonly goodPerSecond: number | null;
}

async function runGrid(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number, integer = true) =>
    numberOption(args, name, { min, max, integer });
  const report: TrialReport = JSON.parse(await Deno.readTextFile(args.positional[0]));
  if (report.chosen === null) throw new UsageError("the report has no chosen point");
  if (report.traffic.source !== "profile") throw new UsageError("the report is not of a profile");
  const runs = number("runs", 1, 100)!;
  const seconds = number("seconds", 1, 3600, false) ?? report.search.rounds[0].secondsPerRun;
  const journal = new Journal(
    fileStore(args.values.get("results")!),
    `${report.startedAt}\nseconds=${seconds}`,
    {
      clock: () => performance.now(),
      now: () => new Date().toISOString(),
    },
  );
  const path = await resolveModelFile(report.model.spec);
  const profile = PROFILES[report.traffic.name as ProfileName];
  const folder = await Deno.makeTempDir();
  const signal = new AbortController().signal;
  await using measurer = new ServerMeasurer({
    source: limitedSource(
      profileSource(report.traffic.name, profile, report.model),
      report.traffic.promptLimits,
    ),
    objectives: report.objectives,
    usableCpus: report.machine.usableCpus,
    energy: null,
    signal,
    start: async (settings) => {
      const config = `${folder}/config.json`;
      const asked = { ...kumiConfig(path, settings, report.objectives), host: "127.0.0.1", port: 0 };
      await Deno.writeTextFile(config, checkedConfig({ ...asked, exitWithParent: true }));
      const program = new URL("../src/cli/main.ts", import.meta.url).href;
      return await startServeProcess({ config, program, signal });
    },
  });
  const perSecond = report.search.rounds[report.search.rounds.length - 1].requestsPerSecond;
  const measure = async (key: string, wish: Omit<RunWish, "drainMs">) =>
    await journal.step<GridRun>(key, async () => {
      const { measures } = await measurer.run({ ...wish, drainMs: 60_000 });
      return { goodPerSecond: measures?.all.goodPerSecond ?? null };
    });

  await checkServing(report, runs, measure);
  const points = drawPoints(report, number("points", 1, 10_000)!);
  const drop = number("drop", 0, 1, false)!;
  const values: number[][] = points.map(() => []);
  for (let run = 0; run < runs; run++) {
    const best = Math.max(0, ...values.map(([first]) => first ?? 0));
    for (const [i, settings] of points.entries()) {
      if (run > 0 && i > 0 && (values[i][0] ?? 0) < drop * best) continue;
      const key = `${JSON.stringify(settings)} run ${run}`;
      const { goodPerSecond } = await measure(key, { settings, perSecond, seconds, seed: 5000 + run });
      if (goodPerSecond !== null) values[i].push(goodPerSecond);
      console.error(`run ${run + 1} of ${runs}, ${i + 1} of ${points.length}: ${goodPerSecond?.toFixed(3)}`);
    }
  }
  print(points, values);
  return 0;
}

/** The highest load again, with the configuration that the trial wrote. */
async function checkServing(
  { chosen, seed }: TrialReport,
  runs: number,
  measure: (key: string, wish: Omit<RunWish, "drainMs">) => Promise<GridRun>,
): Promise<void> {
  const { settings, measures, highestLoad } = chosen!;
  const perSecond = highestLoad.requestsPerSecond;
  if (perSecond === null) return;
  const seconds = measures.seconds;
  const values: number[] = [];
  for (let run = 0; run < runs; run++) {
    const wish = { settings, perSecond, seconds, seed: seed + 7 };
    values.push((await measure(`serving ${run}`, wish)).goodPerSecond ?? 0);
  }
  const reported = measures.all.goodPerSecond;
  console.log(
    `served with the configuration: ${values.map(formatFigure).join(", ")} good/s, the report says ${
      formatFigure(reported)
    }: ${(100 * mean(values) / reported).toFixed(1)} %`,
  );
}

/** The chosen point first, then as many others, drawn at random: no order of the trial's own decides. */
function drawPoints({ chosen, search }: TrialReport, count: number): PointSettings[] {
  const random = randomFrom(20_261_130);
  const values = <T>(name: string) => search.dimensions[name] as readonly T[];
  const pick = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)];
  const placements = values<string>("placement").map((text) => {
    const [, workers, threads, cpus] = /^(\d+) × (\d+)(?: on (.*))?$/.exec(text)!;
    return { workers: Number(workers), threads: Number(threads), cpus: cpus ?? null };
  });
  const drawn = new Map<string, PointSettings>([[JSON.stringify(chosen!.settings), chosen!.settings]]);
  for (let tries = 0; drawn.size <= count && tries < 100 * count; tries++) {
    const settings: PointSettings = {
      ...pick(placements),
      sequencesMax: pick(values<number>("sequencesMax")),
      batchTokens: pick(values<number>("batchTokens")),
      maxWaitMs: pick(values<number>("maxWaitMs")),
      kvFormat: pick(values<string>("kvFormat")),
      kvTokens: chosen!.settings.kvTokens,
      prefixCache: pick(values<boolean>("prefixCache")),
    };
    drawn.set(JSON.stringify(settings), settings);
  }
  return [...drawn.values()];
}

function print(points: readonly PointSettings[], values: readonly number[][]): void {
  const order = points.map((_, i) => i).filter((i) => values[i].length > 0)
    .sort((a, b) => mean(values[b]) - mean(values[a]));
  const spread = relativeSpread(values) ?? 0;
  console.log(renderTable(
    ["", "good/s", "95 % from", "to", "of the best"],
    order.map((i) => {
      const { mean: middle, low, high } = interval(values[i], spread * mean(values[i]));
      const share = `${(100 * middle / mean(values[order[0]])).toFixed(1)} %`;
      const name = `${i === 0 ? "CHOSEN " : ""}${describeSettings({ settings: points[i] })}`;
      return [name, formatFigure(middle), formatFigure(low), formatFigure(high), share];
    }),
  ));
  const best = order[0];
  const told = best !== 0 && isAbove(values[best], values[0], spread * mean(values[0]));
  console.log(
    `equal runs differ by ${(100 * spread).toFixed(1)} %; the chosen point has ${
      (100 * mean(values[0]) / mean(values[best])).toFixed(1)
    } % of the best, ${told ? "and is told from it" : "and is not told from it (95 %)"}`,
  );
}

await runScript(COMMAND);
