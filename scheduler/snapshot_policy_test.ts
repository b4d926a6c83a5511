import { assertEquals } from "@std/assert";
import { isWorthKeeping, lastingBorders } from "./snapshot_policy.ts";

const POLICY = { gapBlocks: 2, promptBlocks: 8, answerBlocks: 3, tailTokens: 5 };
const FRESH = { first: 0, keptTokens: 0, promptTokens: 100 };

Deno.test("lastingBorders() are at forks and near the end of the prompt, in whole blocks", () => {
  assertEquals(lastingBorders(FRESH, [], 10, POLICY), [90]);
  assertEquals(lastingBorders({ ...FRESH, promptTokens: 94 }, [], 10, POLICY), [80], "the tail has 5 tokens");
  assertEquals(lastingBorders(FRESH, [64, 33], 10, POLICY), [30, 60, 90]);
  assertEquals(
    lastingBorders({ ...FRESH, promptTokens: 20 }, [], 10, POLICY),
    [],
    "too short to be worth it",
  );
});

Deno.test("lastingBorders() keep their distance from each other and from what was kept", () => {
  assertEquals(lastingBorders(FRESH, [10, 64, 73, 88], 10, POLICY), [60, 80]);
  assertEquals(lastingBorders({ ...FRESH, first: 60, keptTokens: 60 }, [64, 71], 10, POLICY), [90]);
  const moved = { ...FRESH, first: 70, keptTokens: 30 };
  assertEquals(lastingBorders(moved, [60, 80], 10, POLICY), [80], "what is behind cannot be kept any more");
});

Deno.test("isWorthKeeping() from time to time, where a block ends", () => {
  const at = (first: number, keptTokens: number) =>
    isWorthKeeping({ first, keptTokens, promptTokens: 200 }, 10, POLICY);
  assertEquals([at(70, 0), at(80, 0), at(85, 0), at(120, 40)], [false, true, false, true]);
  assertEquals([at(220, 190), at(210, 190), at(225, 190)], [true, false, false], "in an answer");
});
