/**
 * Which layers share a list of KV blocks. Layers with one window do: once the window has moved on, all of them can do without
 * the same blocks. A block belongs to one group at a time and the layers of different groups share its memory, so groups
 * should have equally many layers: a block then takes the same memory whoever has it.
 * @module
 */

import { blocksAtOnce, BlockTable, firstSeen } from "../../scheduler/mod.ts";
import { limits } from "../ffi/symbols.ts";
import type { KvLayerShape } from "../layers/shape.ts";
import { BLOCK_TOKENS, type KvTable } from "./batch.ts";

/** A model's groups. */
export interface KvGroups {
  /** By group, how many tokens a query sees in its layers; undefined: all up to its own. Those come first. */
  readonly windows: readonly (number | undefined)[];
  /** By layer. */
  readonly groupOf: readonly number[];
}

/** More lists for a sequence than this cost more time than the memory is worth that they save. */
const GROUPS_PER_WINDOW_MAX = 8;

/**
 * Groups of at most as many layers as the rarest window has. So a model with one window has one group, one whose layers
 * alternate two, and one with five windowed layers after each that sees everything six.
 */
export function groupLayers(layers: readonly Pick<KvLayerShape, "window">[]): KvGroups {
  const byWindow = Map.groupBy(layers.keys(), (layer) => layers[layer].window);
  if (byWindow.size > limits.kvGroupsMax / GROUPS_PER_WINDOW_MAX) {
    throw new RangeError(
      `A model's layers may have ${limits.kvGroupsMax / GROUPS_PER_WINDOW_MAX} different windows at most, ` +
        `current value is ${byWindow.size}`,
    );
  }
  const counts = [...byWindow.values()].map((group) => group.length);
  const layersMax = Math.max(Math.min(...counts), Math.ceil(Math.max(...counts) / GROUPS_PER_WINDOW_MAX));
  const windows: (number | undefined)[] = [];
  const groupOf: number[] = Array(layers.length).fill(0);
  for (
    const [window, members] of [...byWindow].sort(([a = Infinity], [b = Infinity]) => b === a ? 0 : b - a)
  ) {
    members.forEach((layer, i) => groupOf[layer] = windows.length + Math.floor(i / layersMax));
    for (let i = 0; i < members.length; i += layersMax) windows.push(window);
  }
  return { windows, groupOf };
}

/** Blocks that one sequence of up to `tokens` tokens takes at most, by group, where a step has up to `stepTokensMax` tokens. */
export function blocksByGroup(
  windows: readonly (number | undefined)[],
  tokens: number,
  stepTokensMax: number,
): number[] {
  const places = Math.ceil(tokens / BLOCK_TOKENS);
  return windows.map((window) => Math.min(places, blocksAtOnce(window, stepTokensMax, BLOCK_TOKENS)));
}

/** What has a KV cache to itself: a runner. */
export interface KvOwner {
  readonly kvWindows: readonly (number | undefined)[];
  readonly batchTokensMax: number;
}

/**
 * Lists of blocks for a slice of a sequence where nobody else hands blocks out: for the `index`-th of sequences that all have
 * up to `tokensMax` tokens. Blocks that have left a window are written again.
 */
export function soloTables(
  owner: KvOwner,
  tokensMax: number,
  slice: { first: number; count: number },
  index = 0,
): KvTable[] {
  const { kvWindows, batchTokensMax } = owner;
  const blocks = blocksByGroup(kvWindows, tokensMax, batchTokensMax);
  let base = index * blocks.reduce((sum, count) => sum + count, 0);
  return kvWindows.map((window, group) => {
    const start = firstSeen(window, slice.first, BLOCK_TOKENS);
    const end = window === undefined
      ? Math.ceil(tokensMax / BLOCK_TOKENS)
      : Math.ceil((slice.first + slice.count) / BLOCK_TOKENS);
    const table = new BlockTable();
    table.skip(start);
    for (let place = start; place < end;) {
      const at = place % blocks[group];
      const length = Math.min(end - place, blocks[group] - at);
      table.append([{ first: base + at, length }]);
      place += length;
    }
    base += blocks[group];
    return table;
  });
}
