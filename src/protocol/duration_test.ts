import { assertEquals, assertThrows } from "@std/assert";
import { parseDuration, waitText } from "./duration.ts";

Deno.test("parseDuration() reads units and their sums, seconds where there is none, no end below 0", () => {
  const durations = {
    "5m": 300_000,
    "1h30m": 5_400_000,
    "1d2h": 93_600_000,
    "1.5s": 1500,
    "250ms": 250,
    "0": 0,
    "0s": 0,
    "90": 90_000,
    " 90 ": 90_000,
    "-1": Infinity,
    "-5m": Infinity,
    "1e2": 100_000,
  };
  for (const [text, ms] of Object.entries(durations)) assertEquals(parseDuration(text), ms, text);
  assertEquals([parseDuration(2.5), parseDuration(-0.5), parseDuration(0)], [2500, Infinity, 0]);
});

Deno.test("parseDuration() refuses what is no duration and shows it", () => {
  for (const text of ["", "-", "5 m", "m", "5x", "5m5", "--1", "soon", "5M"]) {
    assertThrows(() => parseDuration(text), RangeError, `current value is ${text}`);
  }
});

Deno.test("waitText() is short and never too short", () => {
  const waits = { 1: "1 s", 119_000: "119 s", 119_001: "2 min", 3_540_001: "1 h", 87_634_000: "24 h 21 min" };
  for (const [ms, text] of Object.entries(waits)) assertEquals(waitText(Number(ms)), text);
});
