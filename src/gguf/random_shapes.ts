import type { TensorSpec } from "./encode.ts";
import { arrayEntry, scalarEntry } from "./entries.ts";
import { GgufError } from "./error.ts";
import { fileTypeOf, type FormatName, storageTypeId } from "./storage_format.ts";
import { TensorTypeId } from "./tensor_types.ts";
import type { MetadataEntry } from "./value_types.ts";

/** Families that random models are made of. */
export type Family = "llama" | "qwen2" | "qwen3";

/** Sizes of a decoder; everything a random model needs to know. */
export interface ModelShape {
  readonly family: Family;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly ropeBase: number;
  /** Longest context in tokens. */
  readonly context: number;
  readonly eps: number;
  /** Frequency scaling as Llama 3.x, written as one factor for each pair of dimensions. */
  readonly ropeScaling?: { factor: number; lowFactor: number; highFactor: number; originalContext: number };
}

const TINY = { hidden: 256, feedForward: 512, layers: 2, heads: 4, kvHeads: 2, vocab: 512, context: 512 };

const SHAPES = {
  "llama-tiny": { ...TINY, family: "llama", headDim: 64, tied: false, ropeBase: 10000, eps: 1e-5 },
  "qwen2-tiny": { ...TINY, family: "qwen2", headDim: 64, tied: true, ropeBase: 1e6, eps: 1e-6 },
  // The heads' dimensions add up to twice the hidden size: nothing may assume that they are equal.
  "qwen3-tiny": { ...TINY, family: "qwen3", headDim: 128, tied: true, ropeBase: 1e6, eps: 1e-6 },
  "smollm-135m": {
    family: "llama",
    hidden: 576,
    feedForward: 1536,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    vocab: 49152,
    tied: true,
    ropeBase: 100000,
    context: 8192,
    eps: 1e-5,
  },
  "qwen3-0.6b": {
    family: "qwen3",
    hidden: 1024,
    feedForward: 3072,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    vocab: 151936,
    tied: true,
    ropeBase: 1e6,
    context: 40960,
    eps: 1e-6,
  },
  "llama-1b": {
    family: "llama",
    hidden: 2048,
    feedForward: 8192,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    vocab: 128256,
    tied: true,
    ropeBase: 500000,
    context: 131072,
    eps: 1e-5,
    ropeScaling: { factor: 32, lowFactor: 1, highFactor: 4, originalContext: 8192 },
  },
} as const satisfies Record<string, ModelShape>;

/** Names of the shapes that {@linkcode modelShape} knows. */
export type ShapeName = keyof typeof SHAPES;

export const shapeNames: readonly ShapeName[] = Object.keys(SHAPES) as ShapeName[];

/** The shape of this name. Throws {@linkcode GgufError} that lists the names. */
export function modelShape(name: string): ModelShape {
  if (!Object.hasOwn(SHAPES, name)) {
    throw new GgufError(`expected one of the shapes ${shapeNames.join(", ")}, current value is ${name}`);
  }
  return SHAPES[name as ShapeName];
}

/** A tensor to fill with random numbers. */
export interface RandomTensor extends TensorSpec {
  readonly sigma: number;
  readonly mean: number;
  /** Values instead of random numbers. */
  readonly values?: Float32Array;
}

/**
 * All tensors of a shape, with spreads that keep activations near 1: 1/√k for a matrix of k columns, less for the two
 * that add to the residual stream, and norms near 1.
 */
