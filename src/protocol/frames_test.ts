import { assert, assertEquals, assertThrows } from "@std/assert";
import { FrameError, frameOf, FrameReader } from "./frames.ts";

/** Numbers from 0 to below 1 that are the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

Deno.test("FrameReader gives the frames that were written, however the bytes are divided", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = numbers(seed);
    const below = (end: number) => Math.floor(next() * end);
    const written = Array.from({ length: 1 + below(8) }, (): [number, Uint8Array] => [
      below(256),
      Uint8Array.from({ length: below(4) === 0 ? 0 : below(70) }, () => below(256)),
    ]);
    const bytes = join(written.map(([kind, payload]) => frameOf(kind, payload)));
    const seen: [number, Uint8Array][] = [];
    const reader = new FrameReader((kind, payload) => seen.push([kind, payload]));
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + below(40);
      reader.push(bytes.slice(at, end));
      at = end;
    }
    assertEquals(seen, written);
    assert(!reader.isWithin);
  }
});

Deno.test("FrameReader keeps back a frame that is cut off, at each byte", () => {
  const [whole, cut] = [frameOf(1, new Uint8Array([9])), frameOf(2, new Uint8Array([1, 2, 3]))];
  for (let bytes = 1; bytes < cut.length; bytes++) {
    const seen: number[] = [];
    const reader = new FrameReader((kind) => seen.push(kind));
    reader.push(join([whole, cut.subarray(0, bytes)]));
    assertEquals([seen, reader.isWithin], [[1], true]);
  }
});

Deno.test("frameOf() and FrameReader refuse more bytes than the limit, and no fewer", () => {
  const seen: number[] = [];
  const reader = new FrameReader((_, { length }) => seen.push(length), 10);
  reader.push(frameOf(0, new Uint8Array(10), 10));
  assertEquals(seen, [10]);
  assertThrows(() => reader.push(frameOf(0, new Uint8Array(11))), FrameError, "11 bytes; the most is 10");
  assertThrows(() => frameOf(0, new Uint8Array(11), 10), RangeError, "current value is 11");
  assertThrows(() => frameOf(256), RangeError, "current value is 256");
  // What is no frame at all, such as a line of text, is refused by what it says in place of a length.
  const text = new TextEncoder().encode("Segmentation fault");
  assertThrows(() => new FrameReader(() => {}).push(text), FrameError);
});
