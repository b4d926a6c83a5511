import { assertEquals, assertThrows } from "@std/assert";
import { MemorySource } from "../gguf/byte_source.ts";
import { describe } from "../gguf/describe.ts";
import { encodeHeader } from "../gguf/encode.ts";
import { arrayEntry } from "../gguf/entries.ts";
import { GgufError } from "../gguf/error.ts";
import { parseHeader } from "../gguf/header.ts";
import { kvBytesPerToken } from "../gguf/kv_format.ts";
import { GgufFile } from "../gguf/reader.ts";
import { checkModel } from "./check.ts";
import { shapeEntries, shapeTensors } from "./random_shapes.ts";
import { type ModelShape, modelShape, shapeNames } from "./shapes.ts";
import { supportedArchitectures } from "./registry.ts";

/** The header of a random model. */
function fileOf(name: string, format: "q4_k" | "f16", changes: Partial<ModelShape> = {}): GgufFile {
  const shape = { ...modelShape(name), ...changes };
  const tensors = shapeTensors(shape, format).map(({ name, type, dims }) => ({
    name,
    type,
    dims: [...dims],
  }));
  const header = encodeHeader(shapeEntries(name, shape, format), tensors);
  const source = new MemorySource(header.bytes, header.fileBytes);
  return new GgufFile({ path: "m.gguf", source, header: parseHeader(source) });
}

Deno.test("the shape of Llama 3.2 1B has its parameters, tensors and KV cache", () => {
  const description = describe(fileOf("llama-1b", "q4_k"));
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

Deno.test("every shape is a model that its family takes, and every family has a tiny one", () => {
  for (const name of shapeNames) {
    for (const tied of [true, false]) checkModel(fileOf(name, "f16", { tied }));
  }
  for (const family of supportedArchitectures) {
    assertEquals(modelShape(`${family}-tiny`).family, family);
  }
  assertThrows(() => modelShape("toString"), GgufError, "expected one of the shapes llama-tiny, ");
});

Deno.test("shapeTensors() numbers tensors as they always were: the random weights of a seed depend on it", () => {
  const names = (shape: string) => shapeTensors(modelShape(shape), "f16").map(({ name }) => name);
  const layer = (i: number, ...more: string[]) =>
    [
      ...[
        "attn_norm",
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_norm",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
      ]
        .map((part) => `${part}.weight`),
      ...more,
    ].map((part) => `blk.${i}.${part}`);
  const biases = ["attn_q.bias", "attn_k.bias", "attn_v.bias"];
  const norms = ["attn_q_norm.weight", "attn_k_norm.weight"];
  assertEquals(names("llama-tiny"), [
    "token_embd.weight",
    ...layer(0),
    ...layer(1),
    "output_norm.weight",
    "output.weight",
  ]);
  assertEquals(names("qwen2-tiny").slice(1, 13), layer(0, ...biases));
  assertEquals(names("qwen3-tiny").slice(1, 12), layer(0, ...norms));
  assertEquals(names("llama-1b").at(-1), "rope_freqs.weight");
});

Deno.test("shapeTensors() follows entries of the shape's own", () => {
  const entries = [arrayEntry("i32", "llama.attention.head_count_kv", Int32Array.of(2, 4))];
  const dims = shapeTensors({ ...modelShape("llama-tiny"), entries }, "f16")
    .filter(({ name }) => name.endsWith("attn_k.weight")).map(({ dims }) => dims);
  assertEquals(dims, [[256, 128], [256, 256]]);
});
