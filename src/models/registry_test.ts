import { assertEquals, assertThrows } from "@std/assert";
import { GgufError } from "../gguf/error.ts";
import { MetadataReader } from "../gguf/metadata.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { checkKvShapes, checkModel } from "./check.ts";
import { ModelBuilder } from "./builder.ts";
import { composeModel } from "./compose.ts";
import { composeDecoder, type LayerOptions } from "./decoder.ts";
import { llama } from "./llama.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
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
  for (const { name, kind, rows, k, required } of composeModel(family, hyperparametersOf(file)).tensors) {
    if (!required) continue;
    tensors.set(
      name,
      kind === "vector" ? { type: 0, dims: [k] } : { type: TensorTypeId.Q4_K, dims: [k, rows] },
    );
  }
  return file;
}

function hyperparametersOf(file: ModelHeader): Hyperparameters {
  return readHyperparameters(file, familyOf(file));
}

Deno.test("familyOf() names the supported architectures when it does not know one", () => {
  assertThrows(
    () => header("grok"),
    ModelError,
    `is "grok"; supported are ${supportedArchitectures.join(", ")} (`,
  );
  assertThrows(
    () => familyOf({ get: new MetadataReader(new Map()), tensors: new Map() }),
    GgufError,
    "missing",
  );
});

Deno.test("hyperparameters have the families' defaults", () => {
  const h = hyperparametersOf(header("llama"));
  const rope = { pairing: "interleaved", dimensions: 64, base: 10_000, scaling: { type: "none" } } as const;
  const layer = { heads: 4, kvHeads: 2, keyDim: 64, valueDim: 64, ffn: 512, rope };
  assertEquals([h.vocab, h.layers], [300, [layer, layer]]);
  const own = header("qwen3", { "qwen3.attention.key_length": 128, "qwen3.attention.value_length": 128 });
  assertEquals(hyperparametersOf(own).layers[1].keyDim, 128);
  assertEquals(own.tensors.get("blk.1.attn_output.weight")?.dims, [512, 256]);
});

Deno.test("hyperparameters out of range are refused by name and value", () => {
  const bad: [string, MetadataValue | undefined, string][] = [
    ["block_count", 0, "block_count: expected u32 from 1 to 1024, current value is 0"],
    ["embedding_length", "wide", "embedding_length"],
    ["feed_forward_length", undefined, "feed_forward_length"],
    ["attention.head_count_kv", 3, "4 query heads cannot share 3"],
    ["rope.dimension_count", 63, "must be even"],
    ["rope.dimension_count", 66, "rope.dimension_count"],
    ["rope.scaling.type", "longrope", `"longrope"; supported are none, linear, yarn`],
    ["attention.layer_norm_rms_epsilon", NaN, "epsilon"],
    ["expert_count", 8, "llama.expert_used_count"],
  ];
  for (const [key, value, message] of bad) {
    assertThrows(() => header("llama", { [`llama.${key}`]: value }), Error, message);
  }
  const tokens = Array.from({ length: 301 }, (_, i) => `t${i}`);
  assertThrows(() => header("llama", { "tokenizer.ggml.tokens": tokens }), ModelError, "301 tokens");
});

Deno.test("counts of heads and sizes of feed-forwards may be given for each layer", () => {
  const file = header("llama", {
    "llama.attention.head_count": Int32Array.of(4, 8),
    "llama.attention.head_count_kv": Uint32Array.of(2, 1),
    "llama.feed_forward_length": Int32Array.of(512, 256),
  });
  const { layers } = hyperparametersOf(file);
  assertEquals(
    layers.map(({ heads, kvHeads, keyDim, ffn }) => [heads, kvHeads, keyDim, ffn]),
    [[4, 2, 64, 512], [8, 1, 64, 256]],
  );
  assertEquals(file.tensors.get("blk.1.attn_q.weight")?.dims, [256, 512]);
  assertEquals(file.tensors.get("blk.1.ffn_up.weight")?.dims, [256, 256]);
  checkKvShapes(layers);
  for (
    const [change, message] of [
      [{ keyDim: 20 }, "layer 1 has keys of 20 elements a head; the KV cache takes multiples of 8 up to 576"],
      [{ valueDim: 584 }, "layer 1 has values of 584 elements a head"],
      [{ keyDim: 0 }, "layer 1 has keys of 0 elements a head"],
    ] as const
  ) {
    assertThrows(() => checkKvShapes([layers[0], { ...layers[1], ...change }]), ModelError, message);
  }
  assertThrows(
    () => header("llama", { "llama.attention.head_count": Int32Array.of(4, 4, 4) }),
    GgufError,
    "llama.attention.head_count: expected u32 or an array of 2, current value is array of 3",
  );
});

