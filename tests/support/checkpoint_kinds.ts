/** What checkpoints of each architecture call what a random model's GGUF file has: written from `save_pretrained`'s own folders. */

/** How a folder of one architecture differs from Llama's. */
export interface CheckpointKind {
  /** The random model. */
  readonly shape: string;
  /** Whether it is an older file, as of DeepSeek. */
  readonly isOlder?: boolean;
  /** Names of parts of a layer, by GGUF's. */
  readonly parts?: Readonly<Record<string, string>>;
  /** Names of tensors of a layer that end otherwise, by GGUF's. */
  readonly odd?: Readonly<Record<string, string>>;
  /** Names of the matrices of experts, by GGUF's; "*": the expert's number. */
  readonly experts?: Readonly<Record<string, string>>;
  /** Names of tensors beside the layers, by GGUF's. */
  readonly outer?: Readonly<Record<string, string>>;
  /** Rows of queries and keys lie in halves. */
  readonly inHalves?: boolean;
  /** Norms hold what is added to 1. */
  readonly normsAroundOne?: boolean;
  /** Settings beside Llama's. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const gelu = { hidden_act: undefined, hidden_activation: "gelu_pytorch_tanh" };
const sandwich = {
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};
const behind = {
  post_attention_norm: "post_attention_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};
const yarn = {
  rope_type: "yarn",
  rope_theta: 10000,
  factor: 4,
  original_max_position_embeddings: 16,
};
const alternating = { sliding_window: 24, layer_types: ["sliding_attention", "full_attention"] };
const EPS = 1e-5;
const normBias = { "output_norm.bias": "model.norm.bias" };
const growing = (last: number) => Array.from({ length: 24 }, (_, i) => 1 + (last - 1) * i / 23);

const experts = {
  ffn_gate_exps: "mlp.experts.*.gate_proj",
  ffn_up_exps: "mlp.experts.*.up_proj",
  ffn_down_exps: "mlp.experts.*.down_proj",
};

/** By the name in `architectures`. */
export const CHECKPOINT_KINDS: Readonly<Record<string, CheckpointKind>> = {
  Qwen2ForCausalLM: { shape: "qwen2-tiny" },
  Qwen3ForCausalLM: { shape: "qwen3-tiny" },
  GemmaForCausalLM: { shape: "gemma-tiny", normsAroundOne: true, config: gelu },
  Gemma2ForCausalLM: {
    shape: "gemma2-tiny",
    parts: sandwich,
    normsAroundOne: true,
    config: {
      ...gelu,
      ...alternating,
      sliding_window: 40,
      query_pre_attn_scalar: 64,
      attn_logit_softcapping: 2,
      final_logit_softcapping: 3,
    },
  },
  Gemma3ForCausalLM: {
    shape: "gemma3-tiny",
    parts: sandwich,
    normsAroundOne: true,
    config: {
      ...gelu,
      ...alternating,
      query_pre_attn_scalar: 128,
      rope_parameters: {
        full_attention: { rope_type: "default", rope_theta: 1e6 },
        sliding_attention: { rope_type: "default", rope_theta: 10_000 },
      },
    },
  },
  Phi3ForCausalLM: {
    shape: "phi3-tiny",
    parts: { attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" },
    config: {
      partial_rotary_factor: 0.75,
      rope_scaling: {
        type: "longrope",
        long_factor: growing(8),
        short_factor: growing(1.5),
        attention_factor: 1.2,
      },
      original_max_position_embeddings: 128,
    },
  },
  GraniteForCausalLM: {
    shape: "granite-tiny",
    inHalves: true,
    config: {
      embedding_multiplier: 12,
      residual_multiplier: 0.22,
      attention_multiplier: 0.2,
      logits_scaling: 0.5,
    },
  },
  Olmo3ForCausalLM: {
    shape: "olmo2-tiny",
    parts: behind,
    config: { ...alternating, rope_parameters: yarn },
  },
  SmolLM3ForCausalLM: {
    shape: "smollm3-tiny",
    inHalves: true,
    config: { no_rope_layers: [1, 1, 1, 0], use_sliding_window: false },
  },
  Glm4ForCausalLM: {
    shape: "glm4-tiny",
    parts: {
      ffn_up: "mlp.gate_up_proj",
      post_attention_norm: "post_self_attn_layernorm",
      ffn_norm: "post_attention_layernorm",
      post_ffw_norm: "post_mlp_layernorm",
    },
    config: { attention_bias: true },
  },
  Ministral3ForCausalLM: {
    shape: "mistral3-tiny",
    inHalves: true,
    config: { rope_parameters: { ...yarn, mscale: 1, mscale_all_dim: 1, llama_4_scaling_beta: 0.1 } },
  },
  Exaone4ForCausalLM: { shape: "exaone4-tiny", parts: behind, config: alternating },
  SeedOssForCausalLM: {
    shape: "seed_oss-tiny",
    parts: { post_attention_norm: "post_attention_layernorm" },
    config: { attention_bias: true },
  },
  Ernie4_5ForCausalLM: { shape: "ernie4_5-tiny", config: { use_bias: false } },
  HunYuanDenseV1ForCausalLM: {
    shape: "hunyuan-dense-tiny",
    parts: { attn_q_norm: "self_attn.query_layernorm", attn_k_norm: "self_attn.key_layernorm" },
  },
  PhiForCausalLM: {
    shape: "phi2-tiny",
    outer: {
      "output_norm.weight": "model.final_layernorm.weight",
      "output_norm.bias": "model.final_layernorm.bias",
      "output.bias": "lm_head.bias",
    },
    parts: { attn_output: "self_attn.dense", ffn_up: "mlp.fc1", ffn_down: "mlp.fc2" },
    config: { hidden_act: "gelu_new", layer_norm_eps: EPS, partial_rotary_factor: 0.5 },
  },
  StableLmForCausalLM: {
    shape: "stablelm-tiny",
    outer: normBias,
    config: { layer_norm_eps: EPS, use_qkv_bias: true },
  },
  Starcoder2ForCausalLM: {
    shape: "starcoder2-tiny",
    outer: normBias,
    parts: { ffn_up: "mlp.c_fc", ffn_down: "mlp.c_proj" },
    config: { hidden_act: "gelu_pytorch_tanh", norm_epsilon: EPS, use_bias: true },
  },
  CohereForCausalLM: { shape: "command-r-tiny", config: { layer_norm_eps: EPS, logit_scale: 0.7 } },
  Cohere2ForCausalLM: {
    shape: "cohere2-tiny",
    config: { ...alternating, layer_norm_eps: EPS, logit_scale: 0.7 },
  },
  NemotronForCausalLM: {
    shape: "nemotron-tiny",
    outer: normBias,
    normsAroundOne: true,
    config: { hidden_act: "relu2", norm_eps: EPS, rope_parameters: { partial_rotary_factor: 0.5 } },
  },
  MixtralForCausalLM: {
    shape: "mixtral-tiny",
    inHalves: true,
    parts: { ffn_gate_inp: "block_sparse_moe.gate" },
    experts: {
      ffn_gate_exps: "block_sparse_moe.experts.*.w1",
      ffn_up_exps: "block_sparse_moe.experts.*.w3",
      ffn_down_exps: "block_sparse_moe.experts.*.w2",
    },
    config: { num_local_experts: 8, num_experts_per_tok: 2 },
  },
  Qwen2MoeForCausalLM: {
    shape: "qwen2moe-tiny",
    parts: {
      ffn_gate_inp: "mlp.gate",
      ffn_gate_shexp: "mlp.shared_expert.gate_proj",
      ffn_up_shexp: "mlp.shared_expert.up_proj",
      ffn_down_shexp: "mlp.shared_expert.down_proj",
      ffn_gate_inp_shexp: "mlp.shared_expert_gate",
    },
    experts,
    config: {
      num_experts: 8,
      num_experts_per_tok: 4,
      moe_intermediate_size: 96,
      shared_expert_intermediate_size: 160,
      norm_topk_prob: false,
    },
  },
  Qwen3MoeForCausalLM: {
    shape: "qwen3moe-tiny",
    parts: { ffn_gate_inp: "mlp.gate" },
    experts,
    config: { num_experts: 16, num_experts_per_tok: 4, moe_intermediate_size: 128, norm_topk_prob: true },
  },
  DeepseekV3ForCausalLM: {
    shape: "deepseek2-tiny",
    isOlder: true,
    parts: {
      attn_q_a: "self_attn.q_a_proj",
      attn_q_a_norm: "self_attn.q_a_layernorm",
      attn_q_b: "self_attn.q_b_proj",
      attn_kv_a_mqa: "self_attn.kv_a_proj_with_mqa",
      attn_kv_a_norm: "self_attn.kv_a_layernorm",
      attn_kv_b: "self_attn.kv_b_proj",
      ffn_gate_inp: "mlp.gate",
      ffn_gate_shexp: "mlp.shared_experts.gate_proj",
      ffn_up_shexp: "mlp.shared_experts.up_proj",
      ffn_down_shexp: "mlp.shared_experts.down_proj",
    },
    odd: { "exp_probs_b.bias": "mlp.gate.e_score_correction_bias" },
    experts,
    config: {
      q_lora_rank: 96,
      kv_lora_rank: 160,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      n_routed_experts: 8,
      num_experts_per_tok: 3,
      n_shared_experts: 2,
      moe_intermediate_size: 64,
      first_k_dense_replace: 1,
      scoring_func: "sigmoid",
      n_group: 4,
      topk_group: 2,
      norm_topk_prob: true,
      routed_scaling_factor: 2.5,
      rope_scaling: { ...yarn, type: "yarn", rope_type: undefined, mscale: 1, mscale_all_dim: 1 },
    },
  },
  OlmoeForCausalLM: {
    shape: "olmoe-tiny",
    parts: { ffn_gate_inp: "mlp.gate" },
    experts,
    config: { num_experts: 8, num_experts_per_tok: 3, norm_topk_prob: false, clip_qkv: null },
  },
  OlmoForCausalLM: { shape: "olmo-tiny", inHalves: true, config: { clip_qkv: 1.5 } },
};
