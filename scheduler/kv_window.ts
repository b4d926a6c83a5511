/**
 * How far back queries see, by group of layers; undefined: to the first token. A sequence has a list of
 * blocks for each group, and those of a group with a window give blocks back that no later query sees.
 */
export type KvWindows = readonly (number | undefined)[];

/** Where every layer sees everything. */
export const NO_WINDOWS: KvWindows = [undefined];

/** Place of the first block that a query at `position` sees. */
export function firstSeen(window: number | undefined, position: number, blockTokens: number): number {
  return window === undefined ? 0 : Math.floor(Math.max(0, position + 1 - window) / blockTokens);
}

/** Most blocks of a group that a sequence has at a time: its window's and those of a step. */
export function blocksAtOnce(window: number | undefined, stepTokensMax: number, blockTokens: number): number {
  return window === undefined ? Infinity : Math.ceil((window - 1 + stepTokensMax) / blockTokens) + 1;
}
