import { NONE, type Region } from "../ffi/context.ts";
import { limits } from "../ffi/symbols.ts";

/**
 * Lays regions out one after the other in the kernels' workspace. The plan is made once per model, for the
 * largest batch; no step allocates.
 */
export class WorkspacePlan {
  #units = 0;

  /** Reserves `bytes`, rounded up to whole cache lines. */
  take(bytes: number): Region {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) {
      throw new RangeError(
        `Cannot reserve workspace: bytes must be a positive integer, current value is ${bytes}`,
      );
    }
    const region = this.#units;
    this.#units += Math.ceil(bytes / limits.unitBytes);
    if (this.#units >= NONE) {
      throw new RangeError(
        `Cannot reserve workspace: the plan needs ${this.bytes} bytes, more than can be addressed`,
      );
    }
    return region;
  }

  /** Reserves a row-major f32 matrix [rows, columns]. */
  takeF32(rows: number, columns: number): Region {
    return this.take(rows * columns * Float32Array.BYTES_PER_ELEMENT);
  }

  /** What the workspace must hold for everything reserved so far. */
  get bytes(): number {
    return this.#units * limits.unitBytes;
  }
}
