/** Counts what passes of an upstream's answer, whatever it says itself. @module */

import { isPlausible, roughTokens } from "../../routing/rough_tokens.ts";

/** The part of a chunk, or of a whole answer, that matters. Nothing of it is certain. */
export interface Chunk {
  readonly choices?: unknown;
  readonly usage?: unknown;
  readonly error?: unknown;
  readonly data?: unknown;
}

/** What was told, what was counted, and what counts. */
export interface Metered {
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly cachedTokens: number;
  /** What the upstream says; absent where it says nothing. */
  readonly told?: { readonly promptTokens: number; readonly answerTokens: number };
  readonly counted: { readonly promptTokens: number; readonly answerTokens: number };
  /** What it says cannot be right, so that what was counted counts. */
  readonly isDoubted: boolean;
}

/** An object of JSON, or null. */
export function objectIn(text: string): Chunk | null {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Texts of a choice: what is said, thought, refused, and the calls of tools. */
function textsOf(choice: unknown): string[] {
  if (typeof choice !== "object" || choice === null) return [];
  const { delta, message, text } = choice as Record<string, unknown>;
  const said = (delta ?? message ?? {}) as Record<string, unknown>;
  const calls = Array.isArray(said.tool_calls) ? said.tool_calls : [];
  return [
    ...[text, said.content, said.reasoning_content ?? said.reasoning, said.refusal],
    ...calls.flatMap((call) => [call?.function?.name, call?.function?.arguments]),
  ].filter((each) => typeof each === "string" && each !== "") as string[];
}

/** Tokens of an answer as they pass. */
export class Meter {
  readonly #promptTokens: number;
  #answerTokens = 0;
  #parts = 0;
  #usage: Record<string, unknown> | null = null;
  #finish: string | undefined;

  /** `promptTokens`: about, as they were sent. */
  constructor(promptTokens: number) {
    this.#promptTokens = Math.ceil(promptTokens);
  }

  /** Why the last answer ended; undefined: none has. */
  get finishReason(): string | undefined {
    return this.#finish;
  }

  /** Takes a chunk of a stream, or a whole answer. Gives the number of texts in it: mostly each is a token. */
  take({ choices, usage }: Chunk): number {
    if (typeof usage === "object" && usage !== null) this.#usage = usage as Record<string, unknown>;
    if (!Array.isArray(choices)) return 0;
    let texts = 0;
    for (const choice of choices) {
      const reason = (choice as Record<string, unknown> | null)?.finish_reason;
      if (typeof reason === "string") this.#finish = reason;
      for (const text of textsOf(choice)) {
        texts++;
        this.#answerTokens += roughTokens(text);
      }
    }
    this.#parts += texts;
    return texts;
  }

  get result(): Metered {
    const counted = {
      promptTokens: this.#promptTokens,
      answerTokens: Math.max(this.#parts, Math.round(this.#answerTokens)),
    };
    const promptTokens = count(this.#usage?.prompt_tokens);
    if (this.#usage === null || promptTokens === undefined) {
      return { ...counted, cachedTokens: 0, counted, isDoubted: false };
    }
    const told = { promptTokens, answerTokens: count(this.#usage.completion_tokens) ?? 0 };
    const hidden = count(detail(this.#usage, "completion_tokens_details", "reasoning_tokens")) ?? 0;
    const isRight = isPlausible(told.promptTokens, counted.promptTokens) &&
      // Thoughts that are not shown are paid all the same; those that are shown were counted.
      (isPlausible(told.answerTokens, counted.answerTokens) ||
        isPlausible(told.answerTokens - hidden, counted.answerTokens));
    const cached = count(detail(this.#usage, "prompt_tokens_details", "cached_tokens")) ?? 0;
    const counts = isRight ? told : counted;
    return {
      ...counts,
      cachedTokens: Math.min(cached, counts.promptTokens),
      told,
      counted,
      isDoubted: !isRight,
    };
  }
}

function detail(usage: Record<string, unknown>, group: string, name: string): unknown {
  const details = usage[group];
  return typeof details === "object" && details !== null
    ? (details as Record<string, unknown>)[name]
    : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
