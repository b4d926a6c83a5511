import { assert, assertEquals } from "@std/assert";
import { MemoryAllocator } from "./testing/memory_allocator.ts";
import { Random } from "./testing/random.ts";
import { PrefixCache } from "./mod.ts";

const BLOCK_TOKENS = 4;

function create(blocks: number, blocksMax?: number) {
  const allocator = new MemoryAllocator(blocks);
  const cache = new PrefixCache(allocator, { blockTokens: BLOCK_TOKENS, blocksMax });
  /** Computes a prompt as a sequence does and lets its blocks go. */
  const compute = (tenant: string, tokens: number[]): number => {
    const blocks = cache.match(tenant, tokens);
    const known = blocks.length;
    blocks.push(...allocator.tryAllocate(Math.ceil(tokens.length / BLOCK_TOKENS) - known)!);
    cache.insert(tenant, tokens, blocks);
    cache.release(blocks);
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
  assertEquals(first, second);
  assertEquals(first.map((block) => allocator.references(block)), [3, 3]);
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
  const one = allocator.tryAllocate(2)!, two = allocator.tryAllocate(2)!;
  cache.insert("", tokens, one);
  cache.insert("", tokens, two);
  assertEquals(two, one);
  assertEquals(allocator.freeBlocks, 6);
  cache.release(one);
  cache.release(two);
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
  cache.release(used);
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
