import { assertEquals, assertThrows } from "@std/assert";
import { MemoryAllocator } from "./memory_allocator.ts";
import { StateSlots } from "./mod.ts";

Deno.test("StateSlots takes its memory from the same blocks", () => {
  const allocator = new MemoryAllocator(10);
  const states = new StateSlots(allocator, 4);
  assertEquals(states.slots, 2);
  assertEquals([states.tryTake(), states.tryTake(), states.tryTake()], [0, 1, null]);
  assertEquals(allocator.freeBlocks, 2);
  assertEquals(allocator.tryAllocate(3), null, "their memory is lent");
  states.leave(1);
  assertEquals(allocator.tryAllocate(6)!.length, 1);
  assertEquals(states.tryTake(), null, "their memory is taken");
});

Deno.test("StateSlots keeps a snapshot for those who use it and for those who come", () => {
  const allocator = new MemoryAllocator(8);
  const states = new StateSlots(allocator, 2);
  const slot = states.tryTake()!;
  assertEquals(states.isOwn(slot), true);
  states.keep(slot);
  assertEquals([states.isOwn(slot), states.unusedBlocks, states.snapshots], [false, 0, 1]);
  states.leave(slot);
  assertEquals([states.unusedBlocks, states.used, allocator.freeBlocks], [2, 1, 6]);
  states.use(slot);
  assertEquals(states.drop(slot), 0, "somebody uses it");
  assertEquals(states.isOwn(slot), true);
  states.leave(slot);
  assertEquals([states.used, allocator.freeBlocks], [0, 8]);
});

Deno.test("StateSlots tells whose memory could be given back, each time it was used", () => {
  const states = new StateSlots(new MemoryAllocator(8), 2);
  const a = states.tryTake()!, b = states.tryTake()!;
  assertEquals([states.idleBlocks, states.takeIdle()], [0, undefined]);
  states.leave(a);
  states.leave(b);
  assertEquals(states.idleBlocks, 4);
  assertEquals([states.takeIdle(), states.takeIdle(), states.takeIdle()], [a, b, undefined]);
  assertEquals(states.tryTake(), b);
  states.leave(b);
  assertEquals([states.idleBlocks, states.tryTake(), states.idleBlocks], [2, b, 0]);
});

Deno.test("StateSlots refuses what makes no sense", () => {
  const allocator = new MemoryAllocator(8);
  assertThrows(() => new StateSlots(allocator, 0), RangeError, "current value is 0");
  const states = new StateSlots(allocator, 2);
  assertThrows(() => states.leave(0), Error, "slot 0 is used by no sequence");
  assertThrows(() => states.keep(0), Error, "slot 0 cannot be kept");
  assertThrows(() => states.drop(0), Error, "slot 0 is no snapshot");
  assertThrows(() => allocator.restore(1), Error, "0 were lent");
});
