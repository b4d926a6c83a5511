import { assertEquals, assertThrows } from "@std/assert";
import { Histogram } from "./histogram.ts";

Deno.test("Histogram counts a value in the first bucket whose bound it does not exceed", () => {
  const histogram = new Histogram([1, 2, 5]);
  for (const value of [-1, 0, 1, 1.5, 2, 4.9, 5, 5.1, 1000]) histogram.observe(value);
  assertEquals(histogram.figures(), { bounds: [1, 2, 5], counts: [3, 2, 2, 2], sum: 1018.5 });
});

Deno.test("Histogram leaves out what is no number", () => {
  const histogram = new Histogram([1]);
  for (const value of [NaN, Infinity, -Infinity, 3]) histogram.observe(value);
  assertEquals(histogram.figures(), { bounds: [1], counts: [0, 1], sum: 3 });
});

Deno.test("Histogram refuses bounds that do not ascend", () => {
  for (const bounds of [[1, 1], [2, 1], [NaN], [1, Infinity]]) {
    assertThrows(() => new Histogram(bounds), RangeError, "must ascend");
  }
});
