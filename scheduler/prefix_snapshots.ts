import type { PrefixNode, PrefixPath } from "./prefix_node.ts";
import type { StateSlots } from "./state_slots.ts";

/**
 * The states that the prefix cache keeps: each belongs to a node of its tree and is the state after the
 * node's last token.
 */
export class PrefixSnapshots {
  readonly #slots: StateSlots;
  readonly #nodes = new Map<number, PrefixNode>();

  constructor(slots: StateSlots) {
    this.#slots = slots;
  }

  /** Blocks whose memory falls free when all snapshots go. */
  get unusedBlocks(): number {
    return this.#slots.unusedBlocks;
  }

  /** Keeps a slot that a sequence uses. Gives the slot with this state, another one where there was one. */
  keep(node: PrefixNode, slot: number): number {
    if (node.snapshot !== undefined) return node.snapshot;
    this.#slots.keep(slot);
    node.snapshot = slot;
    this.#nodes.set(slot, node);
    return slot;
  }

  /** Forgets a node's snapshot, if it has one; returns how many blocks' memory falls free. */
  drop(node: PrefixNode): number {
    const { snapshot } = node;
    if (snapshot === undefined) return 0;
    node.snapshot = undefined;
    this.#nodes.delete(snapshot);
    return this.#slots.drop(snapshot);
  }

  /** Forgets the snapshot that a slot is. */
  dropSlot(slot: number): void {
    this.drop(this.#nodes.get(slot)!);
  }

  /**
   * Forgets snapshots that no sequence uses, until so many blocks' memory is free: those behind blocks that
   * sequences use. `list`: the end of the list of uses.
   */
  evict(list: PrefixNode, count: number): number {
    let freed = 0;
    for (let node = list.newer; node !== list && freed < count; node = node.newer) {
      const { snapshot } = node;
      if (snapshot !== undefined && this.#slots.users(snapshot) === 0) freed += this.drop(node);
    }
    return freed;
  }

  /** Throws an Error where a snapshot is none, or not where it should be. `nodes`: all of the tree. */
  verify(nodes: Iterable<PrefixNode>): void {
    let count = 0;
    for (const node of nodes) {
      const { snapshot } = node;
      if (snapshot === undefined) continue;
      count++;
      if (!this.#slots.isSnapshot(snapshot) || this.#nodes.get(snapshot) !== node) {
        throw new Error(`Prefix cache: slot ${snapshot} is not the snapshot of its node`);
      }
    }
    if (count !== this.#nodes.size || count !== this.#slots.snapshots) {
      throw new Error(`Prefix cache: ${count} snapshots are in the tree, ${this.#slots.snapshots} are kept`);
    }
  }
}

/** The last place up to `limit` on a path after which there is a snapshot; 0 where there is none. */
export function lastSnapshot(
  { nodes, places }: PrefixPath,
  limit: number,
  placesOf: (node: PrefixNode) => number,
): number {
  let last = 0, end = 0;
  for (const node of nodes) {
    end += placesOf(node);
    if (end > Math.min(limit, places)) break;
    if (node.snapshot !== undefined) last = end;
  }
  return last;
}
