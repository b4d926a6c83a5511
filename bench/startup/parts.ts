/** Where the time between a command and its first token goes. @module */

import { median } from "../../src/cli/bench/measure.ts";
import { renderTable } from "../../src/cli/table.ts";

/** A command line by its name. */
export type NamedCommand = readonly [name: string, command: readonly string[]];

/** What is measured. */
export interface PartsSetting {
  /** Deno with a program that is empty. */
  readonly nothing: readonly string[];
  /** Whole commands. */
  readonly commands: readonly NamedCommand[];
  /** Prints JSON: ms by the name of a part. */
  readonly laps: readonly string[];
  readonly runs: number;
}

/** Runs everything in turns and resolves to a table of medians in ms. */
export async function partsTable({ nothing, commands, laps, runs }: PartsSetting): Promise<string> {
  const whole: readonly NamedCommand[] = [["Deno with an empty program", nothing], ...commands];
  const samples = new Map<string, number[]>();
  const note = (name: string, ms: number) => samples.set(name, [...samples.get(name) ?? [], ms]);
  for (let run = -1; run < runs; run++) {
    for (const [name, command] of whole) {
      const { ms } = await timed(command);
      if (run >= 0) note(name, ms); // the first round warms caches
    }
    const { output } = await timed(laps);
    if (run >= 0) {
      for (const [name, ms] of Object.entries<number>(JSON.parse(output))) note(`  ${name}`, ms);
    }
  }
  const rows = [...samples].map(([name, all]) => [name, ...figures(all)]);
  return renderTable(["part", "ms", "from", "to"], rows);
}

function figures(all: readonly number[]): string[] {
  return [median(all), Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(0));
}

async function timed([program, ...args]: readonly string[]): Promise<{ ms: number; output: string }> {
  const started = performance.now();
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await child.output();
  const ms = performance.now() - started;
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${text.decode(stderr)}`);
  return { ms, output: text.decode(stdout) };
}