export function shapeTensors(shape: ModelShape, format: FormatName): RandomTensor[] {
  const { hidden, feedForward, layers, heads, kvHeads, headDim, vocab, family } = shape;
  const matrix = (name: string, k: number, rows: number, gain = 1): RandomTensor => ({
    name: `${name}.weight`,
    dims: [k, rows],
    type: storageTypeId(format, [k, rows]),
    sigma: gain / Math.sqrt(k),
    mean: 0,
  });
  const vector = (name: string, length: number, mean: number): RandomTensor => {
    return { name, dims: [length], type: TensorTypeId.F32, sigma: 0.1, mean };
  };
  const residualGain = 1 / Math.sqrt(2 * layers);
  const tensors = [matrix("token_embd", hidden, vocab)];
  for (let layer = 0; layer < layers; layer++) {
    const blk = `blk.${layer}`;
    tensors.push(
      vector(`${blk}.attn_norm.weight`, hidden, 1),
      matrix(`${blk}.attn_q`, hidden, heads * headDim),
      matrix(`${blk}.attn_k`, hidden, kvHeads * headDim),
      matrix(`${blk}.attn_v`, hidden, kvHeads * headDim),
      matrix(`${blk}.attn_output`, heads * headDim, hidden, residualGain),
      vector(`${blk}.ffn_norm.weight`, hidden, 1),
      matrix(`${blk}.ffn_gate`, hidden, feedForward),
      matrix(`${blk}.ffn_up`, hidden, feedForward),
      matrix(`${blk}.ffn_down`, feedForward, hidden, residualGain),
    );
    if (family === "qwen2") {
      tensors.push(
        vector(`${blk}.attn_q.bias`, heads * headDim, 0),
        vector(`${blk}.attn_k.bias`, kvHeads * headDim, 0),
        vector(`${blk}.attn_v.bias`, kvHeads * headDim, 0),
      );
    }
    if (family === "qwen3") {
      tensors.push(
        vector(`${blk}.attn_q_norm.weight`, headDim, 1),
        vector(`${blk}.attn_k_norm.weight`, headDim, 1),
      );
    }
  }
  tensors.push(vector("output_norm.weight", hidden, 1));
  if (!shape.tied) tensors.push(matrix("output", hidden, vocab));
  const values = ropeFactors(shape);
  if (values !== null) tensors.push({ ...vector("rope_freqs.weight", headDim / 2, 0), values });
  return tensors;
}

/**
 * Divisors of the rotary frequencies: 1 for wavelengths well inside the original context, `factor` for those far
 * outside, and in between a blend. Source: Llama 3.1's rotary scaling.
 */
function ropeFactors({ ropeScaling, ropeBase, headDim }: ModelShape): Float32Array | null {
  if (ropeScaling === undefined) return null;
  const { factor, lowFactor, highFactor, originalContext } = ropeScaling;
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * ropeBase ** ((2 * i) / headDim);
    const turns = originalContext / wavelength;
    const smooth = Math.min(1, Math.max(0, (turns - lowFactor) / (highFactor - lowFactor)));
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/** The hyperparameters' metadata, and general.* keys. */
export function shapeEntries(name: string, shape: ModelShape, format: FormatName): MetadataEntry[] {
  const { family } = shape;
  const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
  return [
    scalarEntry("string", "general.architecture", family),
    scalarEntry("string", "general.name", `random ${name}`),
    arrayEntry("string", "general.tags", ["random-weights"]),
    u32("general.file_type", fileTypeOf(format)),
    u32("general.quantization_version", 2),
    u32(`${family}.vocab_size`, shape.vocab),
    u32(`${family}.context_length`, shape.context),
    u32(`${family}.embedding_length`, shape.hidden),
    u32(`${family}.block_count`, shape.layers),
    u32(`${family}.feed_forward_length`, shape.feedForward),
    u32(`${family}.attention.head_count`, shape.heads),
    u32(`${family}.attention.head_count_kv`, shape.kvHeads),
    u32(`${family}.attention.key_length`, shape.headDim),
    u32(`${family}.attention.value_length`, shape.headDim),
    u32(`${family}.rope.dimension_count`, shape.headDim),
    scalarEntry("f32", `${family}.rope.freq_base`, shape.ropeBase),
    scalarEntry("f32", `${family}.attention.layer_norm_rms_epsilon`, shape.eps),
  ];
}
