import { type BlockRun, BlockTable } from "../mod.ts";

/** What a sequence with these blocks in order of position has, where there is one group of layers. */
export function tablesOf(blocks: readonly number[]): BlockTable[] {
  const table = new BlockTable();
  table.append(runsOf(blocks));
  return [table];
}

/** Blocks as runs. */
export function runsOf(blocks: readonly number[]): BlockRun[] {
  const runs: { first: number; length: number }[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.length === block) last.length++;
    else runs.push({ first: block, length: 1 });
  }
  return runs;
}

/** The blocks of runs, one by one. */
export function listed(runs: readonly BlockRun[]): number[] {
  return runs.flatMap(({ first, length }) => Array.from({ length }, (_, i) => first + i));
}
