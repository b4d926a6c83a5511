/** Shapes of families with experts: small ones for tests, and whole layers of large ones for benchmarks. @module */

import { scalarEntry } from "../gguf/entries.ts";
import { shapeKeys } from "./shape_keys.ts";
import { TINY } from "./tiny_shapes.ts";

const yarn = (family: string, factor: number, original: number) => [
  scalarEntry("string", `${family}.rope.scaling.type`, "yarn"),
  ...shapeKeys(
    family,
    { "rope.scaling.original_context_length": original },
    { "rope.scaling.factor": factor },
  ),
];

/** Sizes of latent attention: what the cache has of a token, and what heads have. */
const LATENT = {
  "attention.kv_lora_rank": 160,
  "attention.key_length": 160 + 64,
  "attention.value_length": 160,
  "attention.key_length_mla": 192,
  "attention.value_length_mla": 128,
  "rope.dimension_count": 64,
};

/** Each does what its family alone does. */
const TINY_SHAPES = {
  "mixtral-tiny": {
    ...TINY,
    family: "llama",
    feedForward: 256,
    entries: shapeKeys("llama", { expert_count: 8, expert_used_count: 2 }),
  },
  "qwen2moe-tiny": {
    ...TINY,
    family: "qwen2moe",
    entries: shapeKeys("qwen2moe", {
      expert_count: 8,
      expert_used_count: 4,
      expert_feed_forward_length: 96,
      expert_shared_feed_forward_length: 160,
    }),
  },
  "qwen3moe-tiny": {
    ...TINY,
    family: "qwen3moe",
    headDim: 128,
    entries: shapeKeys("qwen3moe", {
      expert_count: 16,
      expert_used_count: 4,
      expert_feed_forward_length: 128,
    }),
  },
  "olmoe-tiny": {
    ...TINY,
    family: "olmoe",
    kvHeads: 4,
    feedForward: 128,
    entries: shapeKeys("olmoe", { expert_count: 8, expert_used_count: 3 }),
  },
  "granitemoe-tiny": {
    ...TINY,
    family: "granitemoe",
    feedForward: 192,
    entries: shapeKeys("granitemoe", {
      expert_count: 8,
      expert_used_count: 2,
      expert_shared_feed_forward_length: 128,
    }, { embedding_scale: 12, residual_scale: 0.22, "attention.scale": 0.2, logit_scale: 0.5 }),
  },
  "gpt-oss-tiny": {
    ...TINY,
    family: "gpt-oss",
    entries: [
      ...shapeKeys("gpt-oss", {
        expert_count: 8,
        expert_used_count: 4,
        expert_feed_forward_length: 128,
        "attention.sliding_window": 24,
      }),
      ...yarn("gpt-oss", 4, 16),
    ],
  },
  "glm4moe-tiny": {
    ...TINY,
    family: "glm4moe",
    layers: 3,
    optional: [".bias", "_norm.weight"],
    entries: shapeKeys("glm4moe", {
      expert_count: 8,
      expert_used_count: 2,
      expert_shared_count: 2,
      expert_feed_forward_length: 64,
      leading_dense_block_count: 1,
      expert_weights_norm: true,
      "rope.dimension_count": 32,
    }, { expert_weights_scale: 1.5 }),
  },
  "ernie4_5-moe-tiny": {
    ...TINY,
    family: "ernie4_5-moe",
    layers: 3,
    tied: true,
    optional: ["exp_probs_b.bias"],
    entries: shapeKeys("ernie4_5-moe", {
      expert_count: 8,
      expert_used_count: 3,
      expert_shared_count: 1,
      expert_feed_forward_length: 64,
      expert_shared_feed_forward_length: 128,
      leading_dense_block_count: 1,
      interleave_moe_layer_step: 1,
    }),
  },
  "hunyuan-moe-tiny": {
    ...TINY,
    family: "hunyuan-moe",
    feedForward: 128,
    tied: true,
    entries: shapeKeys("hunyuan-moe", {
      expert_count: 8,
      expert_used_count: 2,
      expert_feed_forward_length: 128,
      expert_shared_feed_forward_length: 192,
    }),
  },
  "bailingmoe2-tiny": {
    ...TINY,
    family: "bailingmoe2",
    optional: ["exp_probs_b.bias"],
    entries: shapeKeys("bailingmoe2", {
      expert_count: 16,
      expert_used_count: 4,
      expert_group_count: 4,
      expert_group_used_count: 2,
      expert_shared_count: 1,
      expert_feed_forward_length: 96,
      expert_gating_func: 2,
      expert_weights_norm: true,
      leading_dense_block_count: 1,
      "rope.dimension_count": 32,
    }, { expert_weights_scale: 2.5 }),
  },
  "bailingmoe-tiny": {
    ...TINY,
    family: "bailingmoe",
    entries: shapeKeys("bailingmoe", {
      expert_count: 8,
      expert_used_count: 2,
      expert_shared_count: 2,
      expert_feed_forward_length: 64,
      expert_weights_norm: true,
    }),
  },
  "deepseek-tiny": {
    ...TINY,
    family: "deepseek",
    entries: shapeKeys("deepseek", {
      expert_count: 8,
      expert_used_count: 3,
      expert_shared_count: 2,
      expert_feed_forward_length: 64,
      leading_dense_block_count: 1,
    }, { expert_weights_scale: 1 }),
  },
  // Keys of 192 elements of which 64 are turned, as all models have them; a latent vector that is smaller.
  "deepseek2-tiny": {
    ...TINY,
    family: "deepseek2",
    kvHeads: 1,
    headDim: 192,
    valueDim: 128,
    optional: ["exp_probs_b.bias"],
    entries: [
      ...shapeKeys("deepseek2", {
        ...LATENT,
        "attention.q_lora_rank": 96,
        expert_count: 8,
        expert_used_count: 3,
        expert_shared_count: 2,
        expert_feed_forward_length: 64,
        expert_gating_func: 2,
        expert_group_count: 4,
        expert_group_used_count: 2,
        expert_weights_norm: true,
        leading_dense_block_count: 1,
      }, { expert_weights_scale: 2.5, "rope.scaling.yarn_log_multiplier": 0.1 }),
      ...yarn("deepseek2", 4, 16),
    ],
  },
  // Queries of the stream itself, scores of a softmax.
  "deepseek2-lite-tiny": {
    ...TINY,
    family: "deepseek2",
    kvHeads: 1,
    headDim: 192,
    valueDim: 128,
    entries: shapeKeys("deepseek2", {
      ...LATENT,
      expert_count: 8,
      expert_used_count: 3,
      expert_shared_count: 1,
      expert_feed_forward_length: 64,
      leading_dense_block_count: 1,
    }, { expert_weights_scale: 1 }),
  },
  "dots1-tiny": {
    ...TINY,
    family: "dots1",
    kvHeads: 4,
    optional: ["exp_probs_b.bias"],
    entries: shapeKeys("dots1", {
      expert_count: 8,
      expert_used_count: 3,
      expert_shared_count: 1,
      expert_feed_forward_length: 96,
      expert_gating_func: 2,
      expert_weights_norm: true,
      leading_dense_block_count: 1,
    }, { expert_weights_scale: 2.5 }),
  },
  // llama.cpp's windows have 4,096 tokens whatever files say; the first of four layers knows no positions.
  "smallthinker-tiny": {
    ...TINY,
    family: "smallthinker",
    layers: 5,
    feedForward: 128,
    entries: shapeKeys("smallthinker", {
      expert_count: 16,
      expert_used_count: 4,
      expert_feed_forward_length: 128,
      expert_gating_func: 2,
      "attention.sliding_window": 4096,
    }),
  },
  "minimax-m2-tiny": {
    ...TINY,
    family: "minimax-m2",
    feedForward: 128,
    entries: shapeKeys("minimax-m2", {
      expert_count: 16,
      expert_used_count: 4,
      expert_feed_forward_length: 128,
      expert_gating_func: 2,
      "rope.dimension_count": 32,
    }),
  },
};

