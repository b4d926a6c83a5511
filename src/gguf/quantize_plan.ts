import { scalarEntry, withEntries } from "./entries.ts";
import { encodeHeader, type TensorSpec } from "./encode.ts";
import { GgufError, quote } from "./error.ts";
import { importanceEntries, type ImportanceMatrix } from "./importance.ts";
import { mixFormats, mixModelOf, parseTarget, type Target } from "./mixes.ts";
import type { GgufFile, TensorInfo } from "./reader.ts";
import { formatTypeId, storageTypeId } from "./storage_format.ts";
import { tensorBytes, tensorType, TensorTypeId } from "./tensor_types.ts";
import type { MetadataEntry } from "./value_types.ts";

/** What a quantised file is to be. */
export interface QuantizeTarget {
  /** A mix or a format: one of `targetNames`. */
  readonly format: string;
  /** A mix's own format for all matrices. */
  readonly isPure?: boolean;
  /** How much each column of a matrix matters. */
  readonly importance?: ImportanceMatrix;
}

/** What is to become of one tensor. */
export interface PlannedTensor {
  readonly source: TensorInfo;
  readonly typeId: number;
  /** In the new file. */
  readonly bytes: number;
}

/** What is to become of a file. */
export interface QuantizePlan {
  readonly target: Target;
  readonly entries: readonly MetadataEntry[];
  readonly tensors: readonly PlannedTensor[];
  /** Size of the new file. */
  readonly bytesOut: number;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

const SOURCE_TYPES: readonly number[] = [
  TensorTypeId.F32,
  TensorTypeId.F16,
  TensorTypeId.BF16,
  TensorTypeId.Q8_0,
];

/**
 * Chooses a type for each tensor of a file. Vectors become F32. Throws {@linkcode GgufError} for a name that is none, for a source
 * that is itself quantised (Q8_0 is allowed, with a warning), and for importances of another model.
 */
export function planQuantization(file: GgufFile, wanted: QuantizeTarget): QuantizePlan {
  const target = parseTarget(wanted.format, wanted.isPure);
  const { importance } = wanted;
  const sources = [...file.tensors.values()];
  importance?.check(sources, file.path);
  const warnings: string[] = [];
  const typeOf = typeChooser(file, target, importance !== undefined);
  const tensors = sources.map((source): PlannedTensor => {
    const typeId = convertible(source, typeOf(source), warnings);
    return { source, typeId, bytes: tensorBytes(tensorType(typeId), source.dims) };
  });
  warnTwice(tensors, warnings);
  warnFallbacks(tensors, target, warnings);
  if (importance !== undefined) warnUnknown(tensors, importance, warnings);
  if (target.name === "q2_k_s" && importance === undefined) {
    warnings.push(
      "q2_k_s is meant for importances, and llama.cpp refuses to write it without: give --imatrix",
    );
  }
  const entries = withEntries(file.entries, [
    scalarEntry("u32", "general.file_type", target.fileType),
    scalarEntry("u32", "general.quantization_version", 2),
    ...(importance === undefined ? [] : importanceEntries(importance)),
  ]);
  return { target, entries, tensors, bytesOut: encodeHeader(entries, specsOf(tensors)).fileBytes, warnings };
}

/** The tensors of the new file, in the order of the old one. */
export function specsOf(tensors: readonly PlannedTensor[]): TensorSpec[] {
  return tensors.map(({ source: { name, dims }, typeId }) => ({ name, dims, type: typeId }));
}

function typeChooser(
  file: GgufFile,
  { format, mix }: Target,
  hasImportance: boolean,
): (tensor: TensorInfo) => number {
  if (mix === undefined) return ({ dims }) => storageTypeId(format, dims);
  const names = file.tensors.keys();
  const formats = mixFormats(mix, mixModelOf(file.get, names, hasImportance), [...file.tensors.values()]);
  return ({ name, dims, type }) => {
    const chosen = formats.get(name);
    if (chosen !== undefined) return formatTypeId(chosen);
    return dims.length < 2 ? TensorTypeId.F32 : type;
  };
}

function convertible(source: TensorInfo, wanted: number, warnings: string[]): number {
  if (source.type === wanted) return wanted;
  const from = tensorType(source.type).name;
  if (from.startsWith("I") && !from.startsWith("IQ")) {
    warnings.push(`${source.name} holds integers (${from}) and is copied`);
    return source.type;
  }
  if (!SOURCE_TYPES.includes(source.type)) {
    throw new GgufError(
      `tensor ${quote(source.name)} is ${from}, and quantize reads F32, F16, BF16 and Q8_0: ` +
        "start from the model's original weights",
    );
  }
  return wanted;
}

function warnTwice(tensors: readonly PlannedTensor[], warnings: string[]): void {
  const again = tensors.filter(({ source, typeId }) =>
    source.dims.length > 1 && source.type === TensorTypeId.Q8_0 && typeId !== source.type
  );
  if (again.length === 0) return;
  warnings.push(
    `${again.length} tensors come from Q8_0 and lose precision twice: better start from F16 or F32`,
  );
}

/** Embeddings and the output matrix are not counted: importance files leave them out. */
function warnUnknown(
  tensors: readonly PlannedTensor[],
  importance: ImportanceMatrix,
  warnings: string[],
): void {
  const unknown = tensors.filter(({ source, typeId }) =>
    source.dims.length > 1 && source.name.startsWith("blk.") && tensorType(typeId).blockLength > 1 &&
    importance.at(source, 0) === undefined
  );
  if (unknown.length === 0) return;
  warnings.push(
    `${importance.name} has no importances for ${unknown.length} tensors, such as ${unknown[0].source.name}`,
  );
}

/** Of a mix one sentence says it for all: it chose the substitutes, and in a small model they are most of the tensors. */
function warnFallbacks(
  tensors: readonly PlannedTensor[],
  { format, mix }: Target,
  warnings: string[],
): void {
  const { id, name, blockLength } = tensorType(formatTypeId(format));
  const unfit = tensors.filter(({ source: { dims, type }, typeId }) =>
    dims.length > 1 && typeId !== id && typeId !== type && dims[0] % blockLength !== 0
  );
  if (mix !== undefined && unfit.length > 0) {
    const types = [...new Set(unfit.map(({ typeId }) => tensorType(typeId).name))].sort().join(", ");
    warnings.push(
      `${unfit.length} tensors take ${types}, whose blocks are shorter: their rows are not a multiple of ${name}'s ` +
        `block of ${blockLength}`,
    );
    return;
  }
  for (const { source, typeId } of unfit) {
    warnings.push(
      `${source.name} becomes ${tensorType(typeId).name}: its rows of ${
        source.dims[0]
      } are not a multiple of ` +
        `${name}'s block of ${blockLength}`,
    );
  }
}
