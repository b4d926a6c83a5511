/** What the models of a checkpoint are called in GGUF: settings and tensors. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { CheckpointError } from "./error.ts";
import { type JsonObject, show } from "./json_object.ts";
import { llama3Factors } from "./rope_factors.ts";

/**
 * Rows of queries or keys that the converter puts in another order: pairs that RoPE turns become neighbours.
 */
export interface RowOrder {
  readonly heads: number;
}

/** A tensor's name in GGUF. */
export interface NamedTensor {
  readonly name: string;
  readonly order?: RowOrder;
}

/** What a checkpoint becomes. */
export interface Architecture {
  /** The value of `general.architecture`. */
  readonly name: string;
  readonly entries: readonly MetadataEntry[];
  readonly vocab: number;
  /**
   * The GGUF tensor of a checkpoint's tensor; null for one that is not needed, undefined for one that has no
   * place.
   */
  tensor(name: string): NamedTensor | null | undefined;
  /** Tensors that are computed from the settings. */
  readonly computed: readonly { readonly name: string; readonly data: Float32Array }[];
}

interface Kind {
  readonly name: string;
  /** GGUF wants the rows of queries and keys in the order of interleaved pairs. */
  readonly interleaved: boolean;
}

/** By the name in `architectures`. */
const KINDS: Readonly<Record<string, Kind>> = {
  LlamaForCausalLM: { name: "llama", interleaved: true },
  MistralForCausalLM: { name: "llama", interleaved: true },
  Qwen2ForCausalLM: { name: "qwen2", interleaved: false },
  Qwen3ForCausalLM: { name: "qwen3", interleaved: false },
};

/** Names of the models that a checkpoint can hold. */
export const CHECKPOINT_ARCHITECTURES: readonly string[] = Object.keys(KINDS);

const OUTER: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};

const IN_LAYER: Readonly<Record<string, string>> = {
  "input_layernorm": "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "post_attention_layernorm": "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** Settings that would change what is computed, with the values that ask for nothing. */
const NEUTRAL: readonly (readonly [string, readonly unknown[], string])[] = [
  ["hidden_act", ["silu"], "another activation"],
  ["attention_bias", [false], "biases of attention that the family does not have"],
  ["mlp_bias", [false], "biases of the feed-forward"],
  ["use_sliding_window", [false], "attention to a window of tokens"],
  ["quantization_config", [], "weights that are quantised already"],
];

/** Far above what any model has: tables of this length are made before tensors are looked at. */
const HEAD_DIM_MAX = 1 << 16;

/** Reads config.json. Throws CheckpointError for what no family here computes. */
export function readArchitecture(config: JsonObject): Architecture {
  const given = config.list("architectures")[0];
  const kind = typeof given === "string" && Object.hasOwn(KINDS, given) ? KINDS[given] : undefined;
  if (kind === undefined) {
    throw new CheckpointError(
      `config.json: architectures is ${show(given)}; supported are ${CHECKPOINT_ARCHITECTURES.join(", ")}`,
    );
  }
  checkNeutral(config, kind);
  const heads = config.count("num_attention_heads");
  const kvHeads = config.count("num_key_value_heads", { fallback: heads });
  const hidden = config.count("hidden_size");
  const headDim = config.count("head_dim", { fallback: hidden / heads });
  if (headDim > HEAD_DIM_MAX) {
    throw new CheckpointError(`config.json: heads have ${headDim} elements, more than ${HEAD_DIM_MAX}`);
  }
  const rope = readRope(config, kind.name, headDim);
  const u32 = (key: string, value: number) => scalarEntry("u32", `${kind.name}.${key}`, value);
  const f32 = (key: string, value: number) => scalarEntry("f32", `${kind.name}.${key}`, value);
  const vocab = config.count("vocab_size");
  return {
    name: kind.name,
    vocab,
    entries: [
      scalarEntry("string", "general.architecture", kind.name),
      u32("block_count", config.count("num_hidden_layers")),
      u32("context_length", config.count("max_position_embeddings")),
      u32("embedding_length", hidden),
      u32("feed_forward_length", config.count("intermediate_size")),
      u32("attention.head_count", heads),
      u32("attention.head_count_kv", kvHeads),
      u32("attention.key_length", headDim),
      u32("attention.value_length", headDim),
      u32("rope.dimension_count", headDim),
      u32("vocab_size", vocab),
      f32("attention.layer_norm_rms_epsilon", config.number("rms_norm_eps")),
      ...rope.entries,
    ],
    computed: rope.factors === undefined ? [] : [{ name: "rope_freqs.weight", data: rope.factors }],
    tensor: (name) => nameOf(name, config.boolean("tie_word_embeddings", false), kind, heads, kvHeads),
  };
}

function checkNeutral(config: JsonObject, kind: Kind): void {
  for (const [key, values, what] of NEUTRAL) {
    // Qwen 2 has these biases whatever the setting says.
    if (
      config.has(key) && !values.includes(config.value(key)) &&
      !(key === "attention_bias" && kind.name !== "qwen3")
    ) {
      throw config.unsupported(key, what);
    }
  }
  const window = config.value("sliding_window");
  const context = config.count("max_position_embeddings");
  const isUsed = config.value("use_sliding_window") !== false;
  if (typeof window === "number" && window < context && isUsed) {
    throw config.unsupported("sliding_window", "attention to a window of tokens");
  }
}

function nameOf(
  name: string,
  isTied: boolean,
  { interleaved }: Kind,
  heads: number,
  kvHeads: number,
): NamedTensor | null | undefined {
  // Some files repeat the token table, some have tables that older versions computed once.
  if (isTied && name === "lm_head.weight" || name.endsWith(".rotary_emb.inv_freq")) return null;
  if (Object.hasOwn(OUTER, name)) return { name: OUTER[name] };
  const [, layer, part, end] = /^model\.layers\.(0|[1-9]\d{0,3})\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined || !Object.hasOwn(IN_LAYER, part)) return undefined;
  const turned = interleaved ? { "self_attn.q_proj": heads, "self_attn.k_proj": kvHeads }[part] : undefined;
  const order = turned === undefined ? {} : { order: { heads: turned } };
  return { name: `blk.${layer}.${IN_LAYER[part]}.${end}`, ...order };
}

