/**
 * Which keys of a file's own namespace (`llama.…`) change what a model computes. A key that says something nobody here
 * computes must not be passed over: the answers would be those of another model. The names are those of llama.cpp's
 * converters.
 * @module
 */

import { quote } from "../gguf/error.ts";
import { showValue } from "../gguf/metadata.ts";
import { tensorType } from "../gguf/tensor_types.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { ModelError } from "./error.ts";
import { EXPERT_KEYS } from "./experts.ts";
import type { ModelFamily } from "./family.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** Read by `readHyperparameters`, which checks them, for every family. */
const READ: readonly string[] = [
  "block_count",
  "context_length",
  "embedding_length",
  "feed_forward_length",
  ...EXPERT_KEYS,
  "pooling_type",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.key_length",
  "attention.value_length",
  "attention.layer_norm_rms_epsilon",
  "attention.layer_norm_epsilon",
  "rope.dimension_count",
  "rope.freq_base",
  "rope.scale_linear",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scaling.attn_factor",
  "rope.scaling.original_context_length",
  "rope.scaling.yarn_attn_factor",
  "rope.scaling.yarn_ext_factor",
  "rope.scaling.yarn_beta_fast",
  "rope.scaling.yarn_beta_slow",
];

/** These change nothing by themselves. A pattern ends in `*`. */
const HARMLESS: readonly string[] = [
  // The token table and the tokenizer tell.
  "vocab_size",
  // Where the weights come from, and labels of a head whose tensors would be refused.
  "tensor_data_layout",
  "rope.scaling.finetuned",
  "classifier.output_labels",
  // Nothing without a window, and a window that matters is refused.
  "attention.sliding_window_pattern",
  "attention.key_length_swa",
  "attention.value_length_swa",
  "rope.dimension_count_swa",
  "rope.freq_base_swa",
];

interface Change {
  /** What the key asks for. */
  readonly what: string;
  /** Whether a value asks for nothing. Default: 0, false, and nothing but zeros. */
  readonly isNeutral?: (value: MetadataValue, h: Hyperparameters) => boolean;
}

const isOneOrNone: Change["isNeutral"] = (value) => value === 1 || isNothing(value);

/** What a key asks for where there are experts. */
function ofExperts(what: string, isNeutral: Change["isNeutral"] = isNothing): Change {
  const isDense = ({ layers }: Hyperparameters) => layers.every(({ experts }) => experts === undefined);
  return { what, isNeutral: (value, h) => isDense(h) || isNeutral!(value, h) };
}

const CHANGES: Readonly<Record<string, Change>> = {
  "attention.causal": { what: "attention to later tokens", isNeutral: (value) => value === true },
  "attention.scale": {
    what: "another scale of attention than 1/√(elements of a head)",
    isNeutral: (value, { layers }) =>
      isNothing(value) ||
      typeof value === "number" &&
        layers.every(({ keyDim }) => Math.abs(value * Math.sqrt(keyDim) - 1) < 1e-5),
  },
  "attention.output_scale": { what: "a scale of attention's output", isNeutral: isOneOrNone },
  "attention.temperature_scale": { what: "attention that sharpens with the position" },
  "attention.temperature_length": { what: "attention that sharpens with the position" },
  "attention.sliding_window": {
    what: "attention to a window of tokens",
    isNeutral: (value, { contextLength }) =>
      isNothing(value) || typeof value === "number" && value >= contextLength,
  },
  "attention.max_alibi_bias": { what: "ALiBi" },
  "attention.clamp_kqv": { what: "clamped queries, keys and values" },
  "attention.relative_buckets_count": { what: "relative position buckets" },
  "attention.shared_kv_layers": { what: "layers that share keys and values" },
  "attention.group_norm_epsilon": { what: "group norms" },
  "attention.group_norm_groups": { what: "group norms" },
  "attention.q_lora_rank": { what: "latent attention" },
  "attention.kv_lora_rank": { what: "latent attention" },
  "attention.key_length_mla": { what: "latent attention" },
  "attention.value_length_mla": { what: "latent attention" },
  "attention.*_lora_rank": { what: "low-rank mixing" },
  "attention.indexer.*": { what: "an index of tokens to attend to" },
  "attn_logit_softcapping": { what: "soft-capped attention" },
  "final_logit_softcapping": { what: "soft-capped logits" },
  "logit_scale": { what: "scaled logits", isNeutral: isOneOrNone },
  "residual_scale": { what: "scaled residuals", isNeutral: isOneOrNone },
  "embedding_scale": { what: "scaled embeddings", isNeutral: isOneOrNone },
  "embedding_length_out": {
    what: "embeddings of another size",
    isNeutral: (value, { hidden }) => isNothing(value) || value === hidden,
  },
  "embedding_length_per_layer_input": { what: "embeddings for each layer" },
  "expert_group_scale": ofExperts("a scale of groups of experts", isOneOrNone),
  "expert_chunk_feed_forward_length": ofExperts("experts in chunks"),
  "experts_per_group": ofExperts("experts in chunks"),
  "moe_every_n_layers": ofExperts("experts in some layers", isOneOrNone),
  "moe_latent_size": ofExperts("latent experts"),
  "router_logit_softcapping": ofExperts("soft-capped routers"),
  "dense_*": { what: "dense layers behind the embeddings" },
  "use_parallel_residual": { what: "parallel residuals" },
  "swin_norm": { what: "Swin norms" },
  "swiglu_clamp_*": { what: "a clamped SwiGLU" },
  "activation_sparsity_scale": { what: "sparse activations" },
  "altup.*": { what: "alternating updates" },
  "full_attention_interval": { what: "layers without full attention", isNeutral: isOneOrNone },
  "nextn_predict_layers": { what: "layers that predict further tokens" },
  "n_deepstack_layers": { what: "deep-stacked visual features" },
  "decoder_start_token_id": { what: "an encoder before the decoder" },
  "decoder_block_count": { what: "an encoder before the decoder" },
  "rope.dimension_sections": { what: "rotary sections" },
  "rope.scaling.alpha": { what: "a rotary alpha", isNeutral: isOneOrNone },
  "rope.scaling.yarn_log_multiplier": { what: "another growth of YaRN's amplitude" },
  "rescale_every_n_layers": { what: "rescaled layers" },
  "token_shift_count": { what: "token shifts" },
  "time_*": { what: "time mixing" },
  "ssm.*": { what: "state space layers" },
  "wkv.*": { what: "WKV layers" },
  "kda.*": { what: "linear attention" },
  "shortconv.*": { what: "short convolutions" },
  "convnext.*": { what: "convolutions" },
  "posnet.*": { what: "a position network" },
};

