import { assertEquals, assertThrows } from "@std/assert";
import { readArchitecture } from "./architecture.ts";
import { CheckpointError } from "./error.ts";
import { JsonObject } from "./json_object.ts";

const BASE = {
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-6,
  vocab_size: 512,
};

/** Entries below the architecture's name, and tensors that are computed. */
function read(architecture: string, settings: Record<string, unknown> = {}) {
  const config = new JsonObject("config.json", { ...BASE, architectures: [architecture], ...settings });
  const { name, entries, computed } = readArchitecture(config);
  const own = entries.map(({ key, value }) => [key.replace(`${name}.`, ""), value]);
  return { ...Object.fromEntries(own), computed };
}

Deno.test("readArchitecture() refuses by name and value what a family does not compute", () => {
  const yarn = { rope_type: "yarn", factor: 4, rope_theta: 1e4 };
  const gemma = { hidden_act: "gelu_pytorch_tanh", query_pre_attn_scalar: 64 };
  const long = { rope_type: "longrope", long_factor: [1], short_factor: [1] };
  const deepseek = { qk_nope_head_dim: 128, qk_rope_head_dim: 64, v_head_dim: 128, kv_lora_rank: 512 };
  const cases: [string, Record<string, unknown>, string][] = [
    ["LlamaForCausalLM", { partial_rotary_factor: 0.5 }, "partial_rotary_factor is 0.5"],
    ["Glm4ForCausalLM", { partial_rotary_factor: 1.5 }, "partial_rotary_factor is 1.5"],
    ["GemmaForCausalLM", {
      hidden_activation: "gelu",
    }, 'hidden_activation is "gelu", which asks for another activation'],
    ["GemmaForCausalLM", { ...gemma, attention_bias: true }, "attention_bias is true"],
    ["Gemma3ForCausalLM", { ...gemma, attn_logit_softcapping: 50 }, "attn_logit_softcapping is 50"],
    ["Gemma3ForCausalLM", { ...gemma, use_bidirectional_attention: true }, "attention to later tokens"],
    ["Gemma2ForCausalLM", { hidden_act: "gelu_pytorch_tanh" }, "query_pre_attn_scalar must be a number"],
    ["SmolLM3ForCausalLM", { no_rope_layers: [1, 0, 1, 0] }, "no_rope_layers is [1,0,1,0]"],
    ["SmolLM3ForCausalLM", { no_rope_layer_interval: 3 }, "no_rope_layer_interval is 3"],
    ["SmolLM3ForCausalLM", { sliding_window: 128 }, "sliding_window is 128"],
    [
      "Exaone4ForCausalLM",
      { sliding_window: 128, layer_types: ["chunked_attention"] },
      "layer_types must be a",
    ],
    [
      "Exaone4ForCausalLM",
      { sliding_window: 128, sliding_window_pattern: "LLX" },
      "sliding_window_pattern must",
    ],
    ["Qwen3MoeForCausalLM", { decoder_sparse_step: 2 }, "decoder_sparse_step is 2, which asks for experts"],
    [
      "Qwen2MoeForCausalLM",
      { mlp_only_layers: [0] },
      "mlp_only_layers is [0], which asks for experts in some",
    ],
    [
      "DeepseekV2ForCausalLM",
      { ...deepseek, n_group: 8, scoring_func: "softmax" },
      "n_group is 8, which asks for groups of experts that their best one chooses",
    ],
    ["DeepseekV2ForCausalLM", {
      ...deepseek,
      rope_scaling: { type: "yarn", factor: 4, mscale: 1, mscale_all_dim: 0.7 },
    }, "mscale is 1"],
    ["OlmoeForCausalLM", { clip_qkv: 8 }, "clip_qkv is 8, which asks for bounded queries"],
    ["MixtralForCausalLM", { num_experts_per_tok: 2 }, "num_local_experts must be a"],
    ["Ernie4_5ForCausalLM", { use_bias: true }, "use_bias is true, which asks for biases"],
    ["GraniteForCausalLM", {}, "embedding_multiplier must be a number, current value is missing"],
    ["Qwen2ForCausalLM", { rope_parameters: { ...yarn, truncate: false } }, "truncate is false"],
    ["Qwen2ForCausalLM", { rope_scaling: { type: "llama3", factor: 8 } }, 'type is "llama3"'],
    ["HunYuanDenseV1ForCausalLM", { rope_scaling: { type: "dynamic", factor: 2 } }, 'type is "dynamic"'],
    ["Phi3ForCausalLM", { rope_scaling: long }, "long_factor must be a list of 32 numbers above 0"],
    ["Phi3ForCausalLM", { rope_scaling: { ...long, short_mscale: 2 } }, "short_mscale is 2"],
    ["Olmo3ForCausalLM", {
      rope_parameters: { full_attention: yarn, sliding_attention: yarn },
    }, "scaled RoPE in layers that see a window"],
  ];
  for (const [architecture, settings, message] of cases) {
    assertThrows(() => read(architecture, settings), CheckpointError, message);
  }
});

