/** Models that are made of random numbers: their sizes, their metadata, and what each tensor is filled with. @module */

import { arrayEntry, scalarEntry, withEntries } from "../gguf/entries.ts";
import { MetadataReader } from "../gguf/metadata.ts";
import { fileTypeOf, storageTypeId, type WeightFormatName } from "../gguf/storage_format.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import type { TensorSpec as FileTensor } from "../gguf/writer.ts";
import type { TensorSpec } from "../layers/tensors.ts";
import { composeModel } from "./compose.ts";
import type { ModelFamily } from "./family.ts";
import { TOKEN_TABLE } from "./hyperparameters.ts";
import { predictorTensor } from "./predictors.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";
import type { ModelShape } from "./shapes.ts";

/** A tensor to fill with random numbers. */
export interface RandomTensor extends FileTensor {
  readonly sigma: number;
  readonly mean: number;
  /** Values instead of random numbers. */
  readonly values?: Float32Array;
}

/**
 * All tensors that the shape's family declares, matrices in `format`, with spreads that keep activations near 1. Those that a
 * file may leave out are there where the shape asks for them. `other`: a family in place of the shape's.
 */
export function shapeTensors(
  shape: ModelShape,
  format: WeightFormatName,
  other?: ModelFamily,
): RandomTensor[] {
  const entries = shapeEntries("", shape, format);
  const table = { type: storageTypeId(format, [shape.hidden]), dims: [shape.hidden, shape.vocab] };
  const header = {
    get: new MetadataReader(new Map(entries.map(({ key, value }) => [key, value]))),
    // A shape whose last layer is a predictor has what makes it one.
    tensors: new Map([TOKEN_TABLE, predictorTensor(shape.layers - 1)].map((name) => [name, table])),
  };
  const family = other ?? familyOf(header);
  const { tensors, fusions } = composeModel(family, readHyperparameters(header, family));
  const fused = fusions.filter(({ isUsual }) => isUsual);
  const inFile = tensors.flatMap((spec) => {
    const fusion = fused.find(({ parts }) => parts.includes(spec));
    return fusion === undefined ? [spec] : fusion.parts[0] === spec ? [fusion.whole] : [];
  });
  const has = (name: string) => shape.optional?.some((end) => name.endsWith(end)) ?? false;
  const chosen = inFile.filter(({ name, required, role }) => {
    return required || role === "output" && !shape.tied || role === "frequencies" || has(name);
  });
  const filled = chosen.flatMap((spec) => {
    const values = spec.role === "frequencies" ? factorsOf(spec, shape) : null;
    if (spec.role === "frequencies" && values === null) return [];
    return values === null
      ? randomTensor(spec, shape, format)
      : { ...randomTensor(spec, shape, format), values };
  });
  // Given values come last: the others' random numbers depend on their places.
  return [...filled.filter(({ values }) => !values), ...filled.filter(({ values }) => values)];
}

/** 1/√k for a matrix of k columns, less for those that add to the residual stream; vectors near what changes nothing. */
function randomTensor(
  { name, kind, rows, k, experts, role }: TensorSpec,
  { layers }: ModelShape,
  format: WeightFormatName,
): RandomTensor {
  if (kind === "vector") {
    const dims = rows === 1 ? [k] : [k, rows];
    const [mean, sigma] = role === "norm"
      ? [1, 0.1]
      : role === "decay"
      ? [-1, 0.2]
      : role === "kernel"
      ? [0, 1 / Math.sqrt(k)]
      : [0, 0.1];
    return { name, dims, type: TensorTypeId.F32, sigma, mean };
  }
  const gain = role === "residual" ? 1 / Math.sqrt(2 * layers) : 1;
  const dims = experts !== undefined ? [k, rows, experts] : rows === 1 ? [k] : [k, rows];
  const type = role === "router" ? TensorTypeId.F32 : storageTypeId(format, dims);
  return { name, dims, type, sigma: gain / Math.sqrt(k), mean: 0 };
}

/** The values of a tensor of RoPE's factors; null where the shape has none. */
function factorsOf({ name, k }: TensorSpec, shape: ModelShape): Float32Array | null {
  const last = { "rope_factors_long.weight": "long", "rope_factors_short.weight": "short" } as const;
  if (!Object.hasOwn(last, name)) return ropeFactors(shape);
  const { longRope } = shape;
  if (longRope === undefined) return null;
  const end = longRope[last[name as keyof typeof last]];
  return Float32Array.from({ length: k }, (_, i) => 1 + (end - 1) * i / (k - 1));
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
export function shapeEntries(name: string, shape: ModelShape, format: WeightFormatName): MetadataEntry[] {
  const { family } = shape;
  const u32 = (key: string, value: number) => scalarEntry("u32", key, value);
  const own = [
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
    u32(`${family}.attention.value_length`, shape.valueDim ?? shape.headDim),
    u32(`${family}.rope.dimension_count`, shape.headDim),
    scalarEntry("f32", `${family}.rope.freq_base`, shape.ropeBase),
    scalarEntry("f32", `${family}.attention.layer_norm_rms_epsilon`, shape.eps),
  ];
  return withEntries(own, shape.entries ?? []);
}
