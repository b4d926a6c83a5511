import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fitKvTokens, kvRoomTokens, marginBytes } from "./memory_check.ts";
import { ModelError } from "../models/error.ts";

const MIB = 2 ** 20;
/** 1000 MiB of weights make a margin of 178 MiB; 1 MiB per token. */
const need = {
  weightBytes: 1000 * MIB,
  kvBytes: (tokens: number) => tokens * MIB,
  kvTokens: 320,
  kvTokensMin: 160,
};

Deno.test("fitKvTokens() gives what is wanted where it fits", () => {
  assertEquals(fitKvTokens({ ...need, availableBytes: 1498 * MIB }), 320);
});

Deno.test("fitKvTokens() gives whole blocks, and no fewer than the least", () => {
  assertEquals(fitKvTokens({ ...need, availableBytes: 1497 * MIB }), 304);
  assertEquals(fitKvTokens({ ...need, availableBytes: 1338 * MIB }), 160);
  assertEquals(fitKvTokens({ ...need, kvTokensMin: 170, availableBytes: 1349 * MIB }), 170);
});

Deno.test("fitKvTokens() refuses with every figure and what to do", () => {
  const { message } = assertThrows(
    () => fitKvTokens({ ...need, availableBytes: 1337 * MIB }),
    ModelError,
  );
  for (const part of ["1338 MiB", "1337 MiB", "1000 MiB", "160 tokens", "178 MiB", "kv.overcommit"]) {
    assertStringIncludes(message, part);
  }
});

Deno.test("fitKvTokens() keeps the margin of a large model within 1 GiB", () => {
  const large = { ...need, weightBytes: 100_000 * MIB };
  assertEquals(fitKvTokens({ ...large, availableBytes: (100_000 + 1152 + 320) * MIB }), 320);
});

Deno.test("kvRoomTokens() gives what fitKvTokens() would take", () => {
  const room = {
    weightBytes: 1000 * MIB,
    kvBytes: (tokens: number) => tokens * MIB,
    availableBytes: 1364 * MIB,
  };
  assertEquals(marginBytes(room.weightBytes), 178 * MIB);
  const tokens = kvRoomTokens(room);
  assertEquals(tokens, 176);
  assertEquals(fitKvTokens({ ...room, kvTokens: tokens, kvTokensMin: tokens }), tokens);
  assertThrows(() => fitKvTokens({ ...room, kvTokens: tokens + 16, kvTokensMin: tokens + 16 }), ModelError);
  assertEquals(kvRoomTokens({ ...room, availableBytes: 900 * MIB }), 0);
});
