/** Matrices of experts, each a tensor of its own in a checkpoint, as the one tensor that GGUF has. @module */

import { quote } from "../gguf/error.ts";
import type { VirtualTensor } from "../gguf/virtual_file.ts";
import { CheckpointError } from "./error.ts";

/** The matrix of one expert. */
export interface ExpertTensor {
  readonly expert: number;
  /** Its name in the checkpoint. */
  readonly stored: string;
  readonly bytes: number;
  readonly tensor: VirtualTensor;
}

/**
 * The matrices of all experts, one after another. Throws CheckpointError where one is missing or is not as the first.
 */
export function stackExperts(name: string, parts: readonly ExpertTensor[]): VirtualTensor {
  const sorted = parts.toSorted((a, b) => a.expert - b.expert);
  const [{ tensor: { type, dims }, bytes, stored: first }] = sorted;
  for (const [i, { expert, stored, tensor }] of sorted.entries()) {
    if (expert !== i) throw new CheckpointError(`tensor ${quote(name)} has no matrix of expert ${i}`);
    if (tensor.type === type && dims.length === 2 && tensor.dims.every((n, j) => n === dims[j])) continue;
    throw new CheckpointError(
      `tensor ${quote(stored)} is [${tensor.dims.toReversed().join(", ")}] and ${quote(first)} ` +
        `[${dims.toReversed().join(", ")}]: matrices of experts are alike`,
    );
  }
  return {
    name,
    type,
    dims: [...dims, sorted.length],
    read(offset, target) {
      for (let done = 0; done < target.length;) {
        const at = offset + done, within = at % bytes;
        const count = Math.min(target.length - done, bytes - within);
        sorted[Math.floor(at / bytes)].tensor.read(within, target.subarray(done, done + count));
        done += count;
      }
    },
  };
}
