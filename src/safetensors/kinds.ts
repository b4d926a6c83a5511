/** The kinds of checkpoints that can be read. @module */

import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";
import type { EntryMaker, Kind, Sizes } from "./kind.ts";

const GELU = ["gelu_pytorch_tanh"];

/** Norms before and behind the feed-forward, and behind attention. */
const SANDWICH_NORMS = {
  post_attention_layernorm: "post_attention_norm",
  pre_feedforward_layernorm: "ffn_norm",
  post_feedforward_layernorm: "post_ffw_norm",
};

/** Norms behind the parts alone. */
const NORMS_BEHIND = {
  post_attention_layernorm: "post_attention_norm",
  post_feedforward_layernorm: "post_ffw_norm",
};

const GEMMA: Kind = { name: "gemma", normsAroundOne: true, activations: GELU, biases: false };

const OLMO2: Kind = {
  name: "olmo2",
  parts: NORMS_BEHIND,
  biases: false,
  windows: { period: 4 },
};

/** By the name in `architectures`. */
export const KINDS: Readonly<Record<string, Kind>> = {
  LlamaForCausalLM: { name: "llama", interleaved: true, ropeTypes: ["llama3"] },
  MistralForCausalLM: { name: "llama", interleaved: true, ropeTypes: ["llama3"] },
  Qwen2ForCausalLM: { name: "qwen2" },
  Qwen3ForCausalLM: { name: "qwen3", biases: false },
  GemmaForCausalLM: GEMMA,
  Gemma2ForCausalLM: {
    ...GEMMA,
    name: "gemma2",
    parts: SANDWICH_NORMS,
    windows: { period: 2 },
    entries: gemmaScales,
  },
  Gemma3ForCausalLM: {
    ...GEMMA,
    name: "gemma3",
    parts: SANDWICH_NORMS,
    windows: { period: 6 },
    entries: gemmaScales,
  },
  Phi3ForCausalLM: {
    name: "phi3",
    parts: { "self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up" },
    partialRotary: 1,
    ropeTypes: ["longrope"],
    windows: "all",
  },
  GraniteForCausalLM: {
    name: "granite",
    interleaved: true,
    entries: (config, { f32 }) => [
      f32("embedding_scale", config.number("embedding_multiplier")),
      f32("residual_scale", config.number("residual_multiplier")),
      f32("attention.scale", config.number("attention_multiplier")),
      f32("logit_scale", config.number("logits_scaling")),
    ],
  },
  Olmo2ForCausalLM: OLMO2,
  Olmo3ForCausalLM: OLMO2,
  SmolLM3ForCausalLM: { name: "smollm3", interleaved: true, entries: checkNoRope },
  Glm4ForCausalLM: {
    name: "glm4",
    parts: {
      "mlp.gate_up_proj": "ffn_up",
      post_self_attn_layernorm: "post_attention_norm",
      post_attention_layernorm: "ffn_norm",
      post_mlp_layernorm: "post_ffw_norm",
    },
    partialRotary: 0.5,
  },
  Ministral3ForCausalLM: {
    name: "mistral3",
    interleaved: true,
    ropeTypes: ["llama3"],
    entries: (config, { f32 }) => {
      const beta = config.optionalObject("rope_parameters")?.number("llama_4_scaling_beta", { fallback: 0 });
      return beta === undefined || beta === 0 ? [] : [f32("attention.temperature_scale", beta)];
    },
  },
  Exaone4ForCausalLM: {
    name: "exaone4",
    parts: NORMS_BEHIND,
    biases: false,
    ropeTypes: ["llama3"],
    windows: { period: 4 },
  },
  SeedOssForCausalLM: { name: "seed_oss", parts: { post_attention_layernorm: "post_attention_norm" } },
  Ernie4_5ForCausalLM: { name: "ernie4_5" },
  HunYuanDenseV1ForCausalLM: {
    name: "hunyuan-dense",
    parts: { "self_attn.query_layernorm": "attn_q_norm", "self_attn.key_layernorm": "attn_k_norm" },
    ropeTypes: ["dynamic"],
  },
};

/** The bounds of scores and logits, and the scale of attention. */
function gemmaScales(config: JsonObject, { f32 }: EntryMaker): MetadataEntry[] {
  const cap = (setting: string, key: string) => f32(key, config.number(setting, { min: 0, fallback: 0 }));
  const isSecond = config.list("architectures")[0] === "Gemma2ForCausalLM";
  if (!isSecond && config.has("attn_logit_softcapping")) {
    throw config.unsupported("attn_logit_softcapping", "soft-capped attention");
  }
  return [
    f32("attention.scale", config.number("query_pre_attn_scalar", { min: 1e-6 }) ** -0.5),
    ...isSecond ? [cap("attn_logit_softcapping", "attn_logit_softcapping")] : [],
    cap("final_logit_softcapping", "final_logit_softcapping"),
  ];
}

/** GGUF has no key for it: every fourth layer is without RoPE. */
function checkNoRope(config: JsonObject, _make: EntryMaker, { layers }: Sizes): MetadataEntry[] {
  const given = config.has("no_rope_layers") ? config.list("no_rope_layers") : [];
  const usual = Array.from({ length: layers }, (_, i) => i % 4 === 3 ? 0 : 1);
  const isUsual = given.length === 0
    ? config.number("no_rope_layer_interval", { fallback: 4 }) === 4
    : given.length === layers && given.every((turns, i) => turns === usual[i]);
  if (isUsual) return [];
  const key = given.length === 0 ? "no_rope_layer_interval" : "no_rope_layers";
  throw config.unsupported(key, "RoPE in other layers than three of four");
}
