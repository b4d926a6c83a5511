import { assertEquals, assertThrows } from "@std/assert";
import { MemorySource } from "./byte_source.ts";
import { describe } from "./describe.ts";
import { encodeHeader } from "./encode.ts";
import { arrayEntry, scalarEntry } from "./entries.ts";
import { parseHeader } from "./header.ts";
import { checkKvFormat, kvBytesPerToken } from "./kv_format.ts";
import { GgufFile } from "./reader.ts";
import { modelShape, shapeEntries, shapeTensors } from "./random_shapes.ts";
import type { MetadataEntry } from "./value_types.ts";

function fileOf(
  entries: MetadataEntry[],
  tensors: { name: string; type: number; dims: number[] }[],
): GgufFile {
  const header = encodeHeader(entries, tensors);
  const source = new MemorySource(header.bytes, header.fileBytes);
  return new GgufFile("m.gguf", source, parseHeader(source));
}

Deno.test("describe() counts parameters, bytes and types of Llama-3.2-1B's shape", () => {
  const shape = modelShape("llama-1b");
  const tensors = shapeTensors(shape, "q4_k").map(({ name, type, dims }) => ({
    name,
    type,
    dims: [...dims],
  }));
  const description = describe(fileOf(shapeEntries("llama-1b", shape, "q4_k"), tensors));
  assertEquals(description.parameters, 1235814432);
  assertEquals(description.types.map(({ type, tensors }) => [type, tensors]), [["Q4_K", 113], ["F32", 34]]);
  assertEquals(description.contextMax, 131072);
  assertEquals(description.kv, { heads: 128, keyLength: 64, valueLength: 64 });
  // 2 · 16 layers · 8 heads · 64 elements · 2 bytes
  assertEquals(kvBytesPerToken(description.kv!, "f16"), 32768);
  assertEquals(kvBytesPerToken(description.kv!, "f32"), 65536);
  // 34 bytes for each 32 elements
  assertEquals(kvBytesPerToken(description.kv!, "q8_0"), 17408);
});

Deno.test("describe() takes head sizes from the hidden size, and head counts that differ between layers", () => {
  const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
  const file = fileOf([
    scalarEntry("string", "general.architecture", "x"),
    u32("x.block_count", 3),
    u32("x.embedding_length", 512),
    u32("x.attention.head_count", 8),
    arrayEntry("i32", "x.attention.head_count_kv", Int32Array.of(8, 4, 2)),
  ], []);
  assertEquals(describe(file).kv, { heads: 14, keyLength: 64, valueLength: 64 });
});

Deno.test("describe() gives null for what the metadata does not tell", () => {
  const description = describe(fileOf([], [{ name: "w", type: 0, dims: [4] }]));
  assertEquals([description.architecture, description.name, description.contextMax, description.kv], [
    null,
    null,
    null,
    null,
  ]);
  assertEquals([description.parameters, description.weightsBytes, description.splitCount], [4, 16, 1]);
});

Deno.test("checkKvFormat() refuses heads that are not whole groups", () => {
  checkKvFormat("q8_0", { keyLength: 96, valueLength: 64 });
  checkKvFormat("f16", { keyLength: 80, valueLength: 8 });
  const refused = { keyLength: 64, valueLength: 80 };
  assertThrows(
    () => checkKvFormat("q8_0", refused),
    RangeError,
    "multiple of 32 elements, this model's have 80",
  );
});
