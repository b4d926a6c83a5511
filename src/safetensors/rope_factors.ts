/** What Llama 3.1's scaling of RoPE is made of. */
export interface Llama3Scaling {
  /** The base of the frequencies: 500,000 in these models. */
  readonly base: number;
  readonly headDim: number;
  /** How much longer the context became. */
  readonly factor: number;
  /** Wave lengths above `context` ÷ low are stretched, those below `context` ÷ high are not. */
  readonly low: number;
  readonly high: number;
  /** The context before, in tokens. */
  readonly context: number;
}

/**
 * What each frequency is divided by: 1 for short waves, `factor` for long ones, and a smooth way between.
 * [headDim ÷ 2]. Grattafiori et al. 2024.
 */
export function llama3Factors({ base, headDim, factor, low, high, context }: Llama3Scaling): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const waves = context / (2 * Math.PI * base ** (2 * i / headDim));
    if (waves >= high) return 1;
    if (waves <= low) return factor;
    const share = (waves - low) / (high - low);
    return 1 / (share + (1 - share) / factor);
  });
}
