import { assertEquals, assertThrows } from "@std/assert";
import { BatchBuffer, type KvTable } from "./batch.ts";

const tokens = Array.from({ length: 100 }, (_, i) => 1000 + i);

/** A list of blocks from runs [first, length]. */
function table(start: number, ...runs: [number, number][]): KvTable {
  return { start, runs: runs.map(([first, length]) => ({ first, length })) };
}

Deno.test("BatchBuffer.encode() makes extents of runs that end at the last position", () => {
  const { ids, descriptor } = new BatchBuffer(64).encode([
    { tokens, first: 30, count: 4, tables: [table(0, [5, 2], [2, 1])] },
    { tokens, first: 0, count: 1, tables: [table(0, [9, 2], [40, 1])] },
  ]);
  assertEquals([...ids], [1030, 1031, 1032, 1033, 1000]);
  assertEquals([...descriptor], [
    ...[5, 2, 3, 1],
    ...[30, 6 * 16 + 14, 31, 6 * 16 + 15, 32, 2 * 16, 33, 2 * 16 + 1, 0, 9 * 16],
    ...[0, 4, 30, 0, 2, 0],
    ...[4, 1, 0, 2, 1, 0],
    ...[5 * 16, 32, 2 * 16, 2],
    ...[9 * 16, 1],
  ]);
});

Deno.test("BatchBuffer.encode() writes tokens and sequences for each group, from its first block on", () => {
  const { descriptor } = new BatchBuffer(64, 2).encode([
    { tokens, first: 33, count: 2, tables: [table(0, [4, 3]), table(1, [20, 1], [8, 2])] },
    { tokens, first: 2, count: 1, tables: [table(0, [7, 1]), table(0, [0, 1])] },
  ]);
  assertEquals([...descriptor], [
    ...[3, 2, 5, 2],
    ...[33, 6 * 16 + 1, 34, 6 * 16 + 2, 2, 7 * 16 + 2],
    ...[33, 8 * 16 + 1, 34, 8 * 16 + 2, 2, 2],
    ...[0, 2, 33, 0, 1, 0],
    ...[2, 1, 2, 1, 1, 0],
    ...[0, 2, 33, 2, 2, 16],
    ...[2, 1, 2, 4, 1, 0],
    ...[4 * 16, 35, 7 * 16, 3],
    ...[20 * 16, 16, 8 * 16, 3, 0, 3],
  ]);
});

Deno.test("BatchBuffer.encode() gives the same words when its memory is used again", () => {
  const buffer = new BatchBuffer(512);
  const tables = [table(0, [1, 1], [3, 1], [5, 1], [7, 1], [9, 1], [11, 1])];
  const slice = { tokens, first: 3, count: 90, tables };
  const before = [...buffer.encode([slice]).descriptor];
  const many = Array.from({ length: 5 }, () => ({ ...slice, first: 0 }));
  buffer.encode(many);
  assertEquals([...buffer.encode([slice]).descriptor], before);
});

Deno.test("BatchBuffer.encode() throws when a slice is empty, too long, or has too few blocks", () => {
  const buffer = new BatchBuffer(8);
  const one = { tokens, first: 0, count: 1, tables: [table(0, [1, 1])] };
  assertThrows(() => buffer.encode([]), RangeError, "current value is 0");
  assertThrows(() => buffer.encode([{ ...one, count: 0 }]), RangeError, "0 tokens");
  assertThrows(() => buffer.encode([{ ...one, count: 9 }]), RangeError, "current value is 9");
  assertThrows(() => buffer.encode([{ ...one, first: 16 }]), RangeError, "17 positions in 1 KV blocks");
  assertThrows(() => buffer.encode([{ ...one, tables: [table(1, [1, 1])] }]), RangeError, "from block 1 on");
  assertThrows(() => buffer.encode([{ ...one, tables: [] }]), RangeError, "must have 1 lists");
});
