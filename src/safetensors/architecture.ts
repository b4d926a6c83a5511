/** What the models of a checkpoint are called in GGUF: settings and tensors. @module */

import { scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { CheckpointError } from "./error.ts";
import { type JsonObject, show } from "./json_object.ts";
import { EXPERT_KINDS } from "./expert_kinds.ts";
import { type EntryMaker, entryMaker, type Kind, type Sizes } from "./kind.ts";
import { KINDS as RMS_NORM_KINDS } from "./kinds.ts";
import { LAYER_NORM_KINDS } from "./layer_norm_kinds.ts";
import { readRope } from "./rope_settings.ts";

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
  /** Its elements are to be added to 1. */
  readonly aroundOne?: boolean;
  /** It is the matrix of this expert, of which the GGUF tensor has all. */
  readonly expert?: number;
  /** GGUF has it in f32: routers. */
  readonly isWide?: boolean;
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

const KINDS: Readonly<Record<string, Kind>> = { ...RMS_NORM_KINDS, ...LAYER_NORM_KINDS, ...EXPERT_KINDS };

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
  ["attention_bias", [false], "biases of attention that the family does not have"],
  ["mlp_bias", [false], "biases of the feed-forward"],
  ["use_bias", [false], "biases"],
  ["use_sliding_window", [false], "attention to a window of tokens"],
  ["use_bidirectional_attention", [false], "attention to later tokens"],
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
  const context = config.count("max_position_embeddings");
  const layers = config.count("num_hidden_layers");
  const sizes = { hidden, layers, heads, kvHeads, headDim, context };
  const rope = readRope(config, kind, sizes);
  const make = entryMaker(kind.name);
  const { u32 } = make;
  const vocab = config.count("vocab_size");
  return {
    name: kind.name,
    vocab,
    entries: [
      scalarEntry("string", "general.architecture", kind.name),
      u32("block_count", layers),
      u32("context_length", context),
      u32("embedding_length", hidden),
      u32("feed_forward_length", config.count("intermediate_size")),
      u32("attention.head_count", heads),
      u32("attention.head_count_kv", kvHeads),
      u32("attention.key_length", headDim),
      u32("attention.value_length", headDim),
      u32("vocab_size", vocab),
      normEntry(config, kind, make),
      ...rope.entries,
      ...windowEntries(config, kind, sizes),
      ...kind.entries?.(config, make, sizes) ?? [],
    ],
    computed: rope.computed,
    tensor: (name) => nameOf(name, config.boolean("tie_word_embeddings", kind.isTied ?? false), kind, sizes),
  };
}

function normEntry(config: JsonObject, { layerNorm }: Kind, { f32 }: EntryMaker): MetadataEntry {
  if (layerNorm === undefined) {
    return f32("attention.layer_norm_rms_epsilon", config.number("rms_norm_eps"));
  }
  const eps = typeof layerNorm === "number" ? layerNorm : config.number(layerNorm);
  return f32("attention.layer_norm_epsilon", eps);
}

function checkNeutral(
  config: JsonObject,
  { activations = ["silu"], biases = true, hasBiases = false, windows }: Kind,
): void {
  for (const key of ["hidden_act", "hidden_activation"]) {
    if (config.has(key) && !activations.includes(config.value(key) as string)) {
      throw config.unsupported(key, "another activation");
    }
  }
  for (const [key, values, what] of NEUTRAL) {
    const isOwn = key === "attention_bias" && biases || key === "use_bias" && hasBiases;
    if (config.has(key) && !values.includes(config.value(key)) && !isOwn) {
      throw config.unsupported(key, what);
    }
  }
  const window = config.value("sliding_window");
  const context = config.count("max_position_embeddings");
  const isUsed = config.value("use_sliding_window") !== false && windows === undefined;
  if (typeof window === "number" && window < context && isUsed) {
    throw config.unsupported("sliding_window", "attention to a window of tokens");
  }
}

