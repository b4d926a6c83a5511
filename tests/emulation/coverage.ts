/** What the unit tests ran on which instruction-set level, read from their output, as a table. @module */

/** How a level's tests were run. */
export type Way = "native" | "bochs" | "trap" | "qemu";

/** Runs of an op in a format on a level. */
export interface Ran {
  readonly level: string;
  readonly way: Way;
  readonly op: string;
  readonly format: string;
  readonly runs: number;
}

/** A level whose tests could not run. */
export interface Skipped {
  readonly level: string;
  readonly reason: string;
}

/** The lines `[ran] LEVEL OP FORMAT RUNS` of test programs. */
export function readRuns(output: string, way: Way): Ran[] {
  return [...output.matchAll(/^\[ran\] (\S+) (\S+) (\S+) (\d+)$/gm)].map(([, level, op, format, runs]) => {
    return { level, way, op, format, runs: Number(runs) };
  });
}

const LETTERS: Record<Way, string> = { native: "n", bochs: "b", trap: "t", qemu: "q" };
const LEGEND =
  "runs of an op in tests: n natively, b under Bochs, t with a trap that computes tile instructions, " +
  "q under qemu; - none: a level that builds on another compiles no more than multiplications for itself";

/**
 * A row for each op and format, a column for each level; below it what was skipped and why. Empty for no
 * runs.
 */
export function coverageTable(ran: readonly Ran[], skipped: readonly Skipped[]): string {
  if (ran.length === 0 && skipped.length === 0) return "";
  const levels = [...new Set([...ran, ...skipped].map(({ level }) => level))];
  const kinds = [...new Set(ran.map(({ op, format }) => `${op} ${format}`))].sort();
  const rows = [["op, format", ...levels]];
  for (const kind of kinds) {
    const cells = levels.map((level) =>
      ran.filter((each) => each.level === level && `${each.op} ${each.format}` === kind)
        .map(({ runs, way }) => `${runs}${LETTERS[way]}`).join(" ") || "-"
    );
    rows.push([kind, ...cells]);
  }
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
  );
  const missing = skipped.map(({ level, reason }) => `skipped: ${level}: ${reason}`);
  return [LEGEND, ...lines, ...missing].join("\n");
}
