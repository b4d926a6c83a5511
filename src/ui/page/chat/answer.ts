/** An answer as it comes. @module */

import { postEvents } from "../core/api.ts";
import type { ToolCall } from "./conversation.ts";
import { type Figures, Stopwatch } from "./figures.ts";
import { CHAT_PATH } from "./request.ts";

/** What has come of an answer. */
export interface Answer {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly ToolCall[];
  readonly figures: Figures;
  /** Why it ended; null: it has not. */
  readonly finish: string | null;
}

interface CallDelta {
  readonly index?: number;
  readonly id?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

interface Chunk {
  readonly system_fingerprint?: string;
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string | null;
      readonly tool_calls?: readonly CallDelta[];
    };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  } | null;
}

/**
 * Asks, and gives what has come so far with each event. Throws a Failure where the answer fails, an
 * AbortError where it is stopped.
 */
export async function* answers(body: object, signal: AbortSignal): AsyncGenerator<Answer> {
  const watch = new Stopwatch(performance.now());
  let text = "",
    reasoning = "",
    finish: string | null = null,
    usage: Figures = {},
    fingerprint: string | undefined;
  const calls: ToolCall[] = [];
  for await (const data of postEvents(CHAT_PATH, body, signal)) {
    if (data === "[DONE]") return;
    const chunk: Chunk = JSON.parse(data);
    const [choice] = chunk.choices ?? [];
    const { content, reasoning_content, tool_calls = [] } = choice?.delta ?? {};
    if (content || reasoning_content || tool_calls.length > 0) watch.note(performance.now());
    text += content ?? "";
    reasoning += reasoning_content ?? "";
    for (const delta of tool_calls) addCall(calls, delta);
    finish = choice?.finish_reason ?? finish;
    fingerprint ??= chunk.system_fingerprint;
    usage = { ...usage, ...usageIn(chunk) };
    const figures = { ...usage, ...watch.figures(usage.completionTokens), fingerprint };
    yield { text, reasoning, calls: [...calls], figures, finish };
  }
}

function usageIn({ usage }: Chunk): Figures {
  if (usage === undefined || usage === null) return {};
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens,
  };
}

function addCall(calls: ToolCall[], { index = calls.length, id, function: called }: CallDelta): void {
  const before = calls[index] ?? { id: "", name: "", arguments: "" };
  calls[index] = {
    id: id ?? before.id,
    name: before.name + (called?.name ?? ""),
    arguments: before.arguments + (called?.arguments ?? ""),
  };
}