/** The window of tokens, and the layers that see it. */
function windowEntries(config: JsonObject, { name, windows }: Kind, { layers }: Sizes): MetadataEntry[] {
  if (windows === undefined || !config.has("sliding_window")) return [];
  const { u32, bools } = entryMaker(name);
  const window = u32("attention.sliding_window", config.count("sliding_window"));
  if (windows === "all") return [window];
  return [window, bools("attention.sliding_window_pattern", windowedLayers(config, windows.period, layers))];
}

function windowedLayers(config: JsonObject, usual: number, layers: number): boolean[] {
  if (config.has("layer_types")) {
    const types = config.list("layer_types");
    const isKnown = types.every((type) => type === "sliding_attention" || type === "full_attention");
    if (!isKnown || types.length !== layers) {
      throw config.wrong(
        "layer_types",
        `a list of sliding_attention and full_attention for ${layers} layers`,
      );
    }
    return types.map((type) => type === "sliding_attention");
  }
  const pattern = config.value("sliding_window_pattern") ?? config.value("_sliding_window_pattern") ?? usual;
  if (typeof pattern === "string" && /^[LG]+$/.test(pattern)) {
    return Array.from({ length: layers }, (_, i) => pattern[i % pattern.length] === "L");
  }
  if (typeof pattern !== "number" || !Number.isInteger(pattern) || pattern < 1) {
    throw config.wrong("sliding_window_pattern", "a number of layers or a text of L and G");
  }
  return Array.from({ length: layers }, (_, i) => (i + 1) % pattern !== 0);
}

function nameOf(
  name: string,
  isTied: boolean,
  { interleaved = false, outer = {}, parts = {}, normsAroundOne = false, odd = {}, experts }: Kind,
  { heads, kvHeads }: Sizes,
): NamedTensor | null | undefined {
  // Some files repeat the token table, some have tables that older versions computed once.
  if (isTied && name === "lm_head.weight" || name.endsWith(".rotary_emb.inv_freq")) return null;
  const aroundOne = normsAroundOne && name.endsWith("norm.weight") ? { aroundOne: true } : {};
  const outerNames = { ...OUTER, ...outer };
  if (Object.hasOwn(outerNames, name)) return { name: outerNames[name], ...aroundOne };
  const [, layer, part, end] = /^model\.layers\.(0|[1-9]\d{0,3})\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [, ofLayer, own] = /^model\.layers\.(0|[1-9]\d{0,3})\.(.+)$/.exec(name) ?? [];
  if (own !== undefined && Object.hasOwn(odd, own)) return { name: `blk.${ofLayer}.${odd[own]}` };
  const names = { ...IN_LAYER, ...parts };
  const matrix = expertMatrix(part, experts);
  if (matrix !== undefined && end === "weight") {
    return { name: `blk.${layer}.${matrix.name}.weight`, expert: matrix.expert };
  }
  if (layer === undefined || !Object.hasOwn(names, part)) return undefined;
  const turned = interleaved ? { "self_attn.q_proj": heads, "self_attn.k_proj": kvHeads }[part] : undefined;
  const order = turned === undefined ? {} : { order: { heads: turned } };
  const wide = names[part].startsWith("ffn_gate_inp") ? { isWide: true } : {};
  return { name: `blk.${layer}.${names[part]}.${end}`, ...order, ...aroundOne, ...wide };
}

/** The matrix of an expert that a part of a layer is. */
function expertMatrix(part: string | undefined, experts: Kind["experts"]) {
  if (part === undefined || experts === undefined || !part.startsWith(`${experts.folder}.`)) return undefined;
  const [, expert, matrix] = /^(0|[1-9]\d{0,4})\.(\w+)$/.exec(part.slice(experts.folder.length + 1)) ?? [];
  if (expert === undefined || !Object.hasOwn(experts.matrices, matrix)) return undefined;
  return { expert: Number(expert), name: experts.matrices[matrix] };
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