/** A part of the layers of models that are too large to be made for a benchmark. */
const LARGE_SHAPES = {
  // 12 of 48 layers.
  "qwen3-30b-a3b": {
    family: "qwen3moe",
    hidden: 2048,
    feedForward: 6144,
    layers: 12,
    heads: 32,
    kvHeads: 4,
    headDim: 128,
    vocab: 151936,
    tied: false,
    ropeBase: 1e6,
    context: 40960,
    eps: 1e-6,
    entries: shapeKeys("qwen3moe", {
      expert_count: 128,
      expert_used_count: 8,
      expert_feed_forward_length: 768,
    }),
  },
  // 9 of 27 layers.
  "deepseek-v2-lite": {
    family: "deepseek2",
    hidden: 2048,
    feedForward: 10944,
    layers: 9,
    heads: 16,
    kvHeads: 1,
    headDim: 192,
    valueDim: 128,
    vocab: 102400,
    tied: false,
    ropeBase: 10000,
    context: 163840,
    eps: 1e-6,
    entries: [
      ...shapeKeys("deepseek2", {
        "attention.kv_lora_rank": 512,
        "attention.key_length": 512 + 64,
        "attention.value_length": 512,
        "attention.key_length_mla": 192,
        "attention.value_length_mla": 128,
        "rope.dimension_count": 64,
        expert_count: 64,
        expert_used_count: 6,
        expert_shared_count: 2,
        expert_feed_forward_length: 1408,
        leading_dense_block_count: 1,
      }, { expert_weights_scale: 1, "rope.scaling.yarn_log_multiplier": 0.0707 }),
      ...yarn("deepseek2", 40, 4096),
    ],
  },
  // 8 of 24 layers.
  "gpt-oss-20b": {
    family: "gpt-oss",
    hidden: 2880,
    feedForward: 2880,
    layers: 8,
    heads: 64,
    kvHeads: 8,
    headDim: 64,
    vocab: 201088,
    tied: false,
    ropeBase: 150000,
    context: 131072,
    eps: 1e-5,
    entries: [
      ...shapeKeys("gpt-oss", {
        expert_count: 32,
        expert_used_count: 4,
        expert_feed_forward_length: 2880,
        "attention.sliding_window": 128,
      }),
      ...yarn("gpt-oss", 32, 4096),
    ],
  },
};

export const EXPERT_SHAPES = { ...TINY_SHAPES, ...LARGE_SHAPES };
