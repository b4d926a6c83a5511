/** Random numbers that can be had again. @module */

/**
 * Uniform in (0, 1), the same for the same seed. The bits of a counter are mixed (Steele, Lea, Flood 2014),
 * so that small seeds begin as any others do.
 */
export function randomFrom(seed: number): () => number {
  let counter = seed | 0;
  return () => {
    counter = counter + 0x9e3779b9 | 0;
    let bits = Math.imul(counter ^ counter >>> 16, 0x85ebca6b);
    bits = Math.imul(bits ^ bits >>> 13, 0xc2b2ae35);
    return (((bits ^ bits >>> 16) >>> 0) + 0.5) / 2 ** 32;
  };
}

/** Ms between two arrivals of a Poisson process. */
export function exponentialMs(random: () => number, perSecond: number): number {
  return -Math.log(random()) / perSecond * 1000;
}
