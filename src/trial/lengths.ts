/**
 * Lengths of prompts and answers as tables of quantiles, and random lengths that follow them.
 * @module
 */

/** At 5, 10, 25, 50, 75, 90, 95 and 99 %. */
export type LengthTable = readonly [number, number, number, number, number, number, number, number];

const SHARES = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99] as const;

/**
 * A length for a uniform number in (0, 1): the table's line between two of its quantiles, in logarithms as
 * lengths have long tails. Below and above the table it stays at its ends.
 */
export function lengthAt(table: LengthTable, uniform: number): number {
  const above = SHARES.findIndex((share) => uniform < share);
  if (above === 0) return table[0];
  if (above < 0) return table[table.length - 1];
  const part = (uniform - SHARES[above - 1]) / (SHARES[above] - SHARES[above - 1]);
  const [low, high] = [Math.log(table[above - 1]), Math.log(table[above])];
  return Math.max(1, Math.round(Math.exp(low + part * (high - low))));
}

/**
 * Quantiles of public traces, taken once from the files. Azure: "AzureLLMInferenceTrace_conv" and "_code" of
 * 2023 (Patel et al., Splitwise, ISCA 2024; CC-BY-4.0), 19,366 and 8,819 requests.
 */
export const TRACE_LENGTHS = {
  azureConversationPrompts: [181, 207, 396, 1020, 1189, 2735, 4083, 4142],
  azureConversationAnswers: [41, 54, 85, 129, 395, 424, 451, 601],
  azureCodePrompts: [75, 147, 578, 1469, 2745, 5194, 7315, 7436],
  azureCodeAnswers: [6, 7, 9, 13, 24, 55, 90, 252],
} as const satisfies Record<string, LengthTable>;

/** So many equally likely lengths, in the order of size. */
function spread(table: LengthTable, count: number): number[] {
  return Array.from({ length: count }, (_, i) => lengthAt(table, (i + 0.5) / count));
}

/** What lengths of a table are on average. */
export function meanLength(table: LengthTable): number {
  const lengths = spread(table, 1000);
  return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
}
