/** The keys of a model file, each checked against its range: those that all families have, then the family's own. @module */

import { limits } from "../ffi/symbols.ts";
import { FILE_POOLINGS } from "../gguf/describe.ts";
import type { MetadataReader } from "../gguf/metadata.ts";
import type { RopeScaling, RopeSettings } from "../layers/rope_table.ts";
import type { LayerShape } from "../layers/shape.ts";
import { ModelError } from "./error.ts";
import { withExperts } from "./experts.ts";
import type { ModelFamily } from "./family.ts";
import { type Hyperparameters, type ModelHeader, TOKEN_TABLE } from "./hyperparameters.ts";
import { checkKeys } from "./keys.ts";

const CONTEXT_MAX = 1 << 27;
const EPS_KEYS = { rms: "layer_norm_rms_epsilon", layer: "layer_norm_epsilon" } as const;

/**
 * The hyperparameters of a file of this family, each checked against its range. Throws GgufError for a key that
 * is missing or out of range, ModelError where two values contradict.
 */
export function readHyperparameters(file: ModelHeader, family: ModelFamily): Hyperparameters {
  const { get } = file;
  const { architecture } = family;
  const u32 = (key: string, min: number, max: number, fallback?: number) =>
    get.u32(`${architecture}.${key}`, { min, max, fallback });
  const hidden = u32("embedding_length", 1, 1 << 17);
  const h: Hyperparameters = {
    architecture,
    hidden,
    layers: withExperts(get, architecture, family.experts, readLayers(get, hidden, family)),
    vocab: readVocab(file, hidden),
    contextLength: u32("context_length", 1, CONTEXT_MAX),
    originalContext: readOriginalContext(get, architecture),
    normEps: get.f32(`${architecture}.attention.${EPS_KEYS[family.norm ?? "rms"]}`, { min: 0, max: 1 }),
    pooling: FILE_POOLINGS[u32("pooling_type", 0, FILE_POOLINGS.length - 1, 0)],
  };
  checkKeys(file, h, family);
  return family.refine?.(h, file) ?? h;
}

/** Counts of heads and sizes of feed-forwards may be arrays, with one number for each layer. */
function readLayers(get: MetadataReader, hidden: number, family: ModelFamily): LayerShape[] {
  const { architecture } = family;
  const count = get.u32(`${architecture}.block_count`, { min: 1, max: 1024 });
  const perLayer = (key: string, max: number, min = 1) =>
    get.u32s(`${architecture}.${key}`, count, { min, max });
  const headsMin = family.hasHeadlessLayers || family.hasOnePart ? 0 : 1;
  const heads = perLayer("attention.head_count", 1024, headsMin);
  const hasKvHeads = get.has(`${architecture}.attention.head_count_kv`);
  const kvHeads = hasKvHeads ? perLayer("attention.head_count_kv", 1024, headsMin) : heads;
  const ffn = perLayer("feed_forward_length", 1 << 20, family.hasOnePart ? 0 : 1);
  const dim = (key: string, fallback?: number) =>
    get.u32(`${architecture}.attention.${key}`, { min: 2, max: limits.headDimMax, fallback });
  const some = heads.find((count) => count > 0) ?? NaN;
  const keyDim = dim("key_length", hidden % some === 0 ? hidden / some : undefined);
  const valueDim = dim("value_length", keyDim);
  const rope = readRope(get, family, keyDim);
  return heads.map((_, i) => {
    if (kvHeads[i] > 0 && heads[i] % kvHeads[i] !== 0) {
      throw new ModelError(`${heads[i]} query heads cannot share ${kvHeads[i]} key-value heads`);
    }
    return { heads: heads[i], kvHeads: kvHeads[i], keyDim, valueDim, ffn: ffn[i], rope };
  });
}

/** The token table gives the vocabulary's size; the tokenizer must fit into it, and may be smaller. */
function readVocab({ get, tensors }: ModelHeader, hidden: number): number {
  const table = tensors.get(TOKEN_TABLE);
  if (table === undefined) throw new ModelError(`tensor "${TOKEN_TABLE}" is missing`);
  const [k, vocab] = table.dims;
  if (table.dims.length !== 2 || k !== hidden) {
    const shape = [...table.dims].reverse().join(", ");
    throw new ModelError(`tensor "${TOKEN_TABLE}" must be [vocabulary, ${hidden}], it is [${shape}]`);
  }
  const tokens = get.stringCount("tokenizer.ggml.tokens");
  if (tokens > vocab) {
    throw new ModelError(`the tokenizer has ${tokens} tokens and the token table ${vocab} rows`);
  }
  return vocab;
}

function readRope(
  get: MetadataReader,
  family: ModelFamily,
  keyDim: number,
): RopeSettings {
  const { architecture, pairing } = family;
  const prefix = `${architecture}.rope`;
  const dimensions = get.u32(`${prefix}.dimension_count`, { min: 2, max: keyDim, fallback: keyDim });
  if (dimensions % 2 !== 0) {
    throw new ModelError(`${prefix}.dimension_count must be even, it is ${dimensions}`);
  }
  const base = get.f32(`${prefix}.freq_base`, { min: 1, max: 1e12, fallback: 10_000 });
  return { pairing, dimensions, base, scaling: readRopeScaling(get, family) };
}

function readOriginalContext(get: MetadataReader, architecture: string): number {
  const fallback = get.u32(`${architecture}.context_length`);
  const key = `${architecture}.rope.scaling.original_context_length`;
  return get.u32(key, { min: 1, max: CONTEXT_MAX, fallback });
}

function readRopeScaling(
  get: MetadataReader,
  { architecture, hasLongRope = false }: ModelFamily,
): RopeScaling {
  const prefix = `${architecture}.rope.scaling`;
  const f32 = (key: string, max: number, fallback: number) =>
    get.f32(`${prefix}.${key}`, { min: 0, max, fallback });
  // Files from before "rope.scaling" have this one number, which always meant linear.
  const legacyFactor = get.f32(`${architecture}.rope.scale_linear`, { min: 0, max: 1e6, fallback: 0 });
  const factor = f32("factor", 1e6, legacyFactor);
  // A factor without a type is linear, as llama.cpp reads it.
  const type = get.string(`${prefix}.type`, { fallback: factor > 0 ? "linear" : "none" });
  const supported = ["none", "linear", "yarn", ...hasLongRope ? ["longrope"] : []];
  if (!supported.includes(type)) {
    throw new ModelError(
      `${prefix}.type is ${JSON.stringify(type)}; supported are ${supported.join(", ")}`,
    );
  }
  const attentionFactor = f32("attn_factor", 1e3, f32("yarn_attn_factor", 1e3, 1));
  const amplitude = attentionFactor === 1 ? {} : { attentionFactor };
  if (type === "linear" && factor !== 0) return { type, factor, ...amplitude };
  if (type !== "yarn" || factor === 0) return { type: "none", ...amplitude };
  return {
    type,
    factor,
    originalContext: readOriginalContext(get, architecture),
    attentionFactor,
    extFactor: f32("yarn_ext_factor", 1e3, 1),
    betaFast: f32("yarn_beta_fast", 1e6, 32),
    betaSlow: f32("yarn_beta_slow", 1e6, 1),
  };
}
