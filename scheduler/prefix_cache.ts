import type { BlockAllocator } from "./block_allocator.ts";
import { type BlockRun, BlockTable } from "./block_table.ts";
import { firstSeen, type KvWindows, NO_WINDOWS } from "./kv_window.ts";
import { NOT_CACHED, PrefixBlocks } from "./prefix_blocks.ts";
import { countTree, fail, positionsOf } from "./prefix_check.ts";
import {
  commonTokens,
  createChild,
  createRoot,
  hashTokens,
  lastGap,
  linkAfter,
  type PrefixNode,
  type PrefixPath,
  splitNode,
  tablesOf,
  unlink,
} from "./prefix_node.ts";
import { lastSnapshot, PrefixSnapshots } from "./prefix_snapshots.ts";
import type { StateSlots } from "./state_slots.ts";

/** What the tree needs to know. */
export interface PrefixCacheOptions {
  /** Tokens in one block. */
  readonly blockTokens: number;
  /**
   * Most blocks that the cache keeps for later; default: as many as there are. With 0 nothing is ever shared.
   */
  readonly blocksMax?: number;
  /** How far back queries see, by group of layers; default: one group, to the first token. */
  readonly windows?: KvWindows;
  /** The states of sequences, for models that have them. */
  readonly states?: StateSlots;
}

/**
 * Keys and values of prompts that were computed before: a radix tree over full blocks of tokens for each
 * tenant. A block in the tree has one reference from the tree, so it outlives its sequence; whoever continues
 * a known prefix shares its blocks and writes into blocks of its own from where it differs, because only full
 * blocks are ever shared.
 *
 * A prefix can be continued where all blocks are there that its next token sees. Without windows that is
 * anywhere; in a group with a window the last blocks will do, which are there for whoever goes on where
 * another ended. What lies further back is kept as well, for those who share only a part of a prompt, but
 * goes first when there is need.
 *
 * Where sequences have states, a prefix can only be continued after a block behind which a snapshot was kept.
 * Snapshots go with the blocks before them, and before those that sequences use.
 *
 * All nodes are in one list from the least to the most recently used, and using a node uses those above it.
 * So the oldest node in the list is always a leaf, and evicting takes the last blocks of the oldest leaf,
 * after those that have fallen behind all windows.
 *
 * A tenant never reaches another's tree: neither what is found nor how long it takes depends on others'
 * prompts. Only how much room is left does.
 */
export class PrefixCache {
  readonly #allocator: BlockAllocator;
  readonly #blocks: PrefixBlocks;
  readonly #blockTokens: number;
  readonly #blocksMax: number;
  readonly #windows: KvWindows;
  readonly #snapshots?: PrefixSnapshots;
  readonly #roots = new Map<string, PrefixNode>();
  /** Both ends of the list: `newer` is the oldest node, `older` the newest one. */
  readonly #list: PrefixNode;
  /** Nodes with blocks behind all windows, in the order in which these fell behind. */
  readonly #behind = new Set<PrefixNode>();

  constructor(allocator: BlockAllocator, options: PrefixCacheOptions) {
    const { blockTokens, blocksMax = allocator.blocks, windows = NO_WINDOWS } = options;
    if (!Number.isInteger(blockTokens) || blockTokens < 1) {
      throw new RangeError(`blockTokens must be a positive integer, current value is ${blockTokens}`);
    }
    this.#allocator = allocator;
    this.#blocks = new PrefixBlocks(allocator);
    this.#blockTokens = blockTokens;
    this.#blocksMax = blocksMax;
    this.#windows = windows;
    if (options.states !== undefined) this.#snapshots = new PrefixSnapshots(options.states);
    this.#list = createRoot("", windows.length);
  }

  /** Blocks in the tree. */
  get blocks(): number {
    return this.#blocks.count;
  }

  /** Blocks whose memory only the tree has, in snapshots, too: as many can be evicted. */
  get evictableBlocks(): number {
    return this.#blocks.unused + (this.#snapshots?.unusedBlocks ?? 0);
  }

  /** Whether a prefix can be continued only where a state was kept, too. */
  get hasStates(): boolean {
    return this.#snapshots !== undefined;
  }

  /** Whether anything is ever kept. */
  get isOff(): boolean {
    return this.#blocksMax === 0;
  }

  /** Tokens of a prompt that are in the cache and can be continued. Changes nothing. */
  peek(tenant: string, tokens: ArrayLike<number>): number {
    return this.#usable(this.#find(tenant, tokens)) * this.#blockTokens;
  }

  /**
   * Tokens of a prompt that are in the cache, whether or not they can be continued for want of blocks or a
   * snapshot. Changes nothing.
   */
  peekKnown(tenant: string, tokens: ArrayLike<number>): number {
    return this.#find(tenant, tokens).places * this.#blockTokens;
  }

