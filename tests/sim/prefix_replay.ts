import { PrefixCache } from "../../scheduler/mod.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";

/** The hash ids of each request's blocks, in order of arrival: equal ids mean equal prefixes. */
export type PrefixTrace = readonly (readonly number[])[];

/** Blocks found at the start of the requests. */
export interface PrefixHits {
  readonly tree: number;
  /** Least recently used block goes first; within a request, later blocks count as older. */
  readonly lru: number;
  /** The block whose next use is farthest away goes first, or is not kept at all: nothing can do better. */
  readonly belady: number;
}

/**
 * Reads a trace in the form of Mooncake's: a JSON object a line, with `hash_ids`. Throws a RangeError that
 * names the line.
 */
export function parsePrefixTrace(text: string): PrefixTrace {
  return text.split("\n").flatMap((line, i) => line === "" ? [] : [parseIds(line, i + 1)]);
}

function parseIds(line: string, number: number): number[] {
  try {
    const { hash_ids: ids } = JSON.parse(line);
    if (Array.isArray(ids) && ids.every(Number.isSafeInteger)) return ids;
  } catch {
    // Told below, like a line that is JSON of another kind.
  }
  throw new RangeError(`Line ${number} of the trace is not an object with hash_ids: ${line.slice(0, 40)}`);
}

/** Replays a trace one request at a time with room for so many blocks. */
export function replayPrefixes(trace: PrefixTrace, blocks: number): PrefixHits {
  return {
    tree: replayTree(trace, blocks),
    lru: replayLru(trace, blocks),
    belady: replayBelady(trace, blocks),
  };
}

/** Blocks that would be found if nothing were ever forgotten. */
export function countRepeats(trace: PrefixTrace): number {
  const seen = new Set<number>();
  let hits = 0;
  for (const ids of trace) {
    for (const id of ids) if (seen.has(id)) hits++;
    for (const id of ids) seen.add(id);
  }
  return hits;
}

/**
 * The product's tree. A block of the trace is a block of one token here, followed by a token that nobody has.
 */
function replayTree(trace: PrefixTrace, blocks: number): number {
  const allocator = new MemoryAllocator(blocks);
  const cache = new PrefixCache(allocator, { blockTokens: 1 });
  let hits = 0;
  for (const ids of trace) {
    const own = cache.match("", [...ids, -1]);
    hits += own[0].end;
    const missing = ids.length - own[0].end;
    if (missing > allocator.freeBlocks) cache.evict(missing - allocator.freeBlocks);
    const taken = allocator.tryAllocate(missing);
    if (taken === null) throw new RangeError(`A request of ${ids.length} blocks has no room in ${blocks}`);
    own[0].append(taken);
    cache.insert("", ids, own);
    cache.release(own[0].runs);
  }
  return hits;
}

function replayLru(trace: PrefixTrace, blocks: number): number {
  // A map's order is the order of insertion: the first key is the least recently used one.
  const cached = new Set<number>();
  let hits = 0;
  for (const ids of trace) {
    hits += countPrefix(ids, cached);
    for (const id of ids.toReversed()) {
      cached.delete(id);
      cached.add(id);
    }
    for (const id of cached) {
      if (cached.size <= blocks) break;
      cached.delete(id);
    }
  }
  return hits;
}

function countPrefix(ids: readonly number[], cached: ReadonlySet<number>): number {
  const miss = ids.findIndex((id) => !cached.has(id));
  return miss < 0 ? ids.length : miss;
}

function replayBelady(trace: PrefixTrace, blocks: number): number {
  const next = nextUses(trace);
  const cached = new Map<number, number>();
  const heap = new MaxHeap();
  let hits = 0;
  trace.forEach((ids, i) => {
    const miss = ids.findIndex((id) => !cached.has(id));
    hits += miss < 0 ? ids.length : miss;
    ids.forEach((id, j) => {
      const use = next[i][j];
      cached.delete(id);
      if (use === Infinity) return;
      cached.set(id, use);
      // Of two blocks with the same next use the later one in the prompt goes first: it needs the other.
      heap.push({ key: use + j / 1e6, id, use });
    });
    while (cached.size > blocks) {
      const { id, use } = heap.pop();
      if (cached.get(id) === use) cached.delete(id);
    }
  });
  return hits;
}

/** For each block of each request: the number of the next request with it. */
function nextUses(trace: PrefixTrace): number[][] {
  const later = new Map<number, number>();
  const uses: number[][] = [];
  for (let i = trace.length - 1; i >= 0; i--) {
    uses[i] = trace[i].map((id) => later.get(id) ?? Infinity);
    for (const id of trace[i]) later.set(id, i);
  }
  return uses;
}

interface Entry {
  readonly key: number;
  readonly id: number;
  readonly use: number;
}

class MaxHeap {
  readonly #entries: Entry[] = [];

  push(entry: Entry): void {
    const entries = this.#entries;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (entries[above].key >= entry.key) break;
      entries[at] = entries[above];
      at = above;
    }
    entries[at] = entry;
  }

  pop(): Entry {
    const entries = this.#entries;
    const top = entries[0], last = entries.pop()!;
    if (entries.length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= entries.length) break;
      if (below + 1 < entries.length && entries[below + 1].key > entries[below].key) below++;
      if (entries[below].key <= last.key) break;
      entries[at] = entries[below];
      at = below;
    }
    entries[at] = last;
    return top;
  }
}
