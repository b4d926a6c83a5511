import { type BlockRun, BlockTable } from "../mod.ts";

/**
 * What a sequence with these blocks in order of position has, where there is one group of layers. With several, each has as many
 * blocks of its own, `stride` behind those of the group before.
 */
export function tablesOf(blocks: readonly number[], groups = 1, stride = 0): BlockTable[] {
  return Array.from({ length: groups }, (_, group) => {
    const table = new BlockTable();
    table.append(runsOf(blocks.map((block) => block + group * stride)));
    return table;
  });
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
