/** Refusals and acceptances that were judged, and those that were right. */
export interface Confusion {
  readonly taken: number;
  /** … and had their first token when their class promises it. */
  readonly inTime: number;
  readonly refused: number;
  /** Refusals of which is known what would have been otherwise. */
  readonly judged: number;
  /** … and the first token would have come later than {@linkcode LATE_SHARE} of what the class promises. */
  readonly late: number;
}

/** A refusal is right if the first token would have come later than this share of what the class promises. */
export const LATE_SHARE = 0.8;

/** Several runs together. */
export function addConfusions(parts: readonly Confusion[]): Confusion {
  const total = { taken: 0, inTime: 0, refused: 0, judged: 0, late: 0 };
  for (const part of parts) {
    for (const key of Object.keys(total) as (keyof Confusion)[]) total[key] += part[key];
  }
  return total;
}
