/** Kinds of checkpoints with experts. @module */

import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";
import type { EntryMaker, Kind } from "./kind.ts";

/** What most call the matrices of an expert. */
const MATRICES = { gate_proj: "ffn_gate_exps", up_proj: "ffn_up_exps", down_proj: "ffn_down_exps" };

const QWEN: Pick<Kind, "experts"> = { experts: { folder: "mlp.experts", matrices: MATRICES } };

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
