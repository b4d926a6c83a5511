import { limits } from "../ffi/symbols.ts";
import { FILE_POOLINGS } from "../gguf/describe.ts";
import type { MetadataReader } from "../gguf/metadata.ts";
import type { RopePairing } from "../layers/attention.ts";
import type { DecoderShape } from "../layers/scratch.ts";
import { ModelError } from "./error.ts";
import { checkKeys } from "./keys.ts";

/** How a model stretches its rotary frequencies beyond the context it was first trained on. */
export type RopeScaling = { type: "none" } | { type: "linear"; factor: number } | YarnScaling;

/** Peng et al. 2023. */
export interface YarnScaling {
  type: "yarn";
  factor: number;
  /** The context before stretching, in tokens. */
  originalContext: number;
  attentionFactor: number;
  /** 1 mixes interpolated and original frequencies by the betas, 0 only interpolates. */
  extFactor: number;
  /** Turns within the original context from which a frequency is left as it is, and below which it is stretched. */
  betaFast: number;
  betaSlow: number;
}

export interface RopeSettings {
  pairing: RopePairing;
  /** How many elements of each head are turned. */
  dimensions: number;
  /** θ: pair i turns by position · θ^(−2i / dimensions). */
  base: number;
  scaling: RopeScaling;
}

/** What the file says about the shape of the model. */
export interface Hyperparameters extends DecoderShape {
  architecture: string;
  layers: number;
  /** The context that the model was trained for, in tokens. */
  contextLength: number;
  normEps: number;
  rope: RopeSettings;
  pooling: FilePooling;
}

/** What a file says becomes of the hidden states of a text's tokens when it is embedded. */
export type FilePooling = typeof FILE_POOLINGS[number];

/** The parts of a GGUF file that describe a model. */
export interface ModelHeader {
  /** Where it lies, for messages. */
  readonly path?: string;
  readonly get: MetadataReader;
  /** `type` is GGUF's id; `dims` has the contiguous dimension first. */
  readonly tensors: ReadonlyMap<string, { readonly type: number; readonly dims: readonly number[] }>;
}

const CONTEXT_MAX = 1 << 27;

/**
 * The hyperparameters that all supported families have, each checked against its range. `pairing` is the family's
 * own. Throws GgufError for a key that is missing or out of range, ModelError where two values contradict.
 */
export function readHyperparameters(
  file: ModelHeader,
  architecture: string,
  pairing: RopePairing,
): Hyperparameters {
  const { get } = file;
  const u32 = (key: string, min: number, max: number, fallback?: number) =>
    get.u32(`${architecture}.${key}`, { min, max, fallback });
  const experts = u32("expert_count", 0, 0xffff, 0);
  if (experts > 0) throw new ModelError(`mixtures of experts are not supported, this one has ${experts}`);

  const hidden = u32("embedding_length", 1, 1 << 17);
  const heads = u32("attention.head_count", 1, 1024);
  const kvHeads = u32("attention.head_count_kv", 1, 1024, heads);
  if (heads % kvHeads !== 0) {
    throw new ModelError(`${heads} query heads cannot share ${kvHeads} key-value heads`);
  }
  const headDim = u32(
    "attention.key_length",
    2,
    limits.headDimMax,
    hidden % heads === 0 ? hidden / heads : undefined,
  );
  const valueDim = u32("attention.value_length", 2, limits.headDimMax, headDim);
  if (valueDim !== headDim) {
    throw new ModelError(`keys have ${headDim} elements a head and values ${valueDim}`);
  }
  const h: Hyperparameters = {
    architecture,
    layers: u32("block_count", 1, 1024),
    hidden,
    heads,
    kvHeads,
    headDim,
    ffn: u32("feed_forward_length", 1, 1 << 20),
    vocab: readVocab(file, hidden),
    contextLength: u32("context_length", 1, CONTEXT_MAX),
    normEps: get.f32(`${architecture}.attention.layer_norm_rms_epsilon`, { min: 0, max: 1 }),
    rope: readRope(get, architecture, headDim, pairing),
    pooling: FILE_POOLINGS[u32("pooling_type", 0, FILE_POOLINGS.length - 1, 0)],
  };
  checkKeys(file, h);
  return h;
}

/** The token table gives the vocabulary's size; the tokenizer must fit into it, and may be smaller. */
function readVocab({ get, tensors }: ModelHeader, hidden: number): number {
  const table = tensors.get("token_embd.weight");
  if (table === undefined) throw new ModelError(`tensor "token_embd.weight" is missing`);
  const [k, vocab] = table.dims;
  if (table.dims.length !== 2 || k !== hidden) {
    const shape = [...table.dims].reverse().join(", ");
    throw new ModelError(`tensor "token_embd.weight" must be [vocabulary, ${hidden}], it is [${shape}]`);
  }
  const tokens = get.strings("tokenizer.ggml.tokens", { fallback: [] }).length;
  if (tokens > vocab) {
    throw new ModelError(`the tokenizer has ${tokens} tokens and the token table ${vocab} rows`);
  }
  return vocab;
}

function readRope(
  get: MetadataReader,
  architecture: string,
  headDim: number,
  pairing: RopePairing,
): RopeSettings {
  const prefix = `${architecture}.rope`;
  const dimensions = get.u32(`${prefix}.dimension_count`, { min: 2, max: headDim, fallback: headDim });
  if (dimensions % 2 !== 0) {
    throw new ModelError(`${prefix}.dimension_count must be even, it is ${dimensions}`);
  }
  const base = get.f32(`${prefix}.freq_base`, { min: 1, max: 1e12, fallback: 10_000 });
  return { pairing, dimensions, base, scaling: readRopeScaling(get, architecture) };
}

function readRopeScaling(get: MetadataReader, architecture: string): RopeScaling {
  const prefix = `${architecture}.rope.scaling`;
  const f32 = (key: string, max: number, fallback: number) =>
    get.f32(`${prefix}.${key}`, { min: 0, max, fallback });
  // Files from before "rope.scaling" have this one number, which always meant linear.
  const legacyFactor = get.f32(`${architecture}.rope.scale_linear`, { min: 0, max: 1e6, fallback: 0 });
  const factor = f32("factor", 1e6, legacyFactor);
  // A factor without a type is linear, as llama.cpp reads it.
  const type = get.string(`${prefix}.type`, { fallback: factor > 0 ? "linear" : "none" });
  if (type !== "none" && type !== "linear" && type !== "yarn") {
    throw new ModelError(`${prefix}.type is ${JSON.stringify(type)}; supported are none, linear, yarn`);
  }
  if (type === "none" || factor === 0) return { type: "none" };
  if (type === "linear") return { type, factor };
  const trained = get.u32(`${architecture}.context_length`);
  return {
    type,
    factor,
    originalContext: get.u32(`${prefix}.original_context_length`, {
      min: 1,
      max: CONTEXT_MAX,
      fallback: trained,
    }),
    attentionFactor: f32("attn_factor", 1e3, f32("yarn_attn_factor", 1e3, 1)),
    extFactor: f32("yarn_ext_factor", 1e3, 1),
    betaFast: f32("yarn_beta_fast", 1e6, 32),
    betaSlow: f32("yarn_beta_slow", 1e6, 1),
  };
}
