/** Log-probabilities of /v1/completions, as OpenAI and vLLM write them. @module */

import type { PromptLogprob, TokenLogprob, TopLogprob } from "../../../protocol/answer.ts";
import { Utf8Scanner } from "../../../tokenizer/utf8.ts";

/** JSON has no −∞: what the field writes for it. */
const LOGPROB_MIN = -9999;

/** A log-probability as JSON can say it. */
export function finite(logprob: number): number {
  return Math.max(logprob, LOGPROB_MIN);
}

/**
 * What a choice has of its tokens. The first token of a prompt has no log-probability: nothing stands before
 * it.
 */
interface Lists {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Lists one after the other. */
export function joinLists(a: Lists, b: Lists): Lists {
  return {
    tokens: [...a.tokens, ...b.tokens],
    token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
    top_logprobs: [...a.top_logprobs, ...b.top_logprobs],
    text_offset: [...a.text_offset, ...b.text_offset],
  };
}

/**
 * The field `prompt_logprobs` as vLLM writes it: for each token those likeliest at its place and itself, by
 * id.
 */
export function promptLogprobs(tokens: readonly PromptLogprob[], top: number) {
  const named = ({ text, logprob }: TopLogprob, rank: number) => ({
    logprob: finite(logprob),
    rank,
    decoded_token: text,
  });
  return tokens.map((token) => {
    const { id, logprob, rank } = token;
    if (logprob === null || rank === null) return null;
    const likeliest = token.top.slice(0, top).map((each, i) => [each.id, named(each, i + 1)] as const);
    return Object.fromEntries([...likeliest, [id, named({ ...token, logprob }, rank)]]);
  });
}

/**
 * The log-probabilities of one choice. Remembers how far its text has come: they say where in it each token
 * is.
 */
export class CompletionLogprobs {
  #scanner = new Utf8Scanner();
  /** Characters of the prompt, where it is echoed. */
  #echoed = 0;
  #isInPrompt = false;

  /** The next tokens of the prompt, each with so many alternatives. */
  takePrompt(tokens: readonly PromptLogprob[], top: number): Lists {
    this.#isInPrompt = true;
    return this.#take(tokens, top);
  }

  /** The next tokens of the answer. */
  take(tokens: readonly TokenLogprob[]): Lists {
    if (this.#isInPrompt) {
      // The answer is a text of its own, even if it begins inside a character.
      this.#echoed = this.#scanner.character + 1;
      this.#scanner = new Utf8Scanner();
      this.#isInPrompt = false;
    }
    return this.#take(tokens, Infinity);
  }

  #take(tokens: readonly (TokenLogprob | PromptLogprob)[], top: number): Lists {
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

/**
 * The alternatives by their texts, and the token itself. Of those that look alike all but one are named by
 * their id.
 */
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
