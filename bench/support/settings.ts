/** What the environment says about a benchmark run. @module */

/**
 * `KUMI_BENCH_TINY=1`: every benchmark once, on the smallest shapes. So the tests see that they all still
 * work.
 */
export const TINY = Deno.env.get("KUMI_BENCH_TINY") === "1";

/** Threads of the kernels, from `KUMI_BENCH_THREADS`; 1 like the references, unless told otherwise. */
export const THREADS = Number(Deno.env.get("KUMI_BENCH_THREADS") ?? 1);

/** The first value, or the second in a tiny run. */
export function sized<T>(full: T, tiny: T): T {
  return TINY ? tiny : full;
}
