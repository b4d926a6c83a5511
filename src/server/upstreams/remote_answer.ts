/** An upstream's answer to a conversation, as a model of this server would give it. @module */

import { Generation } from "../../client/generation.ts";
import { HERMES } from "../../grammar/tools/format.ts";
import { THINK } from "../../grammar/thoughts/format.ts";
import type { Completion } from "../../protocol/answer.ts";
import type { GenerationListener } from "../../protocol/options/generation.ts";
import { clientLeft } from "../presence.ts";
import { UpstreamFailure } from "./failure.ts";
import { AnswerText } from "./answer_text.ts";
import { passing } from "./stream.ts";
import type { Visit } from "./visit.ts";
import { toApiError } from "../errors.ts";
import { forClient } from "./failure.ts";

/** How answers of upstreams are written once their parts are one text. */
export const REMOTE_MANNER = {
  toolCalls: { format: HERMES.name, isNative: true, control: [] },
  thoughts: { format: THINK.name, control: [] },
} as const;

/** What is sent, and what comes of it. */
export interface RemoteAsking {
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Record<string, string>;
  /** Told of a failure, which clients are not told. */
  readonly onFailure: (error: unknown) => void;
}

/** Asks a visit's upstream, and gives its answer on its way. */
export function remoteAnswer(
  visit: Visit,
  asking: RemoteAsking,
  options: GenerationListener & { readonly signal?: AbortSignal },
): Generation {
  const leave = () => visit.patience.cancel(options.signal?.reason ?? clientLeft());
  const generation = new Generation(leave, options, { signal: options.signal });
  if (options.signal?.aborted) leave();
  options.signal?.addEventListener("abort", leave, { once: true });
  void follow(visit, asking, generation, options.signal)
    .finally(() => options.signal?.removeEventListener("abort", leave));
  return generation;
}

/** Never rejects. */
async function follow(
  visit: Visit,
  { body, headers, onFailure }: RemoteAsking,
  generation: Generation,
  signal: AbortSignal | undefined,
): Promise<void> {
  const startedAt = performance.now();
  try {
    visit.awaitFirstToken();
    const response = await visit.connection.post("/chat/completions", body, headers, visit.patience.signal);
    const text = new AnswerText();
    let hasBegun = false;
    const begin = () => {
      hasBegun = true;
      generation.push({
        id: 0,
        promptTokens: visit.meter.result.promptTokens,
        thoughts: "either",
        tokens: [],
        text: "",
      });
    };
    for await (const { chunk, texts } of passing(response, visit.watching)) {
      if (texts === 0) continue;
      visit.noteFirstToken();
      if (!hasBegun) begin();
      generation.push({ id: 0, tokens: new Array(texts).fill(0), text: text.push(chunk) });
    }
    if (!hasBegun) begin();
    // What it has cost is told before its end.
    visit.end();
    generation.push({ id: 0, tokens: [], text: text.end(), completion: completionOf(visit, startedAt) });
  } catch (error) {
    onFailure(error);
    visit.end(error);
    if (signal?.aborted) {
      const completion = { ...completionOf(visit, startedAt), finishReason: "abort" } as const;
      return generation.push({ id: 0, tokens: [], text: "", completion });
    }
    generation.fail(error instanceof UpstreamFailure ? forClient(error) : toApiError(error));
  }
}

function completionOf({ meter }: Visit, startedAt: number): Completion {
  const { promptTokens, cachedTokens, answerTokens } = meter.result;
  return {
    finishReason: meter.finishReason === "length" ? "length" : "stop",
    usage: { promptTokens, cachedTokens, completionTokens: answerTokens },
    timings: { totalMs: performance.now() - startedAt },
    seed: 0,
  };
}
