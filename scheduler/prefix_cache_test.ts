import { assert, assertEquals } from "@std/assert";
import { MemoryAllocator } from "./memory_allocator.ts";
import { Random } from "./testing/random.ts";
import { listed } from "./testing/tables.ts";
import { KvLedger } from "./kv_ledger.ts";
import { BlockTable, PrefixCache, StateSlots } from "./mod.ts";
import { Sequence } from "./sequence.ts";

const BLOCK_TOKENS = 4;

function create(blocks: number, blocksMax?: number) {
  const allocator = new MemoryAllocator(blocks);
  const cache = new PrefixCache(allocator, { blockTokens: BLOCK_TOKENS, blocksMax });
  /** Computes a prompt as a sequence does and lets its blocks go. */
  const compute = (tenant: string, tokens: number[]): number => {
    const tables = cache.match(tenant, tokens);
    const known = tables[0].end;
    tables[0].append(allocator.tryAllocate(Math.ceil(tokens.length / BLOCK_TOKENS) - known)!);
    cache.insert(tenant, tokens, tables);
    cache.release(tables[0].clear());
    cache.verify();
    return known * BLOCK_TOKENS;
  };
  return { allocator, cache, compute };
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

Deno.test("PrefixCache.match() shares full blocks and leaves a token to compute", () => {
  const { cache, compute, allocator } = create(16);
  assertEquals(compute("a", numbers(0, 10)), 0);
  assertEquals(cache.blocks, 2);
  assertEquals(compute("a", numbers(0, 8)), 4);
  assertEquals(compute("a", numbers(0, 9)), 8);
  const first = cache.match("a", numbers(0, 12));
  const second = cache.match("a", numbers(0, 12));
  assertEquals(first[0].runs, second[0].runs);
  assertEquals(listed(first[0].runs).map((block) => allocator.references(block)), [3, 3]);
});

Deno.test("PrefixCache.match() ends where prompts diverge, in the middle of an edge, too", () => {
  const { compute, cache } = create(32);
  compute("a", numbers(0, 16));
  assertEquals(compute("a", [...numbers(0, 8), ...numbers(100, 9)]), 8);
  assertEquals(compute("a", numbers(0, 17)), 16);
  assertEquals(compute("a", [...numbers(0, 8), ...numbers(100, 9)]), 16);
  assertEquals(cache.peek("a", [...numbers(0, 6), 7, 7, 7]), 4);
});

Deno.test("PrefixCache keeps tenants apart", () => {
  const { compute, cache } = create(32);
  compute("a", numbers(0, 16));
  assertEquals(cache.peek("b", numbers(0, 17)), 0);
  assertEquals(compute("b", numbers(0, 17)), 0);
  assertEquals(cache.peek("a", numbers(0, 17)), 16);
});

Deno.test("PrefixCache.insert() exchanges blocks that were computed twice", () => {
  const { allocator, cache } = create(8);
  const tokens = numbers(0, 8);
  const one = new BlockTable(), two = new BlockTable();
  one.append(allocator.tryAllocate(2)!);
  two.append(allocator.tryAllocate(2)!);
  cache.insert("", tokens, [one]);
  cache.insert("", tokens, [two]);
  assertEquals(two.runs, one.runs);
  assertEquals(allocator.freeBlocks, 6);
  cache.release(one.runs);
  cache.release(two.runs);
  assertEquals(cache.evictableBlocks, 2);
  cache.verify();
});

Deno.test("PrefixCache.evict() takes the last block of the least recently used leaf that nobody uses", () => {
  const { compute, cache, allocator } = create(16);
  compute("a", numbers(0, 8));
  compute("a", [...numbers(0, 4), ...numbers(50, 4)]);
  const used = cache.match("a", numbers(0, 9));
  assertEquals(cache.evict(1), 1);
  assertEquals(cache.peek("a", [...numbers(0, 4), ...numbers(50, 5)]), 4);
  assertEquals(cache.evict(5), 0, "what a sequence uses stays");
  cache.release(used[0].runs);
  assertEquals(cache.evict(5), 2);
  assertEquals(allocator.freeBlocks, 16);
  cache.verify();
});

Deno.test("PrefixCache keeps no more than blocksMax blocks", () => {
  const { compute, cache } = create(32, 3);
  compute("a", numbers(0, 16));
  assertEquals(cache.blocks, 3);
  assertEquals(cache.peek("a", numbers(0, 17)), 12);
});

Deno.test("PrefixCache finds what a map of all prefixes finds, and loses no block", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const { compute, cache, allocator } = create(400);
    const known = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const tenant = random.pick(["a", "b"]);
      const tokens = Array.from({ length: random.int(1, 24) }, () => random.int(0, 1));
      let wanted = 0;
      const key = (blocks: number) => `${tenant} ${tokens.slice(0, blocks * BLOCK_TOKENS)}`;
      while ((wanted + 1) * BLOCK_TOKENS < tokens.length && known.has(key(wanted + 1))) wanted++;
      assertEquals(compute(tenant, tokens), wanted * BLOCK_TOKENS);
      for (let n = 1; n * BLOCK_TOKENS <= tokens.length; n++) known.add(key(n));
    }
    assert(cache.evict(1000) > 0);
    assertEquals(allocator.freeBlocks, 400);
    cache.verify();
  }
});

