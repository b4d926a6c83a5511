/** Kinds of checkpoints with experts. @module */

import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";
import type { EntryMaker, Kind } from "./kind.ts";

/** What most call the matrices of an expert. */
const MATRICES = { gate_proj: "ffn_gate_exps", up_proj: "ffn_up_exps", down_proj: "ffn_down_exps" };

const QWEN: Pick<Kind, "experts"> = { experts: { folder: "mlp.experts", matrices: MATRICES } };

/** Latent attention; what makes keys and values is in one tensor, as in older GGUF files. */
const DEEPSEEK: Kind = {
  name: "deepseek2",
  biases: false,
  parts: {
    "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b",
    "mlp.gate": "ffn_gate_inp",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
  },
  odd: { "mlp.gate.e_score_correction_bias": "exp_probs_b.bias" },
  experts: { folder: "mlp.experts", matrices: MATRICES },
  entries: (config, make) => [...latentEntries(config, make), ...deepseekEntries(config, make)],
};

/** By the name in `architectures`. */
export const EXPERT_KINDS: Readonly<Record<string, Kind>> = {
  MixtralForCausalLM: {
    name: "llama",
    interleaved: true,
    biases: false,
    parts: { "block_sparse_moe.gate": "ffn_gate_inp" },
    experts: {
      folder: "block_sparse_moe.experts",
      matrices: { w1: "ffn_gate_exps", w3: "ffn_up_exps", w2: "ffn_down_exps" },
    },
    entries: (config, make) => countEntries(config, make, "num_local_experts"),
  },
  Qwen2MoeForCausalLM: {
    ...QWEN,
    name: "qwen2moe",
    parts: {
      "mlp.gate": "ffn_gate_inp",
      "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
      "mlp.shared_expert.up_proj": "ffn_up_shexp",
      "mlp.shared_expert.down_proj": "ffn_down_shexp",
      "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    },
    entries: (config, make) => [
      ...qwenEntries(config, make),
      make.u32("expert_shared_feed_forward_length", config.count("shared_expert_intermediate_size")),
    ],
  },
  Qwen3MoeForCausalLM: {
    ...QWEN,
    name: "qwen3moe",
    biases: false,
    parts: { "mlp.gate": "ffn_gate_inp" },
    entries: qwenEntries,
  },
  DeepseekV2ForCausalLM: DEEPSEEK,
  DeepseekV3ForCausalLM: DEEPSEEK,
  OlmoeForCausalLM: {
    ...QWEN,
    name: "olmoe",
    biases: false,
    parts: { "mlp.gate": "ffn_gate_inp" },
    entries(config, make) {
      if (config.has("clip_qkv")) throw config.unsupported("clip_qkv", "bounded queries, keys and values");
      return [...countEntries(config, make, "num_experts"), normEntry(config, make)];
    },
  },
};

/** How many experts there are and how many of them a token takes. */
function countEntries(config: JsonObject, { u32 }: EntryMaker, experts: string): MetadataEntry[] {
  return [
    u32("expert_count", config.count(experts)),
    u32("expert_used_count", config.count("num_experts_per_tok")),
  ];
}

/** Whether the weights of the chosen experts are divided by their sum. */
function normEntry(config: JsonObject, { bool }: EntryMaker): MetadataEntry {
  return bool("expert_weights_norm", config.boolean("norm_topk_prob", false));
}

/** Throws CheckpointError where only some layers have experts, which GGUF cannot say of these families. */
function qwenEntries(config: JsonObject, make: EntryMaker): MetadataEntry[] {
  if (config.count("decoder_sparse_step", { fallback: 1 }) !== 1) {
    throw config.unsupported("decoder_sparse_step", "experts in some layers");
  }
  if (config.has("mlp_only_layers") && config.list("mlp_only_layers").length > 0) {
    throw config.unsupported("mlp_only_layers", "experts in some layers");
  }
  return [
    ...countEntries(config, make, "num_experts"),
    normEntry(config, make),
    make.u32("expert_feed_forward_length", config.count("moe_intermediate_size")),
  ];
}

/** Sizes of latent attention, and how YaRN makes its scores grow. */
function latentEntries(config: JsonObject, { u32, f32 }: EntryMaker): MetadataEntry[] {
  const turned = config.count("qk_rope_head_dim");
  const queryRank = config.has("q_lora_rank") ? config.count("q_lora_rank") : 0;
  const scaling = config.optionalObject("rope_parameters") ?? config.optionalObject("rope_scaling");
  const all = scaling?.number("mscale_all_dim", { fallback: 0 }) ?? 0;
  if (all !== 0 && scaling!.number("mscale", { fallback: 1 }) !== all) {
    throw scaling!.unsupported("mscale", "an amplitude of RoPE beside the growth of scores");
  }
  return [
    u32("attention.head_count_kv", config.count("num_attention_heads")),
    u32("attention.key_length", config.count("qk_nope_head_dim") + turned),
    u32("attention.value_length", config.count("v_head_dim")),
    u32("attention.kv_lora_rank", config.count("kv_lora_rank")),
    ...queryRank === 0 ? [] : [u32("attention.q_lora_rank", queryRank)],
    u32("rope.dimension_count", turned),
    // Cosines and sines keep their size: GGUF says that by the growth alone.
    ...all === 0
      ? []
      : [f32("rope.scaling.attn_factor", 1), f32("rope.scaling.yarn_log_multiplier", 0.1 * all)],
  ];
}

/** Experts in groups are chosen by the sum of a group's best two, as V3's are; V2 takes the best one. */
function deepseekEntries(config: JsonObject, { u32, f32, bool }: EntryMaker): MetadataEntry[] {
  if (config.count("moe_layer_freq", { fallback: 1 }) !== 1) {
    throw config.unsupported("moe_layer_freq", "experts in some layers");
  }
  const groups = config.has("n_group") ? config.count("n_group") : 1;
  const isSigmoid = config.string("scoring_func", "softmax") === "sigmoid";
  if (groups > 1 && !isSigmoid) {
    throw config.unsupported("n_group", "groups of experts that their best one chooses");
  }
  return [
    u32("expert_count", config.count("n_routed_experts")),
    u32("expert_used_count", config.count("num_experts_per_tok")),
    u32("expert_shared_count", config.count("n_shared_experts")),
    u32("expert_feed_forward_length", config.count("moe_intermediate_size")),
    u32("leading_dense_block_count", config.count("first_k_dense_replace", { min: 0 })),
    u32("expert_gating_func", isSigmoid ? 2 : 1),
    ...groups === 1 ? [] : [
      u32("expert_group_count", groups),
      u32("expert_group_used_count", config.count("topk_group")),
    ],
    f32("expert_weights_scale", config.number("routed_scaling_factor", { fallback: 1 })),
    bool("expert_weights_norm", config.boolean("norm_topk_prob", false)),
  ];
}
