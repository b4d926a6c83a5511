import { assertEquals } from "@std/assert";
import { weightFormats } from "../ffi/symbols.ts";
import { tensorBytes, tensorType } from "../gguf/tensor_types.ts";
import { memoryBytes } from "./formats.ts";

Deno.test("memoryBytes() of whole panels is the file's for most formats, and what the layout needs for the others", () => {
  const dims = [1024, 48];
  const more = Object.entries(weightFormats).flatMap(([name, { id }]) => {
    const [file, memory] = [tensorBytes(tensorType(id), dims), memoryBytes(id, dims)];
    return memory === file ? [] : [[name, memory / file]];
  });
  // Bits a weight in memory and in the file: the K formats' scales are unpacked, or a whole byte.
  assertEquals(Object.fromEntries(more), {
    q3_k: 3.625 / 3.4375,
    q4_k: 4.625 / 4.5,
    q5_k: 5.625 / 5.5,
    q6_k: 6.625 / 6.5625,
    // Whatever packs several values into one number becomes nibbles.
    iq2_xxs: 4.625 / 2.0625,
    iq2_xs: 4.625 / 2.3125,
    iq3_xxs: 4.625 / 3.0625,
    iq1_s: 4.625 / 1.5625,
    iq3_s: 4.625 / 3.4375,
    iq2_s: 4.625 / 2.5625,
    iq4_xs: 4.5 / 4.25,
    iq1_m: 4.625 / 1.75,
    tq1_0: 4.625 / 1.6875,
    tq2_0: 4.625 / 2.0625,
    mxfp4: 4.5 / 4.25,
  });
});

Deno.test("memoryBytes() rounds rows up to panels of 16, and vectors are f32", () => {
  const { id } = weightFormats.q8_0;
  assertEquals(memoryBytes(id, [64, 17]), memoryBytes(id, [64, 32]));
  assertEquals(memoryBytes(id, [96, 16]), memoryBytes(id, [128, 16]));
  assertEquals(memoryBytes(weightFormats.f16.id, [100]), 400);
  // Matrices of experts, one behind the other.
  assertEquals(memoryBytes(id, [64, 8, 4]), memoryBytes(id, [64, 32]));
});
