import type { BlockAllocator } from "./block_allocator.ts";

/** What the tree needs to know. */
export interface PrefixCacheOptions {
  /** Tokens in one block. */
  readonly blockTokens: number;
  /** Most blocks that the cache keeps for later; default: as many as there are. With 0 nothing is ever shared. */
  readonly blocksMax?: number;
}

/** An edge of the tree and the node below it. A root has no blocks. */
interface Node {
  parent: Node | null;
  /** `blockTokens` tokens per block. */
  tokens: Int32Array;
  readonly blocks: number[];
  /** By the hash of a child's first block. */
  readonly children: Map<number, Node>;
  readonly tenant: string;
  older: Node;
  newer: Node;
}

/** Where a walk down the tree ended: at the lower end of `node`, after the blocks in `path`. */
interface Walk {
  node: Node;
  path: number[];
}

/**
 * Keys and values of prompts that were computed before: a radix tree over full blocks of tokens for each tenant. A block
 * in the tree has one reference from the tree, so it outlives its sequence; whoever continues a known prefix shares its
 * blocks and writes into blocks of its own from where it differs, because only full blocks are ever shared.
 *
 * All nodes are in one list from the least to the most recently used, and using a node uses those above it. So the oldest
 * node in the list is always a leaf, and evicting takes the last block of the oldest leaf.
 *
 * A tenant never reaches another's tree: neither what is found nor how long it takes depends on others' prompts. Only how
 * much room is left does.
 */
export class PrefixCache {
  readonly #allocator: BlockAllocator;
  readonly #blockTokens: number;
  readonly #blocksMax: number;
  readonly #roots = new Map<string, Node>();
  /** Both ends of the list: `newer` is the oldest node, `older` the newest one. */
  readonly #list: Node;
  readonly #isCached: Uint8Array;
  #blocks = 0;
  #evictable = 0;

  constructor(allocator: BlockAllocator, { blockTokens, blocksMax = allocator.blocks }: PrefixCacheOptions) {
    if (!Number.isInteger(blockTokens) || blockTokens < 1) {
      throw new RangeError(`blockTokens must be a positive integer, current value is ${blockTokens}`);
    }
    this.#allocator = allocator;
    this.#blockTokens = blockTokens;
    this.#blocksMax = blocksMax;
    this.#isCached = new Uint8Array(allocator.blocks);
    this.#list = this.#createNode("", null, new Int32Array(0), []);
  }

  /** Blocks in the tree. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Blocks that only the tree refers to: as many can be evicted. */
  get evictableBlocks(): number {
    return this.#evictable;
  }

