/** Bounds of the histograms. @module */

/** Seconds that a request may take. */
export const LATENCY_SECONDS: readonly number[] = [
  ...[0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  ...[20, 40, 80, 160, 640, 2560],
];

/** Seconds between two tokens. */
export const TOKEN_SECONDS: readonly number[] = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1],
  ...[2.5, 5, 10, 20, 40],
];

/** Tokens of a prompt or an answer. */
export const TOKEN_COUNTS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
  .concat([8192, 16384, 32768, 65536, 131072]);

/** The bounds with the objectives among them: only then a histogram tells exactly how many values met one. */
export function withObjectives(bounds: readonly number[], objectives: readonly number[]): number[] {
  return [...new Set([...bounds, ...objectives])].sort((a, b) => a - b);
}
