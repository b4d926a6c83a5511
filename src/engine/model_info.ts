import { bf16Instructions } from "../ffi/isa.ts";
import type { GgufFile } from "../gguf/reader.ts";
import { elementCount, tensorType } from "../gguf/tensor_types.ts";
import { kvLayersOf } from "../layers/state_shape.ts";
import type { ModelRunner } from "../runner/model_runner.ts";
import { NUMERICS_VERSION } from "../protocol/numerics.ts";
import { VERSION } from "../protocol/version.ts";
import { readFileSampling } from "../protocol/file_sampling.ts";
import { signsIn } from "../grammar/signs.ts";
import type { Thoughts } from "../grammar/thoughts/with_thoughts.ts";
import { thoughtFormatOf } from "../grammar/thoughts/format.ts";
import { formatOf, HERMES, signsOf } from "../grammar/tools/format.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ModelInfo, ToolCalls } from "../protocol/model_info.ts";

const FINGERPRINT_CHARACTERS = 12;

/**
 * What a caller may want to know about a model that has been loaded; `more` is what the runner does not know.
 */
export async function describeModel(
  file: GgufFile,
  runner: ModelRunner,
  more: Pick<
    ModelInfo,
    | "defaultClass"
    | "hasChatTemplate"
    | "toolCalls"
    | "thoughts"
    | "bosToken"
    | "eosToken"
    | "gap"
    | "rerankPrompt"
    | "notes"
    | "kvFormat"
  >,
): Promise<ModelInfo> {
  const h = runner.hyperparameters;
  const [first] = kvLayersOf(h.layers);
  const tensors = [...file.tensors.values()];
  const name = file.metadata.get("general.name");
  const { isa } = runner.kernels;
  const instructions = instructionsOf(file, isa);
  return {
    architecture: h.architecture,
    name: typeof name === "string" ? name : undefined,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor.dims), 0),
    weightBytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    layers: h.layers.length,
    hidden: h.hidden,
    heads: first.heads,
    kvHeads: first.kvHeads,
    headDim: first.keyDim,
    vocab: h.vocab,
    contextLength: runner.contextLength,
    trainedContextLength: h.contextLength,
    kvBytesPerToken: runner.kvBytesPerToken,
    kvTokens: runner.kvTokens,
    pooling: h.pooling,
    sampling: readFileSampling(file.metadata).sampling,
    ...more,
    isa,
    ...instructions === undefined ? {} : { instructions },
    fingerprint: await fingerprintOf(file, more.kvFormat, isa),
    threads: runner.kernels.threads,
  };
}

/** How a model with a chat template calls tools; in the usual way where the template knows none. */
export function toolCallsOf(template: string, tokenizer: Tokenizer): ToolCalls {
  const known = formatOf(template);
  const format = known ?? HERMES;
  const control = signsOf(format).filter((sign) => tokenizer.controlId(sign) !== undefined);
  return { format: format.name, isNative: known !== undefined, control };
}

/** How a model with a chat template marks its thoughts; undefined where it does not. */
export function thoughtsOf(template: string, tokenizer: Tokenizer): Thoughts | undefined {
  const format = thoughtFormatOf(template);
  if (format === undefined) return undefined;
  const signs = signsIn([
    format.open,
    format.close,
    ...format.endings,
    ...format.around ?? [],
    ...format.signs ?? [],
  ]);
  return {
    format: format.name,
    control: signs.filter((sign) => tokenizer.controlId(sign) !== undefined),
  };
}

/** The instructions on which the bits of what a file's model computes depend; undefined where they depend on none. */
export function instructionsOf({ tensors }: Pick<GgufFile, "tensors">, isa: string): string | undefined {
  const hasBf16 = tensors.values().some(({ type }) => tensorType(type)?.name === "BF16");
  return hasBf16 ? bf16Instructions(isa) : undefined;
}

/** Equal where the same request with the same seed has the same answer. */
export async function fingerprintOf(file: GgufFile, kvFormat: string, isa: string): Promise<string> {
  const parts = [VERSION, NUMERICS_VERSION, await file.digest(), kvFormat, instructionsOf(file, isa) ?? ""];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\n")));
  return `fp_${new Uint8Array(hash).toHex().slice(0, FINGERPRINT_CHARACTERS)}`;
}