Deno.test("readArchitecture() reads windows, and layers that see them", () => {
  const windows = (architecture: string, settings: Record<string, unknown>) => {
    const entries = read(architecture, settings);
    return [entries["attention.sliding_window"], entries["attention.sliding_window_pattern"]];
  };
  const window = { sliding_window: 128 };
  assertEquals(windows("Exaone4ForCausalLM", window), [128, [true, true, true, false]]);
  assertEquals(windows("Exaone4ForCausalLM", { ...window, sliding_window_pattern: 2 }), [128, [
    true,
    false,
    true,
    false,
  ]]);
  assertEquals(windows("Exaone4ForCausalLM", { ...window, sliding_window_pattern: "LG" })[1], [
    true,
    false,
    true,
    false,
  ]);
  assertEquals(windows("Exaone4ForCausalLM", { sliding_window: null }), [undefined, undefined]);
  assertEquals(windows("Phi3ForCausalLM", window), [128, undefined]);
});

Deno.test("readArchitecture() reads the scalings of RoPE with what they say beside the factor", () => {
  const yarn = { rope_type: "yarn", factor: Math.E, original_max_position_embeddings: 1024 };
  const entries = read("Qwen2ForCausalLM", {
    rope_parameters: { ...yarn, beta_fast: 16, beta_slow: 2, attention_factor: 2.2 },
  });
  assertEquals([entries["rope.scaling.yarn_beta_fast"], entries["rope.scaling.yarn_beta_slow"]], [16, 2]);
  assertEquals(entries["rope.scaling.attn_factor"], 2.2 / 1.1);
  assertEquals(read("Qwen2ForCausalLM", { rope_parameters: yarn })["rope.scaling.attn_factor"], undefined);
  const alpha = { rope_scaling: { type: "dynamic", alpha: 1000 }, head_dim: 128 };
  const { "rope.freq_base": base } = read("HunYuanDenseV1ForCausalLM", alpha);
  assertEquals(base, 10_000 * 1000 ** (128 / 126));
  const factors = Array.from({ length: 24 }, (_, i) => 1 + i);
  const long = read("Phi3ForCausalLM", {
    partial_rotary_factor: 0.75,
    original_max_position_embeddings: 1024,
    rope_scaling: { type: "longrope", long_factor: factors, short_factor: factors },
  });
  // √(1 + ln 4 / ln 1024)
  assertEquals(long["rope.scaling.attn_factor"], Math.sqrt(1.2));
  assertEquals([long["rope.dimension_count"], long["rope.scaling.original_context_length"]], [48, 1024]);
  assertEquals(
    long.computed.map(({ name, data }: { name: string; data: Float32Array }) => [name, data.length]),
    [
      ["rope_factors_long.weight", 24],
      ["rope_factors_short.weight", 24],
    ],
  );
});
