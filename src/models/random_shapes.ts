/** Models that are made of random numbers: their sizes, their metadata, and what each tensor is filled with. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";
import { GgufError } from "../gguf/error.ts";
import { MetadataReader } from "../gguf/metadata.ts";
import { fileTypeOf, type FormatName, storageTypeId } from "../gguf/storage_format.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import type { TensorSpec as FileTensor } from "../gguf/writer.ts";
import type { TensorSpec } from "../layers/tensors.ts";
import { composeModel } from "./compose.ts";
import { TOKEN_TABLE } from "./hyperparameters.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

/** Sizes of a decoder; everything a random model needs to know. */
export interface ModelShape {
  /** One of the supported architectures. */
  readonly family: string;
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
export interface RandomTensor extends FileTensor {
  readonly sigma: number;
  readonly mean: number;
  /** Values instead of random numbers. */
  readonly values?: Float32Array;
}

/**
 * All tensors that the shape's family declares, matrices in `format`, with spreads that keep activations near 1. Those that a
 * file may leave out are there where the shape asks for them.
 */
export function shapeTensors(shape: ModelShape, format: FormatName): RandomTensor[] {
  const entries = shapeEntries("", shape, format);
  const table = { type: storageTypeId(format, [shape.hidden]), dims: [shape.hidden, shape.vocab] };
  const header = {
    get: new MetadataReader(new Map(entries.map(({ key, value }) => [key, value]))),
    tensors: new Map([[TOKEN_TABLE, table]]),
  };
  const family = familyOf(header);
  const { tensors } = composeModel(family, readHyperparameters(header, family));
  const factors = ropeFactors(shape);
  const chosen = tensors.filter(({ required, role }) => {
    return required || role === "output" && !shape.tied || role === "frequencies" && factors !== null;
  });
  const filled = chosen.map((spec) => {
    const values = spec.role === "frequencies" ? factors : null;
    return values === null
      ? randomTensor(spec, shape, format)
      : { ...randomTensor(spec, shape, format), values };
  });
  // Given values come last: the others' random numbers depend on their places.
  return [...filled.filter(({ values }) => !values), ...filled.filter(({ values }) => values)];
}

/** 1/√k for a matrix of k columns, less for those that add to the residual stream; vectors near what changes nothing. */
function randomTensor(
  { name, kind, rows, k, role }: TensorSpec,
  { layers }: ModelShape,
  format: FormatName,
): RandomTensor {
  if (kind === "vector") {
    return { name, dims: [k], type: TensorTypeId.F32, sigma: 0.1, mean: role === "norm" ? 1 : 0 };
  }
  const gain = role === "residual" ? 1 / Math.sqrt(2 * layers) : 1;
  const dims = [k, rows];
  return { name, dims, type: storageTypeId(format, dims), sigma: gain / Math.sqrt(k), mean: 0 };
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
