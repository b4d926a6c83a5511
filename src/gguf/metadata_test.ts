import { assertEquals, assertThrows } from "@std/assert";
import { GgufError } from "./error.ts";
import { MetadataReader } from "./metadata.ts";
import type { MetadataValue } from "./value_types.ts";

const reader = new MetadataReader(
  new Map<string, string | number | bigint | boolean | string[] | Float32Array | BigUint64Array>([
    ["llama.block_count", "twelve"],
    ["layers", 12],
    ["zero", 0],
    ["negative", -1],
    ["half", 0.5],
    ["nan", NaN],
    ["huge", 2n ** 63n],
    ["flag", false],
    ["tokens", ["a", "b"]],
    ["scores", Float32Array.of(1, 2)],
    ["sizes", BigUint64Array.of(1n)],
  ]),
);

Deno.test("MetadataReader gives values of the type asked for", () => {
  assertEquals(reader.u32("layers"), 12);
  assertEquals(reader.f32("half"), 0.5);
  assertEquals(reader.f32("layers"), 12);
  assertEquals(reader.bool("flag"), false);
  assertEquals(reader.string("llama.block_count"), "twelve");
  assertEquals(reader.strings("tokens"), ["a", "b"]);
  assertEquals(Array.from(reader.numbers("scores")), [1, 2]);
  assertEquals(reader.array("sizes").length, 1);
  assertEquals([reader.has("layers"), reader.has("heads")], [true, false]);
});

Deno.test("MetadataReader gives the fallback for a missing key only", () => {
  assertEquals(reader.u32("heads", { fallback: 8 }), 8);
  assertEquals(reader.u32("zero", { fallback: 8 }), 0);
  assertEquals(reader.bool("flag", { fallback: true }), false);
  assertEquals(reader.strings("none", { fallback: [] }), []);
});

Deno.test("MetadataReader.u32s() takes one number for all, or one for each", () => {
  const own = new MetadataReader(
    new Map<string, MetadataValue>([["one", 3], ["each", Int32Array.of(1, 2)], [
      "none",
      Int32Array.of(1, 0),
    ]]),
  );
  assertEquals([own.u32s("one", 2), own.u32s("each", 2)], [[3, 3], [1, 2]]);
  assertEquals(own.u32s("missing", 2, { fallback: 7 }), [7, 7]);
  const wrong: [() => unknown, string][] = [
    [() => own.u32s("each", 3), "each: expected u32 or an array of 3, current value is array of 2"],
    [() => own.u32s("none", 2, { min: 1 }), "none[1]: expected u32 of at least 1, current value is 0"],
    [() => own.u32s("missing", 2), "missing: expected u32, and the key is missing"],
  ];
  for (const [action, message] of wrong) assertThrows(action, GgufError, message);
});

Deno.test("MetadataReader names the key, what was expected, and the current value", () => {
  const cases: [() => unknown, string][] = [
    [() => reader.u32("llama.block_count"), 'llama.block_count: expected u32, current value is "twelve"'],
    [() => reader.u32("negative"), "negative: expected u32, current value is -1"],
    [() => reader.u32("half"), "half: expected u32, current value is 0.5"],
    [() => reader.u32("huge"), "huge: expected u32, current value is 9223372036854775808"],
    [() => reader.u32("heads"), "heads: expected u32, and the key is missing"],
    [() => reader.u32("zero", { min: 1 }), "zero: expected u32 of at least 1, current value is 0"],
    [() => reader.u32("layers", { min: 1, max: 8 }), "expected u32 from 1 to 8, current value is 12"],
    [() => reader.f32("nan"), "nan: expected a finite f32, current value is NaN"],
    [() => reader.bool("layers"), "layers: expected bool, current value is 12"],
    [() => reader.string("tokens"), "tokens: expected string, current value is array of 2"],
    [() => reader.strings("scores"), "scores: expected array of strings, current value is array of 2"],
    [() => reader.numbers("tokens"), "tokens: expected array of numbers, current value is array of 2"],
    [() => reader.numbers("sizes"), "sizes: expected array of numbers, current value is array of 1"],
    [() => reader.array("flag"), "flag: expected array, current value is false"],
  ];
  for (const [action, message] of cases) assertThrows(action, GgufError, message);
});
