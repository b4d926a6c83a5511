import { assertEquals, assertThrows } from "@std/assert";
import { BatchBuffer } from "./batch.ts";

const tokens = Array.from({ length: 100 }, (_, i) => 1000 + i);

Deno.test("BatchBuffer.encode() merges adjacent blocks into extents that end at the last position", () => {
  const { ids, descriptor } = new BatchBuffer(64).encode([
    { tokens, first: 30, count: 4, blocks: [5, 6, 2] },
    { tokens, first: 0, count: 1, blocks: [9, 10] },
  ]);
  assertEquals([...ids], [1030, 1031, 1032, 1033, 1000]);
  assertEquals([...descriptor], [
    ...[5, 2, 3, 0],
    ...[30, 6 * 16 + 14, 31, 6 * 16 + 15, 32, 2 * 16, 33, 2 * 16 + 1, 0, 9 * 16],
    ...[0, 4, 30, 0, 2],
    ...[4, 1, 0, 2, 1],
    ...[5 * 16, 32, 2 * 16, 2],
    ...[9 * 16, 1],
  ]);
});

Deno.test("BatchBuffer.encode() gives the same words when its memory is used again", () => {
  const buffer = new BatchBuffer(512);
  const slice = { tokens, first: 3, count: 90, blocks: [1, 3, 5, 7, 9, 11] };
  const before = [...buffer.encode([slice]).descriptor];
  const many = Array.from({ length: 5 }, () => ({ ...slice, first: 0 }));
  buffer.encode(many);
  assertEquals([...buffer.encode([slice]).descriptor], before);
});

Deno.test("BatchBuffer.encode() throws when a slice is empty, too long, or has too few blocks", () => {
  const buffer = new BatchBuffer(8);
  assertThrows(() => buffer.encode([]), RangeError, "current value is 0");
  assertThrows(() => buffer.encode([{ tokens, first: 0, count: 0, blocks: [1] }]), RangeError, "0 tokens");
  assertThrows(
    () => buffer.encode([{ tokens, first: 0, count: 9, blocks: [1] }]),
    RangeError,
    "current value is 9",
  );
  assertThrows(
    () => buffer.encode([{ tokens, first: 16, count: 1, blocks: [1] }]),
    RangeError,
    "17 positions",
  );
});