/** A tree for one group that sees everything and one that sees `window` tokens. */
function createWindowed(window: number, blocks = 64) {
  const allocator = new MemoryAllocator(blocks);
  const windows = [undefined, window];
  const cache = new PrefixCache(allocator, { blockTokens: BLOCK_TOKENS, windows });
  const options = { blockTokens: BLOCK_TOKENS, stepTokensMax: BLOCK_TOKENS, windows };
  const ledger = new KvLedger(allocator, cache, options);
  let id = 0;
  /** Computes a prompt block by block as a scheduler does; `release`: and lets its blocks go. */
  const compute = (tokens: number[], release = true) => {
    const request = { id: id++, class: "a", tokens, maxTokens: 1 };
    const sequence = new Sequence(request, { classIndex: 0, groups: 2, order: 0, now: 0 });
    ledger.attach(sequence);
    const known = sequence.first;
    while (sequence.first < tokens.length) {
      const end = Math.min(tokens.length, sequence.first + BLOCK_TOKENS);
      assert(ledger.reserve(sequence, end));
      sequence.first = end;
      ledger.pass(sequence);
      cache.verify();
    }
    if (release) ledger.release(sequence);
    cache.verify();
    return { known, sequence };
  };
  return { allocator, cache, compute };
}

Deno.test("PrefixCache keeps what has left a window, so that prompts which share a part of another find it", () => {
  const { cache, compute } = createWindowed(6);
  compute(numbers(0, 32));
  assertEquals(cache.blocks, 16, "eight in each group");
  assertEquals(compute([...numbers(0, 16), ...numbers(100, 8)]).known, 16);
  assertEquals(compute([...numbers(0, 31), 7]).known, 28);
});

Deno.test("PrefixCache evicts what has left a window first, and then finds prefixes whose last blocks are there", () => {
  const { allocator, cache, compute } = createWindowed(6);
  compute(numbers(0, 32));
  // Before place 6: what the token after the prompt sees begins there.
  assertEquals(cache.evict(6), 6);
  cache.verify();
  assertEquals(allocator.freeBlocks, 54);
  assertEquals(cache.peek("", [...numbers(0, 32), 5]), 32, "goes on where it ended");
  assertEquals(cache.peek("", [...numbers(0, 31), 5, 5]), 0, "the block before its end is missing");
  assertEquals(compute([...numbers(0, 16), ...numbers(100, 8)]).known, 0);
  assertEquals(compute([...numbers(0, 32), 5, 6, 7]).known, 32);
  assertEquals(
    compute([...numbers(0, 31), 7, 8]).known,
    16,
    "what was computed again fills a part",
  );
});

Deno.test("PrefixCache evicts nothing that a sequence uses, and everything else", () => {
  const { allocator, cache, compute } = createWindowed(6);
  const { sequence } = compute(numbers(0, 32), false);
  assertEquals(sequence.tables.map(({ start, blocks }) => [start, blocks]), [[0, 8], [6, 2]]);
  assertEquals(cache.evict(64), 6);
  assertEquals(allocator.freeBlocks, 64 - 10);
  assertEquals(compute([...numbers(0, 32), 9]).known, 32, "its last blocks can be shared");
  cache.verify();
  for (const table of sequence.tables) cache.release(table.clear());
  cache.evict(64);
  cache.verify();
  assertEquals([allocator.freeBlocks, cache.blocks], [64, 0]);
});

