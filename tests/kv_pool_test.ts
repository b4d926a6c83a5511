/** The engine's pool on the real allocator and arena: runs, freed blocks, memory that goes back. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { KernelError, Kernels } from "../src/ffi/context.ts";
import { KvBlocks } from "../src/ffi/kv_blocks.ts";
import { KvPool } from "../src/engine/kv_pool.ts";
import { kvStats } from "../src/engine/kv_stats.ts";
import { StateSlots } from "../scheduler/mod.ts";
import { listed, runsOf, tablesOf } from "../scheduler/testing/tables.ts";

Deno.test("KvPool.tryAllocate() continues a run where the next block is free", () => {
  using blocks = KvBlocks.open(8);
  const pool = new KvPool(blocks);
  assertEquals(pool.tryAllocate(3), [{ first: 0, length: 3 }]);
  pool.release(runsOf([0]));
  assertEquals(pool.tryAllocate(2, 2), [{ first: 3, length: 2 }]);
  assertEquals(pool.tryAllocate(1, 4), [{ first: 5, length: 1 }]);
  assertEquals(pool.tryAllocate(3, 5), [{ first: 6, length: 2 }, { first: 0, length: 1 }]);
  assertEquals(pool.freeBlocks, 0);
  assertEquals(pool.tryAllocate(1), null);
  assertEquals(pool.tryAllocate(0), []);
});

Deno.test("KvPool.release() takes blocks in any order, and refuses what is not in use", () => {
  using blocks = KvBlocks.open(16);
  const pool = new KvPool(blocks);
  const taken = pool.tryAllocate(10)!;
  pool.release(runsOf([7, 8, 2, 9, 0, 1]));
  assertEquals(pool.freeBlocks, 12);
  assertThrows(() => pool.release(runsOf([3, 7])), KernelError);
  assertEquals(taken, [{ first: 0, length: 10 }]);
  assertEquals(blocks.verify(), "none");
});

Deno.test("KvPool gives a shared block up only with its last reference", () => {
  using blocks = KvBlocks.open(16);
  const pool = new KvPool(blocks);
  const prefix = pool.tryAllocate(4)!;
  pool.share(prefix);
  pool.release(prefix);
  assertEquals(pool.freeBlocks, 12);
  pool.release(prefix);
  assertEquals(pool.freeBlocks, 16);
});

Deno.test("KvPool gives a part of a large free run back with each release, the rest when it is trimmed", () => {
  using blocks = KvBlocks.open(64);
  const calls: number[][] = [];
  const memory = {
    giveBack: (first: number, count: number) => void calls.push([first / 16, count / 16]),
    residentBytes: () => 5,
  };
  const pool = new KvPool(blocks, { giveBackBlocks: 8, memory });
  const first = listed(pool.tryAllocate(20)!), second = pool.tryAllocate(20, first.at(-1))!;
  pool.release(runsOf(first.slice(14)));
  assertEquals(calls, [], "no free run has 8 blocks");
  pool.release(second);
  assertEquals(calls, [[16, 8]]);
  pool.release(runsOf(first.slice(0, 1)));
  assertEquals(calls.slice(1), [[24, 8]]);
  pool.trim();
  assertEquals(calls.slice(2), [[32, 8]]);
  pool.trim();
  assertEquals(pool.stats().givenBackBlocks, 24);
  assertEquals(pool.stats().committedBytes, 5);
  assertThrows(() => new KvPool(blocks, { giveBackBlocks: 0 }), RangeError, "current value is 0");
});

Deno.test("Arena commits what is prefaulted, and a pool returns it", () => {
  using kernels = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const arena = kernels.createArena({
    layers: Array(2).fill({ kvHeads: 2, keyDim: 64, valueDim: 64 }),
    slots: 4096,
    format: 1,
  });
  const bytes = 2 * 2 * 2 * 64 * 4096 * 2;
  arena.preferHugePages(false);
  if (arena.residentBytes() === undefined) return;
  assertEquals(arena.residentBytes(), 0);
  arena.prefault(0, 1);
  assertEquals(arena.residentBytes(), 2 ** 20);
  arena.prefault(0, 1 + bytes / 2 ** 20);
  assertEquals(arena.residentBytes(), bytes);
  const pool = new KvPool(kernels.createKvBlocks(256), { giveBackBlocks: 64, memory: arena });
  pool.release(pool.tryAllocate(128)!);
  pool.trim();
  assertEquals(arena.residentBytes(), bytes / 2);
});

Deno.test("KvPool lends the memory of free blocks, and gives back what they had of it", () => {
  using blocks = KvBlocks.open(64);
  const given: [number, number][] = [];
  const states: number[] = [];
  const memory = {
    giveBack: (...run: [number, number]) => void given.push(run),
    residentBytes: () => 0,
    giveBackState: (slot: number) => void states.push(slot),
  };
  const pool = new KvPool(blocks, { giveBackBlocks: 64, memory });
  pool.serve({ idleBlocks: 0, slotBlocks: 1, takeIdle: () => undefined });
  pool.release(pool.tryAllocate(40)!);
  assert(pool.lend(24));
  assertEquals([pool.freeBlocks, given], [40, []], "24 blocks never had any");
  assert(pool.lend(10));
  assertEquals(given.reduce((sum, [, slots]) => sum + slots, 0), 10 * 16);
  assertEquals([pool.lend(31), pool.tryAllocate(31)], [false, null]);
  assertEquals(pool.tryAllocate(30)!.reduce((sum, { length }) => sum + length, 0), 30);
  pool.restore(34);
  assertEquals([pool.freeBlocks, pool.stats().lent], [34, 0]);
  const slots = new StateSlots(pool, 17);
  pool.serve(slots);
  for (const slot of [slots.tryTake()!, slots.tryTake()!]) slots.leave(slot);
  assertEquals(states, []);
  pool.tryAllocate(10);
  assertEquals(states, [0], "30 + 10 blocks and a state of 17");
  pool.trim();
  assertEquals(states, [0], "one may stay");
});

Deno.test("kvStats() tells waste, fragmentation and what a reservation would take", () => {
  using blocks = KvBlocks.open(16);
  const pool = new KvPool(blocks);
  const holder = (blocks: number, first: number) => ({
    tables: tablesOf(listed(pool.tryAllocate(blocks)!)),
    first,
  });
  const a = holder(4, 60), b = holder(2, 17);
  pool.release(pool.tryAllocate(1, b.tables[0].last)!);
  const sizes = {
    contextLength: 100,
    kvBytesPerToken: 10,
    kvBytesPerSlot: 10,
    cachedBlocks: 1,
  };
  const stats = kvStats(pool.stats(), [a, b], sizes);
  assertEquals(JSON.parse(JSON.stringify(stats)), {
    blockTokens: 16,
    reservedBytes: 2560,
    allocatedBytes: 960,
    cachedBytes: 160,
    usedBytes: 770,
    internalFragmentation: 1 - 770 / 960,
    externalFragmentation: 0,
    maxLengthReservationBytes: 2000,
    sequences: 2,
    runs: 2,
    blocks: {
      total: 16,
      free: 10,
      used: 6,
      shared: 0,
      largestFree: 10,
      givenBack: 0,
      freeRuns: stats.blocks.freeRuns,
      lent: 0,
    },
  });
});
