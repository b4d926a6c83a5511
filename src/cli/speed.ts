/** One line about how fast an answer came. @module */

import type { Completion } from "../protocol/answer.ts";
import { formatDuration, formatFigure } from "./units.ts";

/** "12 + 34 tokens; first token after 56 ms; prefill 789 tokens/s, decode 321 tokens/s". */
export function renderSpeed({ usage, timings }: Completion): string {
  const parts = [`${usage.promptTokens} + ${usage.completionTokens} tokens`];
  if (timings.ttftMs !== undefined) parts.push(`first token after ${formatDuration(timings.ttftMs)}`);
  const rates = [
    timings.prefillTokensPerSecond === undefined
      ? ""
      : `prefill ${formatFigure(timings.prefillTokensPerSecond)} tokens/s`,
    timings.decodeTokensPerSecond === undefined
      ? ""
      : `decode ${formatFigure(timings.decodeTokensPerSecond)} tokens/s`,
  ].filter((rate) => rate !== "");
  if (rates.length > 0) parts.push(rates.join(", "));
  return parts.join("; ");
}
