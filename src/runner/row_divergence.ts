/** Two distributions over the same tokens, given as logits. */
export interface RowDivergence {
  /** Σ p_a · ln(p_a / p_b), in nats; at least 0. */
  readonly divergence: number;
  readonly logprobA: number;
  readonly logprobB: number;
  /** Whether the same token is likeliest; of equal ones the first counts. */
  readonly isSameBest: boolean;
}

/** Compares two rows of logits, and what they give the token `target`. Throws a RangeError for logits that are not finite. */
export function compareRow(a: Float32Array, b: Float32Array, target: number): RowDivergence {
  let bestA = 0, bestB = 0;
  for (let i = 1; i < a.length; i++) {
    if (a[i] > a[bestA]) bestA = i;
    if (b[i] > b[bestB]) bestB = i;
  }
  const maxA = a[bestA], maxB = b[bestB];
  let sumA = 0, sumB = 0, cross = 0;
  for (let i = 0; i < a.length; i++) {
    const fromA = a[i] - maxA, fromB = b[i] - maxB;
    const weight = Math.exp(fromA);
    sumA += weight;
    sumB += Math.exp(fromB);
    // Of a token that a rules out, ln p_a is −∞ and weighs nothing.
    if (weight > 0) cross += weight * (fromA - fromB);
  }
  const logSumA = Math.log(sumA), logSumB = Math.log(sumB);
  const divergence = cross / sumA - logSumA + logSumB;
  if (!Number.isFinite(divergence)) throw new RangeError("A model's logits are not finite");
  return {
    // Rounding may leave a little less than nothing.
    divergence: Math.max(0, divergence),
    logprobA: a[target] - maxA - logSumA,
    logprobB: b[target] - maxB - logSumB,
    isSameBest: bestA === bestB,
  };
}
