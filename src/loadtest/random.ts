/** Random numbers that can be had again. @module */

/** Uniform in (0, 1), the same for the same seed (xorshift32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
}

/** Ms between two arrivals of a Poisson process. */
export function exponentialMs(random: () => number, perSecond: number): number {
  return -Math.log(random()) / perSecond * 1000;
}
