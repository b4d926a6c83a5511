/** How fast another endpoint is, by the answers that it gave. @module */

import type { RequestRecord } from "../loadtest/send.ts";
import { ascending, quantile } from "../loadtest/quantile.ts";

/** What a simulation needs of an endpoint. */
export interface MeasuredSpeed {
  /** Until the first token of a prompt without length, with the network. */
  readonly firstTokenMs: number;
  readonly promptTokensPerSecond: number;
  /** Of one answer. */
  readonly tokensPerSecond: number;
}

/** Fewer answers say too little. */
const ANSWERS_MIN = 8;
/** Of an endpoint whose first tokens do not take longer for longer prompts. */
const PROMPT_RATE_MAX = 1e6;

/**
 * From the medians of the answers with the shorter and of those with the longer prompts: single slow ones say nothing of
 * its speed. Null where there are too few answers.
 */
export function measuredSpeed(records: readonly RequestRecord[]): MeasuredSpeed | null {
  const answered = records.filter(({ outcome, partsMs }) => outcome === "ok" && partsMs.length > 0)
    .toSorted((a, b) => a.promptTokens - b.promptTokens);
  const rates = answered.flatMap(({ partsMs, endMs, completionTokens }) => {
    const ms = endMs - partsMs[0];
    return completionTokens > 1 && ms > 0 ? [1000 * (completionTokens - 1) / ms] : [];
  });
  if (answered.length < ANSWERS_MIN || rates.length === 0) return null;
  const half = answered.length >> 1;
  const [short, long] = [answered.slice(0, half), answered.slice(-half)].map((part) => ({
    tokens: middle(part.map(({ promptTokens }) => promptTokens)),
    ms: middle(part.map(({ partsMs, sentMs }) => partsMs[0] - sentMs)),
  }));
  const msPerToken = Math.max(
    1000 / PROMPT_RATE_MAX,
    long.tokens > short.tokens ? (long.ms - short.ms) / (long.tokens - short.tokens) : 0,
  );
  return {
    firstTokenMs: Math.max(0, short.ms - msPerToken * short.tokens),
    promptTokensPerSecond: 1000 / msPerToken,
    tokensPerSecond: middle(rates),
  };
}

function middle(values: readonly number[]): number {
  return quantile(ascending(values), 0.5);
}
