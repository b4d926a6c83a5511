import type { Sequence } from "./sequence.ts";

/**
 * Which states are worth keeping. A snapshot takes the memory of many KV blocks, so there are few: behind what
 * prompts have in common, at the end of each prompt, and the latest one of what is under way.
 */
export interface SnapshotPolicy {
  /** A lasting snapshot is at least so many blocks behind the one before it: fewer are soon computed again. */
  readonly gapBlocks: number;
  /**
   * The latest state is kept every so many blocks of a prompt, for when it loses its place in memory or its
   * sender asks again.
   */
  readonly promptBlocks: number;
  /** … and of an answer, for whoever goes on with it. */
  readonly answerBlocks: number;
  /**
   * The snapshot at a prompt's end is at least so many tokens before it: templates end a prompt with a few
   * tokens that the next turn does not have there.
   */
  readonly tailTokens: number;
}

/**
 * Chosen by replaying conversations (`deno task sim --states FILE`): a quarter of the gap, or four times as many
 * snapshots of answers, find no more than one part in a hundred more, and eight times the gap 3 % less.
 */
export const SNAPSHOT_POLICY: SnapshotPolicy = {
  gapBlocks: 4,
  promptBlocks: 128,
  answerBlocks: 8,
  tailTokens: 8,
};

/**
 * Positions behind those computed at which a state is to be kept for good, ascending. `shared`: where others
 * leave it, as far as that is known.
 */
export function lastingBorders(
  { first, promptTokens, keptTokens }: Pick<Sequence, "first" | "promptTokens" | "keptTokens">,
  shared: Iterable<number>,
  blockTokens: number,
  { gapBlocks, tailTokens }: SnapshotPolicy,
): number[] {
  const end = promptTokens - Math.max(1, tailTokens);
  const borders: number[] = [];
  let last = keptTokens;
  for (const position of [...shared, end].sort((a, b) => a - b)) {
    const border = position - position % blockTokens;
    if (border <= first || border > end || border < last + gapBlocks * blockTokens) continue;
    borders.push(border);
    last = border;
  }
  return borders;
}

/** Whether the state that a sequence has is worth keeping until a later one of it is. */
export function isWorthKeeping(
  { first, promptTokens, keptTokens }: Pick<Sequence, "first" | "promptTokens" | "keptTokens">,
  blockTokens: number,
  { promptBlocks, answerBlocks }: SnapshotPolicy,
): boolean {
  if (first % blockTokens !== 0) return false;
  const blocks = first < promptTokens ? promptBlocks : answerBlocks;
  return first - keptTokens >= blocks * blockTokens;
}
