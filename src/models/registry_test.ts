import { assertEquals, assertThrows } from "@std/assert";
import { GgufError } from "../gguf/error.ts";
import { MetadataReader } from "../gguf/metadata.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { checkTensors } from "./check.ts";
import { ModelError } from "./error.ts";
import type { ModelHeader } from "./hyperparameters.ts";
import { familyOf, supportedArchitectures } from "./registry.ts";

type Tensors = Map<string, { type: number; dims: number[] }>;

function metadata(architecture: string, changes: Record<string, MetadataValue | undefined> = {}) {
  const values: Record<string, MetadataValue | undefined> = {
    "general.architecture": architecture,
    ...Object.fromEntries(
      Object.entries({
        block_count: 2,
        embedding_length: 256,
        feed_forward_length: 512,
        context_length: 1024,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "attention.layer_norm_rms_epsilon": 1e-5,
      }).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
    ...changes,
  };
  const present = Object.entries(values).filter((entry): entry is [string, MetadataValue] =>
    entry[1] !== undefined
  );
  return new MetadataReader(new Map(present));
}

/** A file with the tensors that the family asks for. */
function header(
  architecture: string,
  changes: Record<string, MetadataValue | undefined> = {},
): ModelHeader & {
  tensors: Tensors;
} {
  const tensors: Tensors = new Map([["token_embd.weight", { type: TensorTypeId.Q4_K, dims: [256, 300] }]]);
  const file = { get: metadata(architecture, changes), tensors };
  const family = familyOf(file);
  for (const { name, kind, rows, k, required } of family.tensors(family.hyperparameters(file))) {
    if (!required) continue;
    tensors.set(
      name,
      kind === "vector" ? { type: 0, dims: [k] } : { type: TensorTypeId.Q4_K, dims: [k, rows] },
    );
  }
  return file;
}

function check(file: ModelHeader): void {
  const family = familyOf(file);
  checkTensors(file, family.tensors(family.hyperparameters(file)));
}

Deno.test("every family accepts a file with its tensors, with and without an output matrix", () => {
  for (const architecture of supportedArchitectures) {
    const file = header(architecture);
    check(file);
    file.tensors.set("output.weight", { type: TensorTypeId.Q6_K, dims: [256, 300] });
    check(file);
  }
});

Deno.test("familyOf() names the supported architectures when it does not know one", () => {
  assertThrows(() => header("gpt2"), ModelError, `is "gpt2"; supported are llama, qwen2, qwen3`);
  assertThrows(
    () => familyOf({ get: new MetadataReader(new Map()), tensors: new Map() }),
    GgufError,
    "missing",
  );
});

Deno.test("hyperparameters have the families' defaults", () => {
  const h = familyOf(header("llama")).hyperparameters(header("llama"));
  assertEquals([h.headDim, h.vocab, h.rope.base, h.rope.dimensions], [64, 300, 10_000, 64]);
  assertEquals(h.rope.pairing, "interleaved");
  assertEquals(h.rope.scaling, { type: "none" });
  const own = header("qwen3", { "qwen3.attention.key_length": 128, "qwen3.attention.value_length": 128 });
  assertEquals(familyOf(own).hyperparameters(own).headDim, 128);
  assertEquals(own.tensors.get("blk.1.attn_output.weight")?.dims, [512, 256]);
});

Deno.test("hyperparameters out of range are refused by name and value", () => {
  const bad: [string, MetadataValue | undefined, string][] = [
    ["block_count", 0, "block_count: expected u32 from 1 to 1024, current value is 0"],
    ["embedding_length", "wide", "embedding_length"],
    ["feed_forward_length", undefined, "feed_forward_length"],
    ["attention.head_count_kv", 3, "4 query heads cannot share 3"],
    ["attention.value_length", 32, "64 elements a head and values 32"],
    ["rope.dimension_count", 63, "must be even"],
    ["rope.dimension_count", 66, "rope.dimension_count"],
    ["rope.scaling.type", "longrope", `"longrope"; supported are none, linear, yarn`],
    ["attention.layer_norm_rms_epsilon", NaN, "epsilon"],
    ["expert_count", 8, "mixtures of experts"],
  ];
  for (const [key, value, message] of bad) {
    assertThrows(() => header("llama", { [`llama.${key}`]: value }), Error, message);
  }
  const tokens = Array.from({ length: 301 }, (_, i) => `t${i}`);
  assertThrows(() => header("llama", { "tokenizer.ggml.tokens": tokens }), ModelError, "301 tokens");
});

Deno.test("rope scaling is read with YaRN's defaults and the old linear key", () => {
  const scaling = (changes: Record<string, MetadataValue>) => {
    const prefixed = Object.fromEntries(Object.entries(changes).map(([k, v]) => [`llama.rope.${k}`, v]));
    const file = header("llama", prefixed);
    return familyOf(file).hyperparameters(file).rope.scaling;
  };
  assertEquals(scaling({ "scaling.type": "linear", "scaling.factor": 4 }), { type: "linear", factor: 4 });
  assertEquals(scaling({ scale_linear: 2 }), { type: "linear", factor: 2 });
  assertEquals(scaling({ "scaling.type": "none", "scaling.factor": 4 }), { type: "none" });
  assertEquals(
    scaling({ "scaling.type": "yarn", "scaling.factor": 4, "scaling.original_context_length": 256 }),
    {
      type: "yarn",
      factor: 4,
      originalContext: 256,
      attentionFactor: 1,
      extFactor: 1,
      betaFast: 32,
      betaSlow: 1,
    },
  );
});

Deno.test("checkTensors() names the tensor that is missing, misshapen, in a foreign format, or unknown", () => {
  const cases: [(tensors: Tensors) => void, string][] = [
    [(t) => t.delete("blk.1.ffn_up.weight"), `tensor "blk.1.ffn_up.weight" is missing`],
    [
      (t) => t.get("blk.0.attn_k.weight")!.dims = [256, 256],
      `"blk.0.attn_k.weight" must be [128, 256], it is [256, 256]`,
    ],
    [(t) => t.get("blk.0.attn_norm.weight")!.dims = [255], `must be [256], it is [255]`],
    [
      (t) => t.get("blk.0.ffn_gate.weight")!.type = 10,
      `"blk.0.ffn_gate.weight" has format Q2_K; supported are F32`,
    ],
    [(t) => t.get("output_norm.weight")!.type = TensorTypeId.Q8_0, `"output_norm.weight" has format Q8_0`],
    [(t) => t.set("blk.0.attn_sinks", { type: 0, dims: [4] }), `"blk.0.attn_sinks" has no place`],
  ];
  for (const [change, message] of cases) {
    const file = header("qwen2");
    change(file.tensors);
    assertThrows(() => check(file), ModelError, message);
  }
});
