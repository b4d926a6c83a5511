import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";
import { u32 } from "./objects.ts";
import { Measurement } from "./symbols.ts";

/** What one pass of a measurement says. */
export interface Measured {
  /** GB/s, or 10⁹ multiply-adds per second; of all threads together. */
  readonly value: number;
  /** How many ways there are to do it on this level. */
  readonly variants: number;
}

/**
 * One pass of a measurement on a context's team, some milliseconds: "readBandwidth" reads `matrices`, ids of
 * packed ones in this process, whole and in this order; "floatPeak", "int8Peak" and "bf16Peak" multiply in
 * registers, with the instructions that the level's matmuls use. Which `variant` is fastest depends on the
 * machine. Throws a KernelError for one that does not exist.
 */
export function measure(
  native: KernelSymbols,
  context: number,
  what: keyof typeof Measurement,
  variant = 0,
  matrices: readonly number[] = [],
): Measured {
  const ids = Uint32Array.from(matrices);
  const out = new Float64Array(1);
  const status = native.kumi_measure(
    context,
    Measurement[what],
    u32(variant, "variant"),
    asBuffer(ids),
    ids.byteLength,
    asBuffer(out),
    out.byteLength,
  );
  return { value: out[0], variants: check(status, "measure", { what, variant, matrices: matrices.length }) };
}
