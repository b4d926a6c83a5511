/** Log-probabilities of /v1/completions, as OpenAI and vLLM write them. @module */

import type { PromptLogprob, TokenLogprob, TopLogprob } from "../engine/protocol.ts";
import { Utf8Scanner } from "../tokenizer/utf8.ts";

/** JSON has no −∞: what the field writes for it. */
const LOGPROB_MIN = -9999;

/** A log-probability as JSON can say it. */
export function finite(logprob: number): number {
  return Math.max(logprob, LOGPROB_MIN);
}

/** The log-probabilities of one choice. Remembers how far its text has come: they say where in it each token is. */
export class CompletionLogprobs {
  #scanner = new Utf8Scanner();
  /** Characters of the prompt, where it is echoed. */
  #echoed = 0;

  /** The prompt is whole: what follows is a text of its own, should it begin inside a character. */
  endPrompt(): void {
    this.#echoed += this.#scanner.character + 1;
    this.#scanner = new Utf8Scanner();
  }

  /** The next tokens, each with so many alternatives; default: all. */
  take(tokens: readonly (TokenLogprob | PromptLogprob)[], top = Infinity) {
    return {
      tokens: tokens.map(({ text }) => text),
      token_logprobs: tokens.map(({ logprob }) => logprob === null ? null : finite(logprob)),
      top_logprobs: tokens.map((token) => topLogprobs(token, top)),
      text_offset: tokens.map(({ bytes }) => this.#echoed + this.#place(bytes)),
    };
  }

  /** The code points before a token, or before the character that it goes on with. */
  #place(bytes: readonly number[]): number {
    if (bytes.length === 0) return this.#scanner.nextCharacter;
    const [first, ...others] = bytes;
    this.#scanner.push(first);
    const place = this.#scanner.character;
    for (const byte of others) this.#scanner.push(byte);
    return place;
  }
}

/** The alternatives by their texts, and the token itself. Of those that look alike all but one are named by their id. */
function topLogprobs(token: TokenLogprob | PromptLogprob, top: number): Record<string, number> | null {
  const { logprob } = token;
  if (logprob === null) return null;
  // The token's own name is its text: clients look it up.
  const names = new Map([[token.text, token.id]]);
  const named = ({ id, text }: TopLogprob) => {
    if (!names.has(text)) names.set(text, id);
    return names.get(text) === id ? text : `token_id:${id}`;
  };
  const shown = token.top.slice(0, top).map((each) => [named(each), finite(each.logprob)] as const);
  if (!token.top.slice(0, top).some(({ id }) => id === token.id)) shown.push([token.text, finite(logprob)]);
  return Object.fromEntries(shown);
}
