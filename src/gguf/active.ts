/** What of a file's weights works for one token: all but the experts that it does not take, the rows of other tokens, and layers that guess. @module */

import { elementCount } from "./tensor_types.ts";
import type { MetadataValue } from "./value_types.ts";

interface Tensor {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** A file as far as this goes. */
interface Weights {
  readonly metadata?: ReadonlyMap<string, MetadataValue>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Parameters and bytes that a token is computed with. */
export interface ActiveWeights {
  readonly parameters: number;
  readonly bytes: number;
}

/** The share of its experts that a model's token takes; 1 where it has none, or the file says nothing of them. */
export function expertShare({ metadata }: Pick<Weights, "metadata">): number {
  const architecture = metadata?.get("general.architecture");
  const count = metadata?.get(`${architecture}.expert_count`);
  const used = metadata?.get(`${architecture}.expert_used_count`);
  return typeof count === "number" && typeof used === "number" && used > 0 && used < count ? used / count : 1;
}

/** Whether a tensor holds one matrix for each expert. */
export function isOfExperts({ name }: { readonly name: string }): boolean {
  return /_exps\./.test(name);
}

/** Whether a tensor is of a layer that predicts further tokens, and works for none that is said. */
function predictorsOf({ metadata }: Pick<Weights, "metadata">): (name: string) => boolean {
  const architecture = metadata?.get("general.architecture");
  const layers = metadata?.get(`${architecture}.block_count`);
  const predictors = metadata?.get(`${architecture}.nextn_predict_layers`);
  if (typeof layers !== "number" || typeof predictors !== "number") return () => false;
  return (name) => Number(name.match(/^blk\.(\d+)\./)?.[1] ?? -1) >= layers - predictors;
}

/**
 * Adds up what a token needs. A table of tokens that is not the output matrix too is only looked up. `bytesOf`: what a tensor
 * takes, in the file unless said otherwise.
 */
export function activeWeights(
  file: Weights,
  bytesOf: (tensor: Tensor) => number = ({ bytes }) => bytes,
): ActiveWeights {
  const share = expertShare(file);
  const isTied = !file.tensors.has("output.weight"), predicts = predictorsOf(file);
  let parameters = 0, bytes = 0;
  for (const tensor of file.tensors.values()) {
    if (predicts(tensor.name)) continue;
    if (tensor.name === "token_embd.weight" && !isTied) continue;
    const part = isOfExperts(tensor) ? share : 1;
    parameters += part * elementCount(tensor.dims);
    bytes += part * bytesOf(tensor);
  }
  return { parameters: Math.round(parameters), bytes: Math.round(bytes) };
}
