import { assertEquals, assertThrows } from "@std/assert";
import { MemorySource } from "./byte_source.ts";
import { describe } from "./describe.ts";
import { encodeHeader } from "./encode.ts";
import { arrayEntry, scalarEntry } from "./entries.ts";
import { parseHeader } from "./header.ts";
import { checkKvFormat } from "./kv_format.ts";
import { GgufFile } from "./reader.ts";
import { TensorTypeId } from "./tensor_types.ts";
import type { MetadataEntry } from "./value_types.ts";

function fileOf(
  entries: MetadataEntry[],
  tensors: { name: string; type: number; dims: number[] }[],
): GgufFile {
  const header = encodeHeader(entries, tensors);
  const source = new MemorySource(header.bytes, header.fileBytes);
  return new GgufFile({ path: "m.gguf", source, header: parseHeader(source) });
}

Deno.test("describe() counts parameters, bytes and types, the largest type first", () => {
  const { parameters, weightsBytes, types } = describe(fileOf([], [
    { name: "norm", type: TensorTypeId.F32, dims: [256] },
    { name: "a", type: TensorTypeId.Q4_K, dims: [256, 8] },
    { name: "b", type: TensorTypeId.Q4_K, dims: [512, 4] },
  ]));
  assertEquals([parameters, weightsBytes], [256 + 2 * 2048, 1024 + 2 * 8 * 144]);
  assertEquals(types, [
    { type: "Q4_K", tensors: 2, parameters: 4096, bytes: 2304 },
    { type: "F32", tensors: 1, parameters: 256, bytes: 1024 },
  ]);
});

Deno.test("describe() counts of experts those that a token takes, and no table that is only looked up", () => {
  const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
  const entries = [
    scalarEntry("string", "general.architecture", "x"),
    u32("x.expert_count", 8),
    u32("x.expert_used_count", 2),
  ];
  const table = { name: "token_embd.weight", type: TensorTypeId.F32, dims: [64, 100] };
  const layer = [
    { name: "blk.0.attn_q.weight", type: TensorTypeId.F32, dims: [64, 64] },
    { name: "blk.0.ffn_up_exps.weight", type: TensorTypeId.F32, dims: [64, 32, 8] },
  ];
  const own = 64 * 64 + 2 * 64 * 32;
  assertEquals(describe(fileOf(entries, [table, ...layer])).active.parameters, own + 6400);
  const output = { name: "output.weight", type: TensorTypeId.F32, dims: [64, 100] };
  const apart = describe(fileOf(entries, [table, output, ...layer]));
  assertEquals(apart.active, { parameters: own + 6400, bytes: 4 * (own + 6400) });
  // Without a word of experts every one works.
  assertEquals(describe(fileOf([], layer)).active.parameters, 64 * 64 + 8 * 64 * 32);
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

Deno.test("describe() counts latent vectors once for all heads", () => {
  const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
  const file = fileOf([
    scalarEntry("string", "general.architecture", "x"),
    u32("x.block_count", 3),
    u32("x.embedding_length", 512),
    u32("x.attention.head_count", 8),
    u32("x.attention.key_length", 192),
    u32("x.attention.kv_lora_rank", 512),
    u32("x.rope.dimension_count", 64),
  ], []);
  assertEquals(describe(file).kv, { heads: 3, keyLength: 576, valueLength: 0 });
});

Deno.test("describe() gives null for what the metadata does not tell", () => {
  const description = describe(fileOf([], [{ name: "w", type: 0, dims: [4] }]));
  assertEquals([description.architecture, description.name, description.contextMax, description.kv], [
    null,
    null,
    null,
    null,
  ]);
  assertEquals([description.parameters, description.weightsBytes, description.partCount], [4, 16, 1]);
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
