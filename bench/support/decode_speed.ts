/** How fast a model decodes many answers at once. @module */

import type { Model } from "../../mod.ts";
import { LoadGenerator } from "../mixed/load.ts";

/** Tokens of each prompt: one block, so that all requests decode from the same depth on. */
export const DECODE_PROMPT = 16;

/** Tokens per second from when the last request has its first token to when the first one has its last. */
export async function decodeSpeed(
  model: Model,
  batch: number,
  tokens: number,
  seed: number,
): Promise<number> {
  const generator = new LoadGenerator(model, seed + 2);
  const kind = { name: "request", class: "interactive", promptTokens: DECODE_PROMPT, answerTokens: tokens };
  for (let i = 0; i < batch; i++) void generator.send(kind);
  await generator.finished();
  const fromMs = Math.max(...generator.traces.map(({ tokensAt }) => tokensAt[0]));
  const toMs = Math.min(...generator.traces.map(({ tokensAt }) => tokensAt[tokens - 1]));
  const between = generator.traces.flatMap(({ tokensAt }) =>
    tokensAt.filter((at) => at > fromMs && at <= toMs)
  );
  return between.length / (toMs - fromMs) * 1000;
}
