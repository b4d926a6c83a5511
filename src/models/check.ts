import { limits } from "../ffi/symbols.ts";
import { isWeightFormat, WEIGHT_FORMAT_NAMES } from "../layers/formats.ts";
import { quote } from "../gguf/error.ts";
import { tensorType, TensorTypeId } from "../gguf/tensor_types.ts";
import type { KvLayerShape } from "../layers/shape.ts";
import { cacheLayersOf } from "../layers/state_shape.ts";
import type { TensorSpec } from "../layers/tensors.ts";
import { type ComposedModel, composeModel, withoutIgnored } from "./compose.ts";
import type { ModelFamily } from "./family.ts";
import { isFused, separateTensors } from "./fused.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { ModelError } from "./error.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

const VECTOR_FORMATS: readonly number[] = [TensorTypeId.F32, TensorTypeId.F16, TensorTypeId.BF16];
/** The kernels take keys and values in vectors of this many elements. */
const KV_DIM_STEP = 8;

/** What {@linkcode checkModel} has found. */
export interface CheckedModel extends ComposedModel {
  readonly family: ModelFamily;
  readonly hyperparameters: Hyperparameters;
}

/**
 * All that can be wrong with a model beside its tokenizer, before anything is allocated. `family`: what the file says, unless
 * another one is to be tried; `predicts`: whether a predictor is wanted that the file has. One that cannot be computed is left out,
 * and `predictorFault` says why: answers do not need it. Throws ModelError or GgufError.
 */
export function checkModel(
  file: ModelHeader,
  family: ModelFamily = familyOf(file),
  predicts = false,
): CheckedModel {
  const { predictor, ...h } = readHyperparameters(file, family);
  if (predictor === undefined || !predicts) return checkHyperparameters(file, family, h);
  try {
    return checkHyperparameters(file, family, { ...h, predictor });
  } catch (error) {
    // What is wrong with the rest is thrown here.
    const rest = checkHyperparameters(file, family, h);
    if (!(error instanceof ModelError)) throw error;
    return { ...rest, hyperparameters: { ...rest.hyperparameters, predictorFault: error.message } };
  }
}

function checkHyperparameters(
  file: ModelHeader,
  family: ModelFamily,
  hyperparameters: Hyperparameters,
): CheckedModel {
  const composed = composeModel(family, hyperparameters);
  const kvLayers = cacheLayersOf(hyperparameters);
  if (kvLayers.length === 0) throw new ModelError("the model has no layer with attention: not supported");
  checkKvShapes(kvLayers);
  checkTensors(file, composed);
  return { family, hyperparameters, ...composed };
}

/** Throws a ModelError for the first layer whose keys or values the KV cache has no place for. */
export function checkKvShapes(layers: readonly KvLayerShape[]): void {
  for (const [i, layer] of layers.entries()) {
    for (const [what, length] of [["keys", layer.keyDim], ["values", layer.valueDim]] as const) {
      if (length % KV_DIM_STEP === 0 && length >= KV_DIM_STEP && length <= limits.headDimMax) continue;
      throw new ModelError(
        `layer ${i} has ${what} of ${length} elements a head; the KV cache takes multiples of ${KV_DIM_STEP} up to ` +
          `${limits.headDimMax}`,
      );
    }
  }
}

/**
 * Compares a file's tensors with what the family has declared, before anything is allocated. Throws ModelError naming
 * the first tensor that is missing, has another shape, a format without kernels, or that nobody would read:
 * leaving a tensor out would compute something else than the model's authors meant.
 */
export function checkTensors(
  file: ModelHeader,
  { tensors: specs, fusions, ignored }: Pick<ComposedModel, "tensors" | "fusions" | "ignored">,
): void {
  for (const fusion of fusions) {
    if (isFused(file.tensors, fusion)) checkShape(fusion.whole, file.tensors.get(fusion.whole.name)!.dims);
  }
  const tensors = separateTensors(file.tensors, fusions);
  for (const spec of specs) {
    const tensor = tensors.get(spec.name);
    if (tensor === undefined) {
      if (spec.required) throw new ModelError(`tensor "${spec.name}" is missing`);
      continue;
    }
    checkShape(spec, tensor.dims);
    checkFormat(spec, tensor.type);
  }
  const known = new Set(specs.map((spec) => spec.name));
  for (const name of withoutIgnored(tensors, { ignored }).keys()) {
    if (!known.has(name)) {
      throw new ModelError(`tensor ${quote(name)} has no place in this architecture`);
    }
  }
}

function checkShape(spec: TensorSpec, dims: readonly number[]): void {
  const shape = [...dims].reverse();
  // Trailing dimensions of 1 carry no information: GGUF writers may leave them or not.
  while (shape.length > 1 && shape[0] === 1) shape.shift();
  const { experts, rows, k } = spec;
  const expected = experts !== undefined ? [experts, rows, k] : rows === 1 ? [k] : [rows, k];
  // So may those of matrices of which there is one.
  while (expected.length > 1 && expected[0] === 1) expected.shift();
  if (shape.length === expected.length && shape.every((n, i) => n === expected[i])) return;
  throw new ModelError(
    `tensor "${spec.name}" must be [${expected.join(", ")}], it is [${shape.join(", ")}]`,
  );
}

function checkFormat(spec: TensorSpec, type: number): void {
  const supported = spec.kind === "matrix" ? isWeightFormat(type) : VECTOR_FORMATS.includes(type);
  if (supported) return;
  const names = spec.kind === "matrix"
    ? WEIGHT_FORMAT_NAMES
    : VECTOR_FORMATS.map((id) => tensorType(id).name);
  throw new ModelError(
    `tensor "${spec.name}" has format ${tensorType(type).name}; supported are ${names.join(", ")}`,
  );
}
