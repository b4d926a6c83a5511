import type { GgufFile } from "../gguf/reader.ts";
import { elementCount } from "../gguf/tensor_types.ts";
import type { ModelRunner } from "../model_runner.ts";
import type { ModelInfo } from "./protocol.ts";

/** What a caller may want to know about a model that has been loaded; `more` is what the runner does not know. */
export function describeModel(
  file: GgufFile,
  runner: ModelRunner,
  more: Pick<ModelInfo, "hasChatTemplate" | "notes">,
): ModelInfo {
  const h = runner.hyperparameters;
  const tensors = [...file.tensors.values()];
  const name = file.metadata.get("general.name");
  return {
    architecture: h.architecture,
    name: typeof name === "string" ? name : undefined,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor.dims), 0),
    weightBytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    layers: h.layers,
    hidden: h.hidden,
    heads: h.heads,
    kvHeads: h.kvHeads,
    headDim: h.headDim,
    vocab: h.vocab,
    contextLength: runner.contextLength,
    trainedContextLength: h.contextLength,
    kvBytesPerToken: runner.kvBytesPerToken,
    kvTokens: runner.kvTokens,
    pooling: h.pooling,
    ...more,
    isa: runner.kernels.isa,
    threads: runner.kernels.threads,
  };
}