Deno.test("rope scaling is read with YaRN's defaults and the old linear key", () => {
  const scaling = (changes: Record<string, MetadataValue>) => {
    const prefixed = Object.fromEntries(Object.entries(changes).map(([k, v]) => [`llama.rope.${k}`, v]));
    const file = header("llama", prefixed);
    return hyperparametersOf(file).layers[0].rope.scaling;
  };
  assertEquals(scaling({ "scaling.type": "linear", "scaling.factor": 4 }), { type: "linear", factor: 4 });
  assertEquals(scaling({ scale_linear: 2 }), { type: "linear", factor: 2 });
  assertEquals(scaling({ "scaling.factor": 4 }), { type: "linear", factor: 4 });
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

Deno.test("checkModel() names the tensor that is missing, misshapen, in a foreign format, or unknown", () => {
  const cases: [(tensors: Tensors) => void, string][] = [
    [(t) => t.delete("blk.1.ffn_up.weight"), `tensor "blk.1.ffn_up.weight" is missing`],
    [
      (t) => t.get("blk.0.attn_k.weight")!.dims = [256, 256],
      `"blk.0.attn_k.weight" must be [128, 256], it is [256, 256]`,
    ],
    [(t) => t.get("blk.0.attn_norm.weight")!.dims = [255], `must be [256], it is [255]`],
    [
      (t) => t.get("blk.0.ffn_gate.weight")!.type = 41,
      `"blk.0.ffn_gate.weight" has format Q1_0; supported are F32`,
    ],
    [(t) => t.get("output_norm.weight")!.type = TensorTypeId.Q8_0, `"output_norm.weight" has format Q8_0`],
    [(t) => t.set("blk.0.attn_sinks", { type: 0, dims: [4] }), `"blk.0.attn_sinks" has no place`],
  ];
  for (const [change, message] of cases) {
    const file = header("qwen2");
    change(file.tensors);
    assertThrows(() => checkModel(file), ModelError, message);
  }
});

/** The file's metadata with changes within `llama.`. */
function changed(changes: Record<string, MetadataValue>): ModelHeader {
  return header(
    "llama",
    Object.fromEntries(Object.entries(changes).map(([key, value]) => [`llama.${key}`, value])),
  );
}

Deno.test("keys that ask for another computation are refused by name and value", () => {
  const bad: [string, MetadataValue, string][] = [
    ["attention.causal", false, "llama.attention.causal is false, which asks for attention to later tokens"],
    ["attention.scale", 0.5, "llama.attention.scale is 0.5"],
    ["attention.sliding_window", 512, "is 512, which asks for attention to a window of tokens"],
    ["attention.max_alibi_bias", 8, "ALiBi"],
    ["attention.clamp_kqv", 10, "clamped"],
    ["attention.kv_lora_rank", 512, "latent attention"],
    ["attention.decay_lora_rank", 512, "low-rank"],
    ["attention.indexer.top_k", 64, "an index"],
    ["attn_logit_softcapping", 50, "soft-capped attention"],
    ["final_logit_softcapping", 30, "soft-capped logits"],
    ["logit_scale", 0.0625, "scaled logits"],
    ["residual_scale", 0.22, "scaled residuals"],
    ["embedding_scale", 12, "scaled embeddings"],
    ["embedding_length_out", 128, "embeddings of another size"],
    ["use_parallel_residual", true, "parallel residuals"],
    [
      "rope.dimension_sections",
      Int32Array.of(16, 24, 24, 0),
      "is array of 4, which asks for rotary sections",
    ],
    ["rope.scaling.alpha", 1000, "a rotary alpha"],
    ["rope.scaling.yarn_log_multiplier", 0.1, "YaRN"],
    ["nextn_predict_layers", 1, "further tokens"],
    ["ssm.state_size", 16, "state space"],
    ["swiglu_clamp_exp", Float32Array.of(7, 7), "clamped SwiGLU"],
  ];
  for (const [key, value, message] of bad) {
    assertThrows(() => changed({ [key]: value }), ModelError, message);
  }
  assertThrows(
    () => header("llama", { "general.type": "adapter" }),
    ModelError,
    'general.type is "adapter": only files of type "model"',
  );
});

Deno.test("quantised blocks of another layout are refused, and only they", () => {
  const version = (value: number) => header("llama", { "general.quantization_version": value });
  checkModel(version(2));
  assertThrows(
    () => familyOf(version(1)),
    ModelError,
    "general.quantization_version is 1: only 2 is supported",
  );
  const { tensors } = version(2);
  const floats = new Map([...tensors].map(([name, { dims }]) => [name, { dims, type: TensorTypeId.F16 }]));
  familyOf({ tensors: floats, get: metadata("llama", { "general.quantization_version": 0 }) });
});

Deno.test("values that ask for nothing, and keys that change nothing, are taken", () => {
  const neutral: Record<string, MetadataValue> = {
    "attention.causal": true,
    "attention.scale": 0.125, // 1/√64
    "attention.sliding_window": 1024, // the whole context
    "attention.sliding_window_pattern": [true, false],
    "attention.clamp_kqv": 0,
    "logit_scale": 1,
    "embedding_length_out": 256,
    "use_parallel_residual": false,
    "rope.dimension_sections": Int32Array.of(0, 0, 0, 0),
    "rope.scaling.finetuned": true,
    "expert_count": 0,
    "expert_used_count": 2,
    "vocab_size": 300,
    "tensor_data_layout": "Meta AI original pth",
  };
  const file = changed(neutral);
  checkModel(file);
  assertEquals(unknownKeys(file, familyOf(file)), []);
});

Deno.test("keys that nobody knows are listed and stop nothing", () => {
  const file = changed({ "attention.mood": 3, "pooling_type": 3 });
  checkModel(file);
  assertEquals(unknownKeys(file, familyOf(file)), ["llama.attention.mood"]);
});

Deno.test("a family's own keys are neither refused nor unknown", () => {
  const windowKeys = { "llama.attention.sliding_window": 512, "llama.attention.mood": 3 };
  const windowed = { ...llama, ownKeys: ["attention.sliding_window", "attention.mood"] };
  const file = { get: metadata("llama", windowKeys), tensors: header("llama").tensors };
  assertThrows(() => readHyperparameters(file, llama), ModelError, "a window of tokens");
  const refined = readHyperparameters(file, {
    ...windowed,
    refine: (h, { get }) => ({
      ...h,
      layers: h.layers.map((layer) => ({ ...layer, window: get.u32("llama.attention.sliding_window") })),
    }),
  });
  assertEquals(refined.layers.map(({ window }) => window), [512, 512]);
  assertEquals(unknownKeys(file, llama), ["llama.attention.mood"]);
  assertEquals(unknownKeys(file, windowed), []);
});

/** What a Gemma file with these keys says. */
function gemmaOf(changes: Record<string, MetadataValue>, architecture = "gemma3") {
  const own = Object.entries(changes).map(([key, value]) => [`${architecture}.${key}`, value]);
  const file = {
    get: metadata(architecture, Object.fromEntries(own)),
    tensors: new Map([["token_embd.weight", { type: 0, dims: [256, 300] }]]),
  };
  return readHyperparameters(file, familyOf(file));
}

Deno.test("five of six layers of Gemma 3 see a window and turn with a base of their own, unless the file says otherwise", () => {
  const all = { block_count: 7, "attention.sliding_window": 64, "rope.freq_base": 1e6 };
  const { layers } = gemmaOf({ ...all, "rope.scaling.type": "linear", "rope.scaling.factor": 8 });
  assertEquals(layers.map(({ window }) => window), [64, 64, 64, 64, 64, undefined, 64]);
  const global = {
    pairing: "halves",
    dimensions: 64,
    base: 1e6,
    scaling: { type: "linear", factor: 8 },
  } as const;
  const local = { ...global, base: 10_000, scaling: { type: "none" } } as const;
  assertEquals(layers.map(({ rope }) => rope), [local, local, local, local, local, global, local]);
  const windows = (changes: Record<string, MetadataValue>) =>
    gemmaOf({ ...all, ...changes }).layers.map(({ window = 0 }) => window);
  assertEquals(windows({ "attention.sliding_window_pattern": 3 }), [64, 64, 0, 64, 64, 0, 64]);
  assertEquals(windows({ "attention.sliding_window_pattern": 1 }), [0, 0, 0, 0, 0, 0, 0]);
  assertEquals(windows({ "attention.sliding_window_pattern": 0 }), [64, 64, 64, 64, 64, 64, 64]);
  const flags = [true, false, false, true, true, true, false];
  assertEquals(windows({ "attention.sliding_window_pattern": flags }), [64, 0, 0, 64, 64, 64, 0]);
  assertEquals(windows({ "attention.sliding_window": 0 }), [0, 0, 0, 0, 0, 0, 0]);
  const [first] = gemmaOf({ ...all, "rope.freq_base_swa": 5000 }).layers;
  assertEquals(first.rope.base, 5000);
  const refused: Record<string, [MetadataValue, string]> = {
    "attention.sliding_window_pattern": [[true, false], "for each of 7 layers, it is an array of 2"],
    "attention.key_length_swa": [32, "is 32, and layers without a window have 64"],
    "rope.dimension_count_swa": [32, "is 32, and layers without a window have 64"],
  };
  for (const [key, [value, message]] of Object.entries(refused)) {
    assertThrows(() => windows({ [key]: value }), ModelError, message);
  }
});

Deno.test("Gemma's scales and caps are the family's and the file's", () => {
  const { embeddingScale, attentionScale, scoreCap, logitCap } = gemmaOf({
    "attention.key_length": 32,
    "final_logit_softcapping": 30,
  });
  assertEquals([embeddingScale, attentionScale, scoreCap, logitCap], [16, 1 / Math.sqrt(32), undefined, 30]);
  assertEquals(gemmaOf({ "attention.scale": 0.25 }).attentionScale, 0.25);
  // The largest model: 256 / 4.
  assertEquals(gemmaOf({ "attention.key_length": 32, block_count: 62 }).attentionScale, 1 / 8);
  const second = (changes: Record<string, MetadataValue>) => gemmaOf(changes, "gemma2");
  const { scoreCap: scores, logitCap: logits, layers } = second({ block_count: 3, context_length: 8192 });
  assertEquals([scores, logits, ...layers.map(({ window }) => window)], [50, 30, 4096, undefined, 4096]);
  assertEquals(second({ "attn_logit_softcapping": 0, "final_logit_softcapping": 20 }).logitCap, 20);
  assertEquals(second({ "attn_logit_softcapping": 0 }).scoreCap, undefined);
  assertEquals(second({ "attention.key_length": 32, block_count: 46 }).attentionScale, 1 / 8);
  assertEquals(gemmaOf({}, "gemma").embeddingScale, 16);
  assertThrows(() => gemmaOf({ "final_logit_softcapping": 30 }, "gemma"), ModelError, "soft-capped logits");
  assertThrows(() => gemmaOf({ "attn_logit_softcapping": 50 }), ModelError, "soft-capped attention");
});

Deno.test("a layer that asks for what no kernel computes is refused as the family composes it", () => {
  const h = hyperparametersOf(header("llama"));
  const asking = (options: LayerOptions) => () =>
    composeModel({ ...llama, compose: (h, b) => composeDecoder(h, b, (i) => i === 0 ? {} : options) }, h);
  asking({ attention: { scale: 0.5 }, postNorms: true })();
  const routing = {
    experts: 4,
    used: 2,
    scoring: "softmax",
    normalise: true,
    scale: 1,
    groups: 1,
    groupsUsed: 1,
  } as const;
  const mixed = { ...h, layers: h.layers.map((layer) => ({ ...layer, experts: { ...routing, ffn: 32 } })) };
  const message = "layer 1 asks for a norm behind experts: not supported";
  assertThrows(
    () =>
      composeModel({
        ...llama,
        compose: (_, b) => composeDecoder(mixed, b, (i) => ({ postNorms: i === 1 })),
      }, mixed),
    ModelError,
    message,
  );
  composeModel(llama, { ...h, layers: h.layers.map((layer) => ({ ...layer, window: 512, valueDim: 32 })) });
});

Deno.test("ModelBuilder takes each name once", () => {
  const builder = new ModelBuilder();
  builder.matrix("a", 2, 3);
  builder.optionalVector("b", 3, "bias");
  assertThrows(() => builder.vector("a", 3, "norm"), Error, 'Tensor "a" was declared twice');
  assertEquals(builder.tensors.map(({ name, rows, k, required }) => [name, rows, k, required]), [
    ["a", 2, 3, true],
    ["b", 1, 3, false],
  ]);
});

Deno.test("pooling_type is read by its number", () => {
  const poolingOf = (changes: Record<string, MetadataValue>) => {
    const file = changed(changes);
    return hyperparametersOf(file).pooling;
  };
  assertEquals(poolingOf({}), "none");
  assertEquals([0, 1, 2, 3, 4].map((value) => poolingOf({ pooling_type: value })), [
    "none",
    "mean",
    "cls",
    "last",
    "rank",
  ]);
  assertThrows(
    () => poolingOf({ pooling_type: 5 }),
    GgufError,
    "pooling_type: expected u32 from 0 to 4, current value is 5",
  );
});