Deno.test("a sequence that shares no prefixes frees at once what has left its window", () => {
  const allocator = new MemoryAllocator(64);
  const windows = [5];
  const options = { blockTokens: BLOCK_TOKENS, stepTokensMax: 8, windows };
  const ledger = new KvLedger(allocator, new PrefixCache(allocator, options), options);
  const request = { id: 0, class: "a", tokens: numbers(0, 40), maxTokens: 1, sharesPrefix: false };
  const sequence = new Sequence(request, { classIndex: 0, groups: 1, order: 0, now: 0 });
  assertEquals(ledger.blocksFor(40), 4, "a window of five tokens and a step of eight");
  assert(ledger.reserve(sequence, 40));
  assertEquals(allocator.freeBlocks, 60);
  for (const first of [8, 16, 24]) {
    sequence.first = first;
    ledger.pass(sequence);
    assert(ledger.reserve(sequence, first + 8));
    assertEquals(allocator.freeBlocks, 61);
    assertEquals(sequence.tables[0].start, (first - 4) / BLOCK_TOKENS);
  }
  ledger.release(sequence);
  assertEquals(allocator.freeBlocks, 64);
});

/** A tree for sequences whose states take two blocks' memory. */
function createStateful(blocks = 32) {
  const allocator = new MemoryAllocator(blocks);
  const states = new StateSlots(allocator, 2);
  const cache = new PrefixCache(allocator, { blockTokens: BLOCK_TOKENS, states });
  /** Computes a prompt of whole blocks and keeps its state at its end; `tables`: lets nothing go. */
  const compute = (tokens: number[], tables = cache.match("", tokens)) => {
    tables[0].append(allocator.tryAllocate(tokens.length / BLOCK_TOKENS - tables[0].end)!);
    cache.insert("", tokens, tables);
    const slot = states.tryTake()!;
    const kept = cache.keepSnapshot("", tokens, slot);
    states.leave(slot);
    cache.verify();
    return { slot, kept, tables };
  };
  return { allocator, states, cache, compute };
}

Deno.test("PrefixCache finds prefixes up to the last snapshot", () => {
  const { cache, compute } = createStateful();
  const { slot } = compute(numbers(0, 12));
  assertEquals(cache.peek("", numbers(0, 30)), 12);
  assertEquals([cache.peek("", numbers(0, 12)), cache.peekKnown("", numbers(0, 12))], [0, 8]);
  compute(numbers(0, 4));
  assertEquals(cache.peek("", numbers(0, 12)), 4);
  assertEquals(cache.match("", numbers(0, 12))[0].end, 1);
  assertEquals([cache.snapshotAfter("", numbers(0, 12)), cache.snapshotAfter("", numbers(0, 8))], [
    slot,
    undefined,
  ]);
});

Deno.test("PrefixCache keeps one snapshot of equal states, and forgets it on demand", () => {
  const { cache, compute, states } = createStateful();
  const { slot } = compute(numbers(0, 8));
  assertEquals(compute(numbers(0, 8)).kept, slot);
  assertEquals([states.used, states.snapshots], [1, 1]);
  cache.dropSnapshot("", numbers(0, 4));
  assertEquals(states.snapshots, 1);
  cache.dropSnapshot("", numbers(0, 8));
  assertEquals([states.used, cache.peek("", numbers(0, 9))], [0, 0]);
  cache.verify();
});

Deno.test("PrefixCache evicts a snapshot before the blocks that lead to it, and those of used blocks last", () => {
  const { cache, compute, allocator, states } = createStateful();
  const { tables } = compute(numbers(0, 8));
  cache.release(tables[0].clear());
  const used = compute(numbers(100, 8)).tables;
  assertEquals(cache.evictableBlocks, 2 + 2 + 2);
  assertEquals(cache.evict(2), 2);
  assertEquals([cache.peek("", numbers(0, 9)), cache.peekKnown("", numbers(0, 9))], [0, 8]);
  assertEquals(cache.evict(3), 4, "two blocks, and the snapshot behind those that are used");
  assertEquals([states.used, cache.evictableBlocks, allocator.freeBlocks], [0, 0, 30]);
  cache.verify();
  cache.release(used[0].clear());
  cache.evict(9);
  assertEquals(allocator.freeBlocks, 32);
});

Deno.test("PrefixCache does not free a snapshot's memory while a sequence uses it", () => {
  const { cache, compute, states } = createStateful();
  const { slot, tables } = compute(numbers(0, 8));
  states.use(slot);
  assertEquals(cache.evictableBlocks, 0);
  assertEquals(cache.evict(2), 0);
  cache.dropSlot(slot);
  assert(states.isOwn(slot));
  states.leave(slot);
  cache.release(tables[0].clear());
  cache.verify();
});