/**
 * Throws a ModelError for the first key that asks for something else than the family computes, naming it and its value.
 * The family's own keys are its own business.
 */
export function checkKeys(
  file: ModelHeader,
  h: Hyperparameters,
  { ownKeys = [] }: Pick<ModelFamily, "ownKeys">,
): void {
  for (const [key, value] of file.get.entriesUnder(`${h.architecture}.`)) {
    if (ownKeys.includes(key)) continue;
    const change = lookUp(CHANGES, key);
    if (change === undefined || (change.isNeutral ?? isNothing)(value, h)) continue;
    const name = `${h.architecture}.${key}`;
    throw new ModelError(`${name} is ${showValue(value)}, which asks for ${change.what}: not supported`);
  }
}

/** The layout of quantised blocks that the kernels know; ggml changed it once. */
const QUANTIZATION_VERSION = 2;

/** Throws a ModelError for a file that is something beside a model, or whose quantised blocks are of another layout. */
export function checkKind({ get, tensors }: ModelHeader): void {
  const kind = get.string("general.type", { fallback: "model" });
  if (kind !== "model") {
    throw new ModelError(`general.type is ${quote(kind)}: only files of type "model" can be loaded`);
  }
  const version = get.u32("general.quantization_version", { fallback: QUANTIZATION_VERSION });
  const isQuantized = tensors.values().some(({ type }) => tensorType(type).blockLength > 1);
  if (isQuantized && version !== QUANTIZATION_VERSION) {
    throw new ModelError(
      `general.quantization_version is ${version}: only ${QUANTIZATION_VERSION} is supported, convert the model again`,
    );
  }
}

/** Keys of the namespace that nothing is known of: they are not read, and whoever looks at the file is told. */
export function unknownKeys(
  file: ModelHeader,
  { architecture, ownKeys = [] }: Pick<ModelFamily, "architecture" | "ownKeys">,
): string[] {
  const known = Object.fromEntries([...READ, ...HARMLESS, ...ownKeys].map((key) => [key, true]));
  return [...file.get.entriesUnder(`${architecture}.`)]
    .filter(([key]) => lookUp(known, key) === undefined && lookUp(CHANGES, key) === undefined)
    .map(([key]) => `${architecture}.${key}`);
}

/** The entry of a key, or of the first pattern that it matches. */
function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  if (Object.hasOwn(table, key)) return table[key];
  return Object.entries(table).find(([pattern]) => {
    const star = pattern.indexOf("*");
    return star >= 0 && key.startsWith(pattern.slice(0, star)) && key.endsWith(pattern.slice(star + 1));
  })?.[1];
}

function isNothing(value: MetadataValue): boolean {
  if (typeof value === "object") return Array.from(value as ArrayLike<MetadataValue>).every(isNothing);
  return value === 0 || value === 0n || value === false || value === "";
}
