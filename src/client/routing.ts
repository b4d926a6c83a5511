import type { RoutedRequest } from "../../scheduler/mod.ts";
import type { Prompt } from "../protocol/request.ts";

/** UTF-16 units of a text per token, about: enough to weigh prompts against each other. */
const UNITS_PER_TOKEN = 4;

/**
 * A prompt as the router compares and weighs it. The caller's thread has no tokenizer: texts and conversations count by
 * their UTF-16 units. What two prompts have in common at the beginning is at the same place in their units.
 */
export function promptUnits(prompt: Prompt): Pick<RoutedRequest, "tokens" | "unitsPerToken"> {
  if ("tokens" in prompt) return { tokens: prompt.tokens };
  return { tokens: units(textOf(prompt)), unitsPerToken: UNITS_PER_TOKEN };
}

/** Roles and contents, kept apart by characters that texts do not have. */
function textOf(prompt: Exclude<Prompt, { tokens: number[] }>): string {
  if ("text" in prompt) return prompt.text;
  return prompt.messages.map(({ role, content, tool_calls }) => {
    const calls = tool_calls === undefined ? "" : JSON.stringify(tool_calls);
    return `${role}\u0001${content}${calls}\u0002`;
  }).join("");
}

function units(text: string): Uint16Array {
  const all = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) all[i] = text.charCodeAt(i);
  return all;
}

/** Share of what their units say that texts are taken to have until some were counted. */
const FIRST_SCALE = 0.5;
/** … and at most: most of a short conversation's tokens are its template's, which tells nothing about long ones. */
const SCALE_MAX = 1;

/**
 * How many tokens prompts have that nobody has tokenized yet, by those that were. Rather too few than too many: who is not
 * refused for them is judged by the worker, with its tokens counted.
 */
export class PromptLengths {
  #scale: number | null = null;

  /** Notes the tokens of a prompt of so many entries. */
  add(prompt: Prompt, units: number, tokens: number): void {
    if ("tokens" in prompt || units === 0) return;
    const scale = Math.min(tokens * UNITS_PER_TOKEN / units, SCALE_MAX);
    this.#scale = this.#scale === null ? scale : this.#scale + (scale - this.#scale) / 16;
  }

  /** Tokens of a prompt, or of a part of it, that counts as so many with {@linkcode promptUnits}. */
  tokens(prompt: Prompt, counted: number): number {
    return "tokens" in prompt ? counted : counted * (this.#scale ?? FIRST_SCALE);
  }
}

/** Tokens that an answer of unknown length may have: a running mean of those that have ended. */
export class AnswerLengths {
  #mean = 128;
  #count = 0;

  /** Notes the length of an answer that has ended. */
  add(tokens: number): void {
    this.#count = Math.min(this.#count + 1, 32);
    this.#mean += (tokens - this.#mean) / this.#count;
  }

  /** Tokens that are still to come, at least one. */
  remaining(emitted: number, maxTokens?: number): number {
    return Math.max((maxTokens ?? this.#mean) - emitted, 1);
  }
}