interface Rope {
  readonly entries: readonly MetadataEntry[];
  readonly factors?: Float32Array;
}

/**
 * RoPE's settings: newer files have them in `rope_parameters`, older ones in `rope_theta` and `rope_scaling`.
 */
function readRope(config: JsonObject, name: string, headDim: number): Rope {
  const settings = config.optionalObject("rope_parameters") ?? config.optionalObject("rope_scaling");
  const base = settings?.has("rope_theta")
    ? settings.number("rope_theta", { min: 1 })
    : config.number("rope_theta", { min: 1, fallback: 10_000 });
  const f32 = (key: string, value: number) => scalarEntry("f32", `${name}.rope.${key}`, value);
  const entries = [f32("freq_base", base)];
  if (settings === undefined) return { entries };
  const type = settings.string(settings.has("rope_type") ? "rope_type" : "type", "default");
  const partial = settings.number("partial_rotary_factor", { fallback: 1 });
  if (partial !== 1) throw settings.unsupported("partial_rotary_factor", "RoPE of a part of each head");
  if (type === "default") return { entries };
  const factor = settings.number("factor", { min: 1 });
  if (type === "linear") {
    return {
      entries: [
        ...entries,
        scalarEntry("string", `${name}.rope.scaling.type`, "linear"),
        f32("scaling.factor", factor),
      ],
    };
  }
  const context = settings.count("original_max_position_embeddings", {
    fallback: config.count("max_position_embeddings"),
  });
  if (type === "yarn") {
    return {
      entries: [
        ...entries,
        scalarEntry("string", `${name}.rope.scaling.type`, "yarn"),
        f32("scaling.factor", factor),
        scalarEntry("u32", `${name}.rope.scaling.original_context_length`, context),
      ],
    };
  }
  if (type === "llama3" && name === "llama") {
    const low = settings.number("low_freq_factor", { min: 0 });
    const high = settings.number("high_freq_factor", { min: 0 });
    return { entries, factors: llama3Factors({ base, headDim, factor, low, high, context }) };
  }
  throw settings.unsupported(settings.has("rope_type") ? "rope_type" : "type", "another scaling of RoPE");
}

/** Sampling that generation_config.json recommends, and the tokens that end an answer, as GGUF says them. */
export function generationEntries(generation: JsonObject | undefined): MetadataEntry[] {
  if (generation === undefined || generation.value("do_sample") === false) return [];
  const names = {
    temperature: "temp",
    top_k: "top_k",
    top_p: "top_p",
    min_p: "min_p",
    repetition_penalty: "penalty_repeat",
  };
  return Object.entries(names).flatMap(([key, own]) => {
    if (!generation.has(key)) return [];
    const type = key === "top_k" ? "i32" : "f32";
    const value = key === "top_k" ? generation.count(key, { min: 0 }) : generation.number(key);
    return [scalarEntry(type, `general.sampling.${own}`, value)];
  });
}

/** Tokens that end an answer, in the order of the files. */
export function endTokens(config: JsonObject, generation: JsonObject | undefined): number[] {
  const given = generation?.value("eos_token_id") ?? config.value("eos_token_id");
  const ids = Array.isArray(given) ? given : given === undefined ? [] : [given];
  if (ids.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 31)) return ids;
  throw new CheckpointError(
    `eos_token_id must be a token or a list of tokens, current value is ${show(given)}`,
  );
}

/** A list of strings, as GGUF has it. */
export function stringsEntry(key: string, values: string[]): MetadataEntry {
  return arrayEntry("string", key, values);
}
