/** Data for benchmarks: the same at every run. @module */

/** `count` values, evenly spread in [-1, 1). */
export function randomFloats(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
