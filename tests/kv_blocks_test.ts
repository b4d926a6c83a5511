/**
 * The block allocator across the border: runs, references, refusals, its end. Its insides are tested in Zig.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { KernelError, Kernels } from "../src/ffi/context.ts";
import { KvBlocks } from "../src/ffi/kv_blocks.ts";

Deno.test("KvBlocks.allocate() gives one run where it can and leaves room behind it", () => {
  using kv = KvBlocks.open(256);
  assertEquals(kv.allocate(100), [{ first: 0, length: 100 }]);
  assertEquals(kv.allocate(20, undefined, 20), [{ first: 128, length: 20 }]);
  assertEquals(kv.allocate(3, 99), [{ first: 100, length: 3 }]);
  assertEquals(kv.verify(), "none");
});

Deno.test("KvBlocks.allocate() goes on after a block and then elsewhere, and gives null when there is not enough", () => {
  using kv = KvBlocks.open(70);
  assert(kv.allocateAt(66, 1));
  assertEquals(kv.allocate(4, 66), [{ first: 67, length: 3 }, { first: 64, length: 1 }]);
  assertEquals(kv.allocate(66), null);
  assertEquals(kv.allocate(65), [{ first: 0, length: 64 }, { first: 65, length: 1 }]);
  assertEquals(kv.allocate(1), null);
  assert(!kv.allocateAt(65, 1));
});

Deno.test("KvBlocks.release() frees a block with its last reference", () => {
  using kv = KvBlocks.open(64);
  assertEquals(kv.allocate(10), [{ first: 0, length: 10 }]);
  kv.share(0, 4);
  assertEquals(kv.references(3), 2);
  const { free, used, shared, references } = kv.stats();
  assertEquals({ free, used, shared, references }, { free: 54, used: 10, shared: 4, references: 14 });
  assertEquals(kv.release(0, 10), 6);
  assertEquals(kv.release(1, 2), 2);
  assertEquals(kv.references(3), 1);
  assertEquals(kv.references(1), 0);
  assertEquals(kv.verify(), "none");
  kv.release(0, 1);
  kv.release(3, 1);
  const { freeRuns, largestFree, externalFragmentation } = kv.stats();
  assertEquals([freeRuns[6], freeRuns.reduce((a, b) => a + b)], [1, 1], "everything is one run again");
  assertEquals([largestFree, externalFragmentation], [64, 0]);
});

Deno.test("KvBlocks.takeIdle() reports large free runs that were in use, once", () => {
  using kv = KvBlocks.open(128);
  assertEquals(kv.takeIdle(1), null);
  kv.allocate(40);
  kv.release(8, 32);
  assertEquals(kv.stats().idle, 32);
  assertEquals(kv.takeIdle(64), null);
  assertEquals(kv.takeIdle(16), { first: 16, length: 16 });
  assertEquals(kv.takeIdle(8), { first: 8, length: 8 });
  assertEquals(kv.takeIdle(8), { first: 32, length: 8 });
  assertEquals(kv.takeIdle(1), null);
  assertEquals(kv.verify(), "none");
});

Deno.test("KvBlocks.stats() tells external fragmentation", () => {
  using kv = KvBlocks.open(16);
  kv.allocate(16);
  for (let block = 0; block < 16; block += 2) kv.release(block, 1);
  assertEquals(kv.stats().externalFragmentation, 7 / 8);
});

Deno.test("KvBlocks refuses what it cannot do, and changes nothing", () => {
  using kv = KvBlocks.open(32);
  kv.allocate(8);
  const before = kv.stats();
  for (const [first, count] of [[7, 2], [8, 1], [31, 2], [0, 4294967295]]) {
    assertEquals(assertThrows(() => kv.release(first, count), KernelError).status, "invalidArgument");
    assertEquals(assertThrows(() => kv.share(first, count), KernelError).status, "invalidArgument");
  }
  assertThrows(() => kv.allocate(0), KernelError);
  assertThrows(() => kv.allocate(1, 32), KernelError);
  assertThrows(() => kv.references(32), KernelError);
  assertThrows(() => kv.allocate(-1), RangeError);
  assertThrows(() => kv.allocate(1.5), RangeError);
  assertEquals(kv.stats(), before);
  assertThrows(() => KvBlocks.open(0), KernelError, "blocks 0");
});

Deno.test("KvBlocks ends with dispose, or with the kernels that own it", () => {
  const alone = KvBlocks.open(4);
  alone[Symbol.dispose]();
  alone[Symbol.dispose]();
  assertThrows(() => alone.allocate(1), Error, "disposed");
  const kernels = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const owned = kernels.createKvBlocks(4);
  assertEquals(owned.allocate(4), [{ first: 0, length: 4 }]);
  kernels.close();
  assertThrows(() => owned.release(0, 1), Error, "disposed");
});