  /**
   * The blocks of the longest known prefix that can be continued, by group, with a reference to each for the
   * caller. At least one token is left over: its logits are still to be computed.
   */
  match(tenant: string, tokens: ArrayLike<number>): BlockTable[] {
    const found = this.#find(tenant, tokens);
    const all = tablesOf(found, this.#windows.length, this.#placesOf);
    const places = this.#usable(found, all);
    const tables = all.map((table, group) => {
      const start = Math.min(
        places,
        firstSeen(this.#windows[group], places * this.#blockTokens, this.#blockTokens),
      );
      const part = new BlockTable();
      part.skip(start);
      part.append(table.slice(start, places));
      return part;
    });
    if (places === 0) return tables;
    this.#touch(this.#walk(this.#roots.get(tenant)!, tokens, places).nodes.at(-1)!);
    for (const { runs } of tables) this.#blocks.share(runs);
    return tables;
  }

  /**
   * Keeps the full blocks in `tables`, which hold the keys and values of `tokens` in order and to which the
   * caller has references. A block that the tree already has is exchanged for the tree's in place: its
   * contents are the same. `behind`: by group, the place before which the caller sees no block any more.
   */
  insert(
    tenant: string,
    tokens: ArrayLike<number>,
    tables: readonly BlockTable[],
    behind?: readonly number[],
  ): void {
    const places = Math.min(Math.floor(tokens.length / this.#blockTokens), tables[0].end);
    if (places === 0 || this.#blocksMax === 0) return;
    let root = this.#roots.get(tenant);
    if (root === undefined) {
      root = createRoot(tenant, this.#windows.length);
      this.#roots.set(tenant, root);
    }
    const path = this.#walk(root, tokens, places);
    const nodes = [...path.nodes];
    let from = 0;
    for (const node of nodes) {
      this.#merge(node, from, tables);
      from += this.#placesOf(node);
    }
    const above = nodes.at(-1) ?? root;
    // Where another block with the same hash is there, this one is simply not kept.
    if (from < places && !above.children.has(this.#hash(tokens, from))) {
      nodes.push(this.#append(above, tokens, tables, from, places));
    }
    this.#touch(nodes.at(-1) ?? root);
    if (behind !== undefined) this.#noteBehind(nodes, behind);
    this.#dropEmpty(root);
    this.#trim();
  }

  /**
   * Keeps the state after `tokens`, whole blocks that the tree has: a snapshot, in a slot that the caller
   * uses. Gives the slot with this state, which is another one where it was kept before; undefined where the
   * tree does not have the tokens.
   */
  keepSnapshot(tenant: string, tokens: ArrayLike<number>, slot: number): number | undefined {
    const node = this.#nodeAfter(tenant, tokens);
    return node === undefined ? undefined : this.#snapshots?.keep(node, slot);
  }

  /** The slot with the state after `tokens`, if it was kept. */
  snapshotAfter(tenant: string, tokens: ArrayLike<number>): number | undefined {
    return this.#nodeAfter(tenant, tokens)?.snapshot;
  }

  /** Forgets the state after `tokens`, if it was kept. */
  dropSnapshot(tenant: string, tokens: ArrayLike<number>): void {
    const node = this.#nodeAfter(tenant, tokens);
    if (node !== undefined) this.#snapshots?.drop(node);
  }

  /** Forgets the snapshot in a slot, so that the sequence which uses it may write into it. */
  dropSlot(slot: number): void {
    this.#snapshots?.dropSlot(slot);
  }

  /** The node that ends with `tokens`, by splitting an edge if need be. */
  #nodeAfter(tenant: string, tokens: ArrayLike<number>): PrefixNode | undefined {
    const root = this.#roots.get(tenant), places = Math.floor(tokens.length / this.#blockTokens);
    if (root === undefined || places === 0) return undefined;
    const path = this.#walk(root, tokens, places);
    return path.places === places ? path.nodes.at(-1) : undefined;
  }

  /** Gives back a caller's references. */
  release(runs: readonly BlockRun[]): void {
    if (runs.length === 0) return;
    this.#blocks.release(runs);
    this.#trim();
  }

  /**
   * Frees `count` blocks that nobody uses, or a few more or less: what is behind all windows, then the least
   * recently used.
   */
  evict(count: number): number {
    let freed = this.#evictBehind(count);
    let firstSkipped: PrefixNode | null = null;
    while (freed < count && this.#blocks.unused > 0) {
      const leaf = this.#list.newer;
      // Once around and nothing to evict: somebody's references are wrong, which verify() tells.
      if (leaf === firstSkipped || leaf === this.#list) break;
      const last = this.#placesOf(leaf) - 1;
      if (leaf.tables.some((table) => this.#isUsed(table.blockAt(last)))) {
        // A running sequence uses it. That is a use, and others are older.
        firstSkipped ??= leaf;
        this.#touch(leaf);
        continue;
      }
      firstSkipped = null;
      freed += this.#snapshots?.drop(leaf) ?? 0;
      if (freed >= count) break;
      for (const table of leaf.tables) freed += this.#blocks.free(table.split(last).runs);
      leaf.tokens = leaf.tokens.subarray(0, last * this.#blockTokens);
      this.#prune(leaf);
    }
    if (freed < count) freed += this.#snapshots?.evict(this.#list, count - freed) ?? 0;
    return freed;
  }

  #isUsed(block: number | undefined): boolean {
    return block !== undefined && this.#blocks.usersOf(block) > 0;
  }

  /** Frees blocks that have fallen behind all windows and that nobody uses, the earliest first. */
  #evictBehind(count: number): number {
    let freed = 0;
    for (const node of this.#behind) {
      node.tables.forEach((table, group) => {
        for (const run of table.slice(0, node.behind[group])) {
          for (let i = 0; i < run.length && freed < count; i++) {
            if (this.#isUsed(run.first + i)) continue;
            freed += this.#blocks.free(table.remove(run.at + i, run.at + i + 1));
          }
        }
      });
      if (freed >= count) break;
      this.#behind.delete(node);
      this.#prune(node);
    }
    return freed;
  }

  /** Removes a leaf without blocks, and those above it that then are such leaves. */
  #prune(leaf: PrefixNode): void {
    for (let node = leaf; node.parent !== null;) {
      if (node.children.size > 0 || node.tables.some(({ blocks }) => blocks > 0)) return;
      const above = node.parent;
      this.#remove(node);
      node = above;
    }
  }

  /** Checks the tree against itself and the allocator; throws an Error that says what is wrong. */
  verify(): void {
    const { blocks, evictable } = countTree({
      roots: this.#roots.values(),
      list: this.#list,
      windows: this.#windows,
      allocator: this.#allocator,
      placesOf: this.#placesOf,
      usersOf: (block) => this.#blocks.usersOf(block),
      notCached: NOT_CACHED,
    });
    const position = positionsOf(this.#list);
    this.#snapshots?.verify(position.keys());
    for (const node of this.#behind) {
      if (!position.has(node)) fail("a node with blocks behind a window is gone");
    }
    const { count, unused } = this.#blocks;
    if (blocks !== count) fail(`${blocks} blocks are in the tree, ${count} are counted`);
    if (evictable !== unused) fail(`${evictable} blocks are evictable, ${unused} are counted`);
  }

  get #hasWindows(): boolean {
    return this.#windows.length > 1 || this.#windows[0] !== undefined;
  }

  #trim(): void {
    const excess = this.#blocks.count - this.#blocksMax;
    if (excess > 0) this.evict(excess);
  }

  readonly #placesOf = (node: PrefixNode): number => node.tokens.length / this.#blockTokens;

  /** What the tree has of a prompt, but for its last token. Changes nothing. */
  #find(tenant: string, tokens: ArrayLike<number>): PrefixPath {
    const limit = Math.floor((tokens.length - 1) / this.#blockTokens);
    const nodes: PrefixNode[] = [];
    let node = this.#roots.get(tenant), places = 0;
    while (node !== undefined && places < limit) {
      const child = node.children.get(this.#hash(tokens, places));
      const common = child === undefined ? 0 : this.#common(child, tokens, places, limit);
      if (common === 0) break;
      nodes.push(child!);
      places += common;
      node = common === this.#placesOf(child!) ? child : undefined;
    }
    return { nodes, places };
  }

  /**
   * Places on a path after which a sequence can go on: those with a snapshot, where there are states, and with
   * all blocks that the next token sees.
   */
  #usable(path: PrefixPath, known?: readonly BlockTable[]): number {
    const behindSnapshot = (limit: number) =>
      this.#snapshots === undefined ? limit : lastSnapshot(path, limit, this.#placesOf);
    let usable = behindSnapshot(path.places);
    if (!this.#hasWindows) return usable;
    const tables = known ?? tablesOf(path, this.#windows.length, this.#placesOf);
    for (let group = 0; group < tables.length;) {
      const window = this.#windows[group];
      const start = firstSeen(window, usable * this.#blockTokens, this.#blockTokens);
      const gap = window === undefined ? -1 : lastGap(tables[group], start, usable);
      if (gap < 0) group++;
      else {
        // It can be no later than where the block is missing; what held for other groups is to be seen again.
        usable = behindSnapshot(gap);
        group = 0;
      }
    }
    return usable;
  }

  /**
   * Goes down as far as `tokens` are known, at most `limit` blocks, and splits an edge that is known in part.
   */
  #walk(root: PrefixNode, tokens: ArrayLike<number>, limit: number): PrefixPath {
    const nodes: PrefixNode[] = [];
    let node = root, places = 0;
    while (places < limit) {
      const child = node.children.get(this.#hash(tokens, places));
      if (child === undefined) break;
      const common = this.#common(child, tokens, places, limit);
      if (common === 0) break;
      node = common < this.#placesOf(child) ? this.#split(child, common) : child;
      nodes.push(node);
      places += common;
    }
    return { nodes, places };
  }

  #hash(tokens: ArrayLike<number>, block: number): number {
    return hashTokens(tokens, block * this.#blockTokens, this.#blockTokens);
  }

  /** Blocks at the start of a node's edge that are equal to `tokens` from block `from` on. */
  #common(node: PrefixNode, tokens: ArrayLike<number>, from: number, limit: number): number {
    const most = Math.min(this.#placesOf(node), limit - from) * this.#blockTokens;
    return Math.floor(commonTokens(node, tokens, from * this.#blockTokens, most) / this.#blockTokens);
  }

  /** Cuts an edge after `count` blocks; returns the new upper node. */
  #split(lower: PrefixNode, count: number): PrefixNode {
    const upper = splitNode(lower, count, this.#blockTokens);
    if (this.#behind.has(lower)) this.#behind.add(upper);
    return upper;
  }

  /** A new leaf with what a caller has at places `from` to `to` − 1. */
  #append(
    parent: PrefixNode,
    tokens: ArrayLike<number>,
    tables: readonly BlockTable[],
    from: number,
    to: number,
  ): PrefixNode {
    const copy = new Int32Array((to - from) * this.#blockTokens);
    for (let i = 0; i < copy.length; i++) copy[i] = tokens[from * this.#blockTokens + i];
    const own = tables.map((table) => {
      const part = new BlockTable();
      for (const run of table.slice(from, to)) {
        part.skip(run.at - from - part.end);
        part.append([run]);
        this.#blocks.adopt(run);
      }
      part.skip(to - from - part.end);
      return part;
    });
    const node = createChild(parent, copy, own, this.#blockTokens);
    linkAfter(node, this.#list.older);
    return node;
  }

  /**
   * Exchanges a caller's blocks for those of a node that begins at place `from`, and gives the node those
   * that it lacks.
   */
  #merge(node: PrefixNode, from: number, tables: readonly BlockTable[]): void {
    const end = from + this.#placesOf(node);
    node.tables.forEach((own, group) => {
      const theirs = tables[group];
      for (const run of theirs.slice(from, end)) {
        let at = run.at;
        for (const known of [...own.slice(run.at - from, run.at + run.length - from), null]) {
          const knownAt = known === null ? run.at + run.length : known.at + from;
          if (at < knownAt) {
            const added = { at, first: run.first + at - run.at, length: knownAt - at };
            this.#blocks.adopt(added);
            own.put({ ...added, at: at - from });
          }
          if (known === null) break;
          const first = run.first + knownAt - run.at;
          if (first !== known.first) {
            this.#blocks.share([known]);
            theirs.put({ at: knownAt, first: known.first, length: known.length });
            this.release([{ first, length: known.length }]);
          }
          at = knownAt + known.length;
        }
      }
    });
  }

  /** Notes before which place of each group nobody on this path sees a block. */
  #noteBehind(nodes: readonly PrefixNode[], behind: readonly number[]): void {
    let from = 0;
    for (const node of nodes) {
      const places = this.#placesOf(node);
      let isBehind = false;
      behind.forEach((place, group) => {
        node.behind[group] = Math.max(node.behind[group], Math.min(places, Math.max(0, place - from)));
        isBehind ||= node.behind[group] > 0 && node.tables[group].start < node.behind[group];
      });
      from += places;
      if (!isBehind) continue;
      // Those used last go last.
      this.#behind.delete(node);
      this.#behind.add(node);
    }
  }

  /** Makes a node and those above it the most recently used, the uppermost last. */
  #touch(node: PrefixNode): void {
    for (let each = node; each.parent !== null; each = each.parent) {
      unlink(each);
      linkAfter(each, this.#list.older);
    }
  }

  #remove(node: PrefixNode): void {
    unlink(node);
    this.#behind.delete(node);
    this.#snapshots?.drop(node);
    const parent = node.parent!;
    parent.children.delete(node.key);
    this.#dropEmpty(parent);
  }

  #dropEmpty(node: PrefixNode): void {
    if (node.parent === null && node.children.size === 0) this.#roots.delete(node.tenant);
  }
}
