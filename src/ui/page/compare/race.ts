/** The same prompt in two classes at once. @module */

import { isAbort } from "../core/api.ts";
import { answers } from "../chat/answer.ts";
import type { Figures } from "../chat/figures.ts";

/** How far one of the two has come. */
export interface Lane {
  readonly class: string;
  readonly text: string;
  /** Ms from the start to the first token; undefined: it waits. */
  readonly firstMs?: number;
  /** Ms from the start to the end, or to now. */
  readonly ms: number;
  readonly figures: Figures;
  readonly isOver: boolean;
  readonly error?: Error;
}

export interface RaceOptions {
  readonly prompt: string;
  readonly model: string;
  readonly maxTokens: number;
  readonly seed: number;
}

/** Asks in one class, and tells how far it is. Both use the same seed: the answers must be the same. */
export async function run(
  { prompt, model, maxTokens, seed }: RaceOptions,
  latencyClass: string,
  tell: (lane: Lane) => void,
  signal: AbortSignal,
): Promise<Lane> {
  const startedAt = performance.now();
  let lane: Lane = { class: latencyClass, text: "", ms: 0, figures: {}, isOver: false };
  const body = {
    ...model === "" ? {} : { model },
    messages: [{ role: "user", content: prompt }],
    class: latencyClass,
    max_tokens: maxTokens,
    seed,
    stream: true,
    stream_options: { include_usage: true },
  };
  const update = (change: Partial<Lane>) =>
    tell(lane = { ...lane, ms: performance.now() - startedAt, ...change });
  try {
    for await (const { text, figures } of answers(body, signal)) {
      const firstMs = lane.firstMs ?? (text === "" ? undefined : performance.now() - startedAt);
      update({ text, figures, firstMs });
    }
    update({ isOver: true });
  } catch (error) {
    update({ isOver: true, ...isAbort(error) ? {} : { error: error as Error } });
  }
  return lane;
}
