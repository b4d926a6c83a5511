import { Kernels } from "../ffi/context.ts";
import { limits } from "../ffi/symbols.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";

/** More than most processors' caches hold. */
const MATRIX_BYTES = 256 << 20;
const COLUMNS = 1024;
const ROUNDS = 3;

/**
 * What all threads together read of this machine's memory, in GB/s: the best of some passes over 256 MiB, half a second in all.
 * Throws LibraryError, and KernelError for an `isa` that there is not.
 */
export function readBandwidth(isa?: string): number {
  using kernels = Kernels.open({ isa, workspaceBytes: limits.unitBytes });
  const rows = MATRIX_BYTES / COLUMNS / Float32Array.BYTES_PER_ELEMENT;
  const matrix = kernels.createWeights(TensorTypeId.F32, rows, COLUMNS);
  const part = new Uint8Array(256 * COLUMNS * Float32Array.BYTES_PER_ELEMENT);
  // Memory that was never written is one page of zeros.
  for (let row = 0; row < rows; row += 256) matrix.load(row, 256, part);
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let variant = 0, variants = 1; variant < variants; variant++) {
      const pass = kernels.measure("readBandwidth", variant, [matrix.id]);
      variants = pass.variants;
      best = Math.max(best, pass.value);
    }
  }
  return best;
}
