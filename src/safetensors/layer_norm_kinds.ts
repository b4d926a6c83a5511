/** The kinds of checkpoints with LayerNorm. @module */

import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";
import type { Kind } from "./kind.ts";

const COHERE: Kind = {
  name: "command-r",
  layerNorm: "layer_norm_eps",
  isTied: true,
  entries: (config, { f32 }) => [f32("logit_scale", config.number("logit_scale"))],
};

/** By the name in `architectures`. */
export const LAYER_NORM_KINDS: Readonly<Record<string, Kind>> = {
  PhiForCausalLM: {
    name: "phi2",
    layerNorm: "layer_norm_eps",
    outer: {
      "model.final_layernorm.weight": "output_norm.weight",
      "model.final_layernorm.bias": "output_norm.bias",
      "lm_head.bias": "output.bias",
    },
    parts: { "self_attn.dense": "attn_output", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down" },
    activations: ["gelu_new", "gelu_pytorch_tanh"],
    partialRotary: 0.5,
    entries: withoutQkNorm,
  },
  StableLmForCausalLM: {
    name: "stablelm",
    layerNorm: "layer_norm_eps",
    outer: { "model.norm.bias": "output_norm.bias" },
    partialRotary: 0.25,
    entries: (config, make) => {
      const isParallel = config.boolean("use_parallel_residual", false);
      return [
        ...withoutQkNorm(config),
        make.bool("use_parallel_residual", isParallel),
      ];
    },
  },
  Starcoder2ForCausalLM: {
    name: "starcoder2",
    layerNorm: "norm_epsilon",
    isTied: true,
    outer: { "model.norm.bias": "output_norm.bias" },
    parts: { "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down" },
    activations: ["gelu_pytorch_tanh", "gelu_new"],
    hasBiases: true,
  },
  CohereForCausalLM: COHERE,
  Cohere2ForCausalLM: { ...COHERE, name: "cohere2", windows: { period: 4 } },
  NemotronForCausalLM: {
    name: "nemotron",
    layerNorm: "norm_eps",
    outer: { "model.norm.bias": "output_norm.bias" },
    normsAroundOne: true,
    activations: ["relu2"],
    partialRotary: 0.5,
  },
  OlmoForCausalLM: {
    name: "olmo",
    interleaved: true,
    layerNorm: 1e-5,
    biases: false,
    entries: (config, { f32 }) =>
      config.has("clip_qkv") ? [f32("attention.clamp_kqv", config.number("clip_qkv", { min: 0 }))] : [],
  },
};

/** StableLM has a tensor for each head's norm, GGUF one for all: they are not put together here. */
function withoutQkNorm(config: JsonObject): MetadataEntry[] {
  if (config.boolean("qk_layernorm", false)) {
    throw config.unsupported("qk_layernorm", "a LayerNorm of each head");
  }
  return [];
}
