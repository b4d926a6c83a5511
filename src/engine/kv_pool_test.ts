import { assertEquals, assertThrows } from "@std/assert";
import { KvPool } from "./kv_pool.ts";

Deno.test("KvPool.tryAllocate() takes the lowest free blocks", () => {
  const pool = new KvPool(4);
  assertEquals(pool.tryAllocate(2), [0, 1]);
  assertEquals(pool.tryAllocate(1), [2]);
  assertEquals(pool.freeBlocks, 1);
});

Deno.test("KvPool.tryAllocate() continues a run where the next block is free", () => {
  const pool = new KvPool(8);
  pool.tryAllocate(3);
  pool.release([0]);
  assertEquals(pool.tryAllocate(2, 2), [3, 4]);
  assertEquals(pool.tryAllocate(1, 4), [5]);
  assertEquals(pool.tryAllocate(3, 5), [6, 7, 0]);
});

Deno.test("KvPool.tryAllocate() gives null and takes nothing when there is not enough", () => {
  const pool = new KvPool(2);
  assertEquals(pool.tryAllocate(3), null);
  assertEquals(pool.freeBlocks, 2);
});

Deno.test("KvPool.release() refuses a block that is not in use", () => {
  const pool = new KvPool(2);
  const blocks = pool.tryAllocate(1)!;
  pool.release(blocks);
  assertThrows(() => pool.release(blocks), RangeError, "not in use");
});
