/** Shapes of families with linear attention or short convolutions: small ones for tests, and whole layers of large ones for benchmarks. @module */

import { arrayEntry } from "../gguf/entries.ts";
import { shapeKeys } from "./shape_keys.ts";
import { TINY } from "./tiny_shapes.ts";

/** Positions of text are the same in all sections; together they have half of the dimensions that turn. */
const sections = (family: string, ...lengths: number[]) =>
  arrayEntry("i32", `${family}.rope.dimension_sections`, Int32Array.from(lengths));

/** Layers without attention have no heads of keys and values. */
const kvHeads = (family: string, ...heads: number[]) =>
  arrayEntry("i32", `${family}.attention.head_count_kv`, Int32Array.from(heads));

/** Two heads of four share each key head, and a quarter of attention's heads turns. */
const delta = {
  full_attention_interval: 2,
  "ssm.conv_kernel": 4,
  "ssm.inner_size": 128,
  "ssm.state_size": 32,
  "ssm.time_step_rank": 4,
  "ssm.group_count": 2,
  "rope.dimension_count": 16,
};

/** Each does what its family alone does. Every second layer has attention. */
const TINY_SHAPES = {
  "qwen35-tiny": {
    ...TINY,
    family: "qwen35",
    layers: 4,
    tied: true,
    entries: [
      ...shapeKeys("qwen35", delta),
      sections("qwen35", 3, 3, 2, 0),
    ],
  },
  "qwen35moe-tiny": {
    ...TINY,
    family: "qwen35moe",
    layers: 4,
    entries: [
      ...shapeKeys("qwen35moe", {
        ...delta,
        expert_count: 8,
        expert_used_count: 3,
        expert_feed_forward_length: 96,
        expert_shared_feed_forward_length: 160,
      }),
      sections("qwen35moe", 3, 3, 2, 0),
    ],
  },
  "qwen3next-tiny": {
    ...TINY,
    family: "qwen3next",
    layers: 4,
    entries: shapeKeys("qwen3next", {
      ...delta,
      expert_count: 8,
      expert_used_count: 3,
      expert_feed_forward_length: 96,
      expert_shared_feed_forward_length: 128,
    }),
  },
  "lfm2-tiny": {
    ...TINY,
    family: "lfm2",
    layers: 4,
    tied: true,
    entries: [...shapeKeys("lfm2", { "shortconv.l_cache": 3 }), kvHeads("lfm2", 0, 2, 0, 2)],
  },
  "lfm2moe-tiny": {
    ...TINY,
    family: "lfm2moe",
    layers: 4,
    tied: true,
    entries: [
      ...shapeKeys("lfm2moe", {
        "shortconv.l_cache": 3,
        expert_count: 8,
        expert_used_count: 2,
        expert_feed_forward_length: 128,
        expert_gating_func: 2,
        leading_dense_block_count: 1,
      }),
      kvHeads("lfm2moe", 0, 2, 0, 0),
    ],
  },
  // A state, a feed-forward, attention, a feed-forward, a state.
  "nemotron_h-tiny": {
    ...TINY,
    family: "nemotron_h",
    layers: 5,
    entries: [
      ...shapeKeys("nemotron_h", {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 192,
        "ssm.state_size": 32,
        "ssm.time_step_rank": 6,
        "ssm.group_count": 2,
        // llama.cpp asks for it and reads the other one.
      }, { "attention.layer_norm_epsilon": 1e-5 }),
      kvHeads("nemotron_h", 0, 0, 2, 0, 0),
      arrayEntry("i32", "nemotron_h.feed_forward_length", Int32Array.of(0, 512, 0, 512, 0)),
    ],
  },
  "nemotron_h_moe-tiny": {
    ...TINY,
    family: "nemotron_h_moe",
    layers: 5,
    entries: [
      ...shapeKeys("nemotron_h_moe", {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 192,
        "ssm.state_size": 32,
        "ssm.time_step_rank": 6,
        "ssm.group_count": 2,
        expert_count: 16,
        expert_used_count: 4,
        expert_shared_count: 1,
        expert_feed_forward_length: 96,
        expert_shared_feed_forward_length: 160,
        expert_weights_norm: true,
      }, { expert_weights_scale: 2.5, "attention.layer_norm_epsilon": 1e-5 }),
      kvHeads("nemotron_h_moe", 0, 0, 2, 0, 0),
      arrayEntry("i32", "nemotron_h_moe.feed_forward_length", Int32Array.of(0, 96, 0, 96, 0)),
    ],
  },
  "granitehybrid-tiny": {
    ...TINY,
    family: "granitehybrid",
    feedForward: 96,
    layers: 4,
    entries: [
      ...shapeKeys("granitehybrid", {
        "ssm.conv_kernel": 4,
        // Twice the hidden size: llama.cpp takes no other.
        "ssm.inner_size": 512,
        "ssm.state_size": 32,
        "ssm.time_step_rank": 8,
        "ssm.group_count": 2,
        expert_count: 8,
        expert_used_count: 3,
        expert_shared_feed_forward_length: 128,
        "rope.scaling.finetuned": false,
      }, { embedding_scale: 12, residual_scale: 0.22, "attention.scale": 0.2, logit_scale: 0.5 }),
      kvHeads("granitehybrid", 0, 2, 0, 2),
    ],
  },
};

/** What both of them have of linear attention: 16 key heads, 32 heads, 128 elements each. */
const largeDelta = {
  "ssm.conv_kernel": 4,
  "ssm.inner_size": 4096,
  "ssm.state_size": 128,
  "ssm.time_step_rank": 32,
  "ssm.group_count": 16,
  "rope.dimension_count": 64,
};

const LARGE_SHAPES = {
  "qwen3.5-4b": {
    family: "qwen35",
    hidden: 2560,
    feedForward: 9216,
    layers: 32,
    heads: 16,
    kvHeads: 4,
    headDim: 256,
    vocab: 248320,
    tied: true,
    ropeBase: 1e7,
    context: 262144,
    eps: 1e-6,
    entries: [...shapeKeys("qwen35", largeDelta), sections("qwen35", 11, 11, 10, 0)],
  },
  // 8 of 40 layers.
  "qwen3.5-35b-a3b": {
    family: "qwen35moe",
    hidden: 2048,
    feedForward: 512,
    layers: 8,
    heads: 16,
    kvHeads: 2,
    headDim: 256,
    vocab: 248320,
    tied: false,
    ropeBase: 1e7,
    context: 262144,
    eps: 1e-6,
    entries: [
      ...shapeKeys("qwen35moe", {
        ...largeDelta,
        expert_count: 256,
        expert_used_count: 8,
        expert_feed_forward_length: 512,
        expert_shared_feed_forward_length: 512,
      }),
      sections("qwen35moe", 11, 11, 10, 0),
    ],
  },
};

export const LINEAR_SHAPES = { ...TINY_SHAPES, ...LARGE_SHAPES };
