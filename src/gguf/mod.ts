/**
 * GGUF files: read, check, describe, write and quantise.
 * @module
 */

export {
  describe,
  type KvShape,
  type ModelDescription,
  type TensorDescription,
  type TypeTotals,
} from "./describe.ts";
export { arrayEntry, scalarEntry, withEntries } from "./entries.ts";
export { GgufError, quote } from "./error.ts";
export { checkKvFormat, isKvFormat, kvBytesPerToken, type KvFormat, kvFormatNames } from "./kv_format.ts";
export { MetadataReader, showValue } from "./metadata.ts";
export {
  type ImportanceContents,
  ImportanceMatrix,
  type ImportanceSums,
  readImportance,
  writeImportance,
} from "./importance.ts";
export { mixNames, parseTarget, targetNames } from "./mixes.ts";
export { planQuantization, type QuantizePlan, type QuantizeTarget } from "./quantize_plan.ts";
export {
  quantizeFile,
  type QuantizeKernels,
  type QuantizeOptions,
  type QuantizeReport,
} from "./quantize_file.ts";
export { quantizedView } from "./quantized_view.ts";
export { GgufFile, openGguf, type OpenGgufOptions, type TensorInfo } from "./reader.ts";
export {
  type FormatName,
  formatNames,
  formatTypeId,
  parseFormat,
  type WeightFormatName,
  weightFormatNames,
} from "./storage_format.ts";
export { compareTensors, type TensorErrors } from "./tensor_errors.ts";
export { elementCount, type TensorType, tensorType, TensorTypeId, tensorTypes } from "./tensor_types.ts";
export type { MetadataArray, MetadataEntry, MetadataValue } from "./value_types.ts";
export { type GgufContents, GgufWriter, type TensorSpec } from "./writer.ts";
