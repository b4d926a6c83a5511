/** Shapes of the families that are small enough for tests: each does what its family alone does. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";

/** What most of them have. */
export const TINY = {
  hidden: 256,
  feedForward: 512,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 64,
  vocab: 512,
  context: 512,
  tied: false,
  ropeBase: 10000,
  eps: 1e-5,
} as const;

const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
const f32 = (key: string, value: number) => scalarEntry("f32", key, value);

/** YaRN from 16 tokens on: the tests' prompts are longer. */
const yarn = (family: string) => [
  scalarEntry("string", `${family}.rope.scaling.type`, "yarn"),
  f32(`${family}.rope.scaling.factor`, 4),
  u32(`${family}.rope.scaling.original_context_length`, 16),
];

/** A window that is shorter than the tests' prompts, in all layers but every `period`th. */
const windows = (family: string, period: number) => [
  u32(`${family}.attention.sliding_window`, 24),
  u32(`${family}.attention.sliding_window_pattern`, period),
];

/** Families with RMSNorm. Factors are such that logits are spread over some units. */
export const RMS_NORM_SHAPES = {
  "phi3-tiny": {
    ...TINY,
    family: "phi3",
    longRope: { long: 8, short: 1.5 },
    entries: [
      // llama.cpp looks for the tokens of Phi 3's vocabulary in files that are called "phi3".
      scalarEntry("string", "general.name", "random phi 3 tiny"),
      u32("phi3.rope.dimension_count", 48),
      u32("phi3.rope.scaling.original_context_length", 128),
      f32("phi3.rope.scaling.attn_factor", 1.2),
    ],
  },
  "granite-tiny": {
    ...TINY,
    family: "granite",
    entries: [
      f32("granite.embedding_scale", 12),
      f32("granite.residual_scale", 0.22),
      f32("granite.attention.scale", 0.2),
      f32("granite.logit_scale", 0.5),
    ],
  },
  "olmo2-tiny": { ...TINY, family: "olmo2", entries: [...windows("olmo2", 2), ...yarn("olmo2")] },
  "smollm3-tiny": { ...TINY, family: "smollm3", layers: 4, tied: true },
  "glm4-tiny": {
    ...TINY,
    family: "glm4",
    optional: [".bias"],
    entries: [u32("glm4.rope.dimension_count", 32)],
  },
  "mistral3-tiny": {
    ...TINY,
    family: "mistral3",
    entries: [
      ...yarn("mistral3"),
      f32("mistral3.rope.scaling.yarn_log_multiplier", 1),
      f32("mistral3.attention.temperature_scale", 0.1),
    ],
  },
  "exaone4-tiny": { ...TINY, family: "exaone4", entries: windows("exaone4", 2) },
  "seed_oss-tiny": { ...TINY, family: "seed_oss", headDim: 96, optional: [".bias"] },
  "ernie4_5-tiny": { ...TINY, family: "ernie4_5", tied: true },
  "hunyuan-dense-tiny": { ...TINY, family: "hunyuan-dense", headDim: 128, tied: true },
  "internlm2-tiny": { ...TINY, family: "internlm2" },
  "plamo3-tiny": {
    ...TINY,
    family: "plamo3",
    ropeBase: 1e6,
    tied: true,
    entries: [...windows("plamo3", 2), f32("plamo3.rope.freq_base_swa", 5000)],
  },
  "minicpm-tiny": {
    ...TINY,
    family: "minicpm",
    entries: [
      f32("minicpm.embedding_scale", 12),
      f32("minicpm.residual_scale", 1),
      f32("minicpm.logit_scale", 0.5),
    ],
  },
  "baichuan-tiny": { ...TINY, family: "baichuan", kvHeads: 4 },
  "xverse-tiny": { ...TINY, family: "xverse", kvHeads: 4 },
};

/** What a shape with LayerNorm says of it. */
const layerNorm = (family: string) => f32(`${family}.attention.layer_norm_epsilon`, 1e-5);

const rotated = (family: string, dimensions: number) => u32(`${family}.rope.dimension_count`, dimensions);

/** Families with LayerNorm, feed-forwards without a gate, or both at once, and sizes of them that compute something else. */
export const BLOCK_SHAPES = {
  "exaone-tiny": { ...TINY, family: "exaone" },
  "gpt2-tiny": { ...TINY, family: "gpt2", kvHeads: 4, tied: true, entries: [layerNorm("gpt2")] },
  "starcoder-tiny": {
    ...TINY,
    family: "starcoder",
    kvHeads: 1,
    tied: true,
    entries: [layerNorm("starcoder")],
  },
  "starcoder2-tiny": { ...TINY, family: "starcoder2", tied: true, entries: [layerNorm("starcoder2")] },
  "codeshell-tiny": { ...TINY, family: "codeshell", entries: [layerNorm("codeshell")] },
  "gptneox-tiny": {
    ...TINY,
    family: "gptneox",
    kvHeads: 4,
    entries: [
      layerNorm("gptneox"),
      rotated("gptneox", 16),
      scalarEntry("bool", "gptneox.use_parallel_residual", true),
    ],
  },
  "phi2-tiny": { ...TINY, family: "phi2", kvHeads: 4, entries: [layerNorm("phi2"), rotated("phi2", 32)] },
  "falcon-tiny": { ...TINY, family: "falcon", kvHeads: 1, tied: true, entries: [layerNorm("falcon")] },
  "falcon-40b-tiny": {
    ...TINY,
    family: "falcon",
    optional: ["attn_norm_2.weight", "attn_norm_2.bias"],
    entries: [layerNorm("falcon")],
  },
  "stablelm-tiny": {
    ...TINY,
    family: "stablelm",
    optional: ["attn_q.bias", "attn_k.bias", "attn_v.bias"],
    entries: [layerNorm("stablelm"), rotated("stablelm", 16)],
  },
  "stablelm-12b-tiny": {
    ...TINY,
    family: "stablelm",
    optional: ["attn_q_norm.weight", "attn_k_norm.weight"],
    entries: [
      layerNorm("stablelm"),
      rotated("stablelm", 16),
      scalarEntry("bool", "stablelm.use_parallel_residual", true),
    ],
  },
  "command-r-tiny": {
    ...TINY,
    family: "command-r",
    tied: true,
    entries: [layerNorm("command-r"), f32("command-r.logit_scale", 0.7)],
  },
  "cohere2-tiny": {
    ...TINY,
    family: "cohere2",
    tied: true,
    entries: [layerNorm("cohere2"), f32("cohere2.logit_scale", 0.7), ...windows("cohere2", 2)],
  },
  "nemotron-tiny": {
    ...TINY,
    family: "nemotron",
    optional: ["attn_output.bias", "ffn_up.bias", "ffn_down.bias"],
    entries: [layerNorm("nemotron"), rotated("nemotron", 32)],
  },
  // A bound that some queries and keys reach.
  "olmo-tiny": {
    ...TINY,
    family: "olmo",
    tied: true,
    entries: [layerNorm("olmo"), f32("olmo.attention.clamp_kqv", 1.5)],
  },
  "apertus-tiny": {
    ...TINY,
    family: "apertus",
    entries: [
      arrayEntry("f32", "xielu.alpha_p", Float32Array.of(0.8, 0.3)),
      arrayEntry("f32", "xielu.alpha_n", Float32Array.of(0.8, -0.5)),
      arrayEntry("f32", "xielu.beta", Float32Array.of(0.5, 0.6)),
      arrayEntry("f32", "xielu.eps", Float32Array.of(-1e-6, -1e-6)),
    ],
  },
};