  /** Tokens of a prompt that are in the cache. Changes nothing. */
  peek(tenant: string, tokens: ArrayLike<number>): number {
    const root = this.#roots.get(tenant);
    const limit = this.#matchLimit(tokens);
    let node = root, blocks = 0;
    while (node !== undefined && blocks < limit) {
      const child = node.children.get(this.#hash(tokens, blocks));
      if (child === undefined) break;
      const common = this.#common(child, tokens, blocks, limit);
      blocks += common;
      node = common === child.blocks.length ? child : undefined;
    }
    return blocks * this.#blockTokens;
  }

  /**
   * The blocks of the longest known prefix, with a reference to each for the caller. At least one token is left over: its
   * logits are still to be computed.
   */
  match(tenant: string, tokens: ArrayLike<number>): number[] {
    const root = this.#roots.get(tenant);
    if (root === undefined) return [];
    const { node, path } = this.#walk(root, tokens, this.#matchLimit(tokens));
    this.#touch(node);
    this.#share(path);
    return path;
  }

  /**
   * Keeps the full blocks among `blocks`, which hold the keys and values of `tokens` in order and to which the caller has
   * references. A block that the tree already has is exchanged for the tree's in place: its contents are the same.
   */
  insert(tenant: string, tokens: ArrayLike<number>, blocks: number[]): void {
    const full = Math.min(Math.floor(tokens.length / this.#blockTokens), blocks.length);
    if (full === 0 || this.#blocksMax === 0) return;
    let root = this.#roots.get(tenant);
    if (root === undefined) {
      root = this.#createNode(tenant, null, new Int32Array(0), []);
      this.#roots.set(tenant, root);
    }
    const walk = this.#walk(root, tokens, full);
    this.#exchange(blocks, walk.path);
    const isTaken = walk.path.length < full && walk.node.children.has(this.#hash(tokens, walk.path.length));
    // Another block with the same hash is there: this one is simply not kept.
    if (walk.path.length < full && !isTaken) {
      walk.node = this.#append(walk.node, tokens, blocks.slice(0, full), walk.path.length);
    }
    this.#touch(walk.node);
    this.#dropEmpty(root);
    this.#trim();
  }

  /** Gives back a caller's references. */
  release(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (this.#isCached[block] === 1 && this.#allocator.references(block) === 2) this.#evictable++;
    }
    this.#allocator.release(blocks);
    this.#trim();
  }

  /** Frees up to `count` blocks that nobody uses, least recently used first. Returns how many. */
  evict(count: number): number {
    let freed = 0;
    let firstSkipped: Node | null = null;
    while (freed < count && this.#evictable > 0) {
      const leaf = this.#list.newer;
      // Once around and nothing to evict: somebody's references are wrong, which verify() tells.
      if (leaf === firstSkipped) break;
      const block = leaf.blocks[leaf.blocks.length - 1];
      if (this.#allocator.references(block) > 1) {
        // A running sequence uses it. That is a use, and others are older.
        firstSkipped ??= leaf;
        this.#touch(leaf);
        continue;
      }
      firstSkipped = null;
      leaf.blocks.pop();
      this.#isCached[block] = 0;
      this.#blocks--;
      this.#evictable--;
      this.#allocator.release([block]);
      freed++;
      if (leaf.blocks.length === 0) this.#remove(leaf);
    }
    return freed;
  }

  /** Checks the tree against itself and the allocator; throws an Error that says what is wrong. */
  verify(): void {
    let blocks = 0, evictable = 0;
    const position = new Map<Node, number>();
    for (let node = this.#list.newer; node !== this.#list; node = node.newer) {
      position.set(node, position.size);
    }
    const visit = (node: Node) => {
      for (const child of node.children.values()) {
        if (child.parent !== node) fail("a node's parent is another");
        if (child.blocks.length === 0) fail("a node has no blocks");
        if (!position.has(child)) fail("a node is not in the list of uses");
        if (node.parent !== null && position.get(child)! > position.get(node)!) {
          fail("a node is older than its child");
        }
        for (const block of child.blocks) {
          const references = this.#allocator.references(block);
          if (this.#isCached[block] !== 1 || references < 1) fail(`block ${block} is free and in the tree`);
          if (references === 1) evictable++;
          blocks++;
        }
        visit(child);
      }
    };
    for (const root of this.#roots.values()) visit(root);
    if (blocks !== this.#blocks) fail(`${blocks} blocks are in the tree, ${this.#blocks} are counted`);
    if (evictable !== this.#evictable) {
      fail(`${evictable} blocks are evictable, ${this.#evictable} are counted`);
    }
  }

  #trim(): void {
    if (this.#blocks > this.#blocksMax) this.evict(this.#blocks - this.#blocksMax);
  }

  #matchLimit(tokens: ArrayLike<number>): number {
    return Math.floor((tokens.length - 1) / this.#blockTokens);
  }

  /** Goes down as far as `tokens` are known, at most `limit` blocks, and splits an edge that is known in part. */
  #walk(root: Node, tokens: ArrayLike<number>, limit: number): Walk {
    const path: number[] = [];
    let node = root;
    while (path.length < limit) {
      const child = node.children.get(this.#hash(tokens, path.length));
      if (child === undefined) break;
      const common = this.#common(child, tokens, path.length, limit);
      if (common === 0) break;
      node = common < child.blocks.length ? this.#split(child, common) : child;
      for (const block of node.blocks) path.push(block);
    }
    return { node, path };
  }

  /** FNV-1a over the tokens of one block. */
  #hash(tokens: ArrayLike<number>, block: number): number {
    let hash = 0x811c9dc5;
    const end = (block + 1) * this.#blockTokens;
    for (let i = end - this.#blockTokens; i < end; i++) hash = Math.imul(hash ^ tokens[i], 0x01000193);
    // The low bits of FNV depend on the low bits of the tokens only.
    return hash ^ (hash >>> 15);
  }

  /** Blocks at the start of a node's edge that are equal to `tokens` from block `from` on. */
  #common(node: Node, tokens: ArrayLike<number>, from: number, limit: number): number {
    const blocksMax = Math.min(node.blocks.length, limit - from);
    const offset = from * this.#blockTokens;
    const end = blocksMax * this.#blockTokens;
    let i = 0;
    while (i < end && node.tokens[i] === tokens[offset + i]) i++;
    return Math.floor(i / this.#blockTokens);
  }

  /** Cuts an edge after `count` blocks; returns the new upper node. */
  #split(lower: Node, count: number): Node {
    const cut = count * this.#blockTokens;
    const parent = lower.parent!;
    const upper = this.#createNode(
      lower.tenant,
      parent,
      lower.tokens.slice(0, cut),
      lower.blocks.splice(0, count),
    );
    parent.children.set(this.#hash(upper.tokens, 0), upper);
    lower.tokens = lower.tokens.slice(cut);
    lower.parent = upper;
    upper.children.set(this.#hash(lower.tokens, 0), lower);
    linkAfter(upper, lower);
    return upper;
  }

  #append(parent: Node, tokens: ArrayLike<number>, blocks: number[], from: number): Node {
    const added = blocks.slice(from);
    const copy = new Int32Array(added.length * this.#blockTokens);
    for (let i = 0; i < copy.length; i++) copy[i] = tokens[from * this.#blockTokens + i];
    const node = this.#createNode(parent.tenant, parent, copy, added);
    parent.children.set(this.#hash(copy, 0), node);
    linkAfter(node, this.#list.older);
    this.#allocator.share(added);
    for (const block of added) this.#isCached[block] = 1;
    this.#blocks += added.length;
    return node;
  }

  /** Replaces the caller's blocks by the tree's. */
  #exchange(blocks: number[], path: readonly number[]): void {
    const own: number[] = [], known: number[] = [];
    path.forEach((block, i) => {
      if (blocks[i] === block) return;
      own.push(blocks[i]);
      known.push(block);
      blocks[i] = block;
    });
    if (own.length === 0) return;
    this.#share(known);
    this.release(own);
  }

  #share(blocks: readonly number[]): void {
    for (const block of blocks) if (this.#allocator.references(block) === 1) this.#evictable--;
    this.#allocator.share(blocks);
  }

  /** Makes a node and those above it the most recently used, the uppermost last. */
  #touch(node: Node): void {
    for (let each = node; each.parent !== null; each = each.parent) {
      unlink(each);
      linkAfter(each, this.#list.older);
    }
  }

  #remove(node: Node): void {
    unlink(node);
    const parent = node.parent!;
    parent.children.delete(this.#hash(node.tokens, 0));
    this.#dropEmpty(parent);
  }

  #dropEmpty(node: Node): void {
    if (node.parent === null && node.children.size === 0) this.#roots.delete(node.tenant);
  }

  #createNode(tenant: string, parent: Node | null, tokens: Int32Array, blocks: number[]): Node {
    const node = { parent, tokens, blocks, children: new Map<number, Node>(), tenant } as Node;
    node.older = node.newer = node;
    return node;
  }
}

function unlink(node: Node): void {
  node.older.newer = node.newer;
  node.newer.older = node.older;
  node.older = node.newer = node;
}

/** Puts `node` into the list as the next newer one than `older`. */
function linkAfter(node: Node, older: Node): void {
  node.older = older;
  node.newer = older.newer;
  older.newer.older = node;
  older.newer = node;
}

function fail(what: string): never {
  throw new Error(`Prefix cache: ${what}`);
}
