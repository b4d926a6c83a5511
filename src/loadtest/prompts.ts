import type { Arrival } from "./arrivals.ts";
import { randomFrom } from "./random.ts";

/** How the tokens of a prompt grow with its words: `fixed + perWord · words`. */
export interface TokenRate {
  /** Tokens that a prompt has anyway, such as those of the chat template. */
  readonly fixed: number;
  readonly perWord: number;
}

/** The line through two prompts of `words` words and `tokens` tokens, as far as it makes sense. */
export function fitTokenRate(
  short: { words: number; tokens: number },
  long: { words: number; tokens: number },
): TokenRate {
  const slope = (long.tokens - short.tokens) / (long.words - short.words);
  const perWord = Number.isFinite(slope) ? Math.min(20, Math.max(0.2, slope)) : 1;
  return { fixed: Math.max(0, short.tokens - perWord * short.words), perWord };
}

/** Words that tokenizers tend to know. */
const WORDS =
  ("time year people way day man thing woman life child world school state family student group country problem hand part " +
    "place case week company system program question work number night point home water room mother area money story fact month " +
    "lot right study book eye job word business side kind head house service friend father power hour game line end member law " +
    "car city name team minute idea body back parent face level office door health person art war history party result change " +
    "morning reason girl boy moment air teacher force food tree river stone bird light paper music table garden summer winter")
    .split(" ");

/** What prompts are made for. */
export type PromptPlan = Pick<Arrival, "promptTokens" | "blocks" | "blockTokens">;

/** Tokens of a block of recordings that do not say it. */
const BLOCK_TOKENS = 512;

/** Makes the prompts of a load: texts, or the ids of their tokens. */
export interface Prompts {
  /** The next prompt: another one at each call, but for what it shares with others. */
  make(plan: PromptPlan): string | readonly number[];
}

/** Makes prompts of words. */
export class PromptMaker implements Prompts {
  readonly #rate: TokenRate;
  readonly #nonce: number;
  readonly #prefixTokens: number;
  #made = 0;

  /**
   * `nonce`: prompts of makers with different ones differ from their first words on. `prefixTokens`: tokens
   * that all prompts of this maker have in common.
   */
  constructor(rate: TokenRate, { nonce, prefixTokens = 0 }: { nonce: number; prefixTokens?: number }) {
    this.#rate = rate;
    this.#nonce = nonce;
    this.#prefixTokens = prefixTokens;
  }

  make({ promptTokens, blocks = [], blockTokens = BLOCK_TOKENS }: PromptPlan): string {
    const { fixed, perWord } = this.#rate;
    const total = Math.max(1, Math.round((promptTokens - fixed) / perWord));
    const words: string[] = [];
    const add = (seed: number, count: number) =>
      words.push(...randomWords(seed, Math.min(count, total - words.length)));
    if (this.#prefixTokens > 0) add(hash(this.#nonce, -1), Math.round(this.#prefixTokens / perWord));
    const blocksFrom = words.length;
    // Small blocks have no whole number of words: their ends are rounded, not their lengths.
    blocks.forEach((block, i) => {
      const end = blocksFrom + Math.round((i + 1) * blockTokens / perWord);
      if (words.length < total) add(hash(this.#nonce, block), end - words.length);
    });
    add(hash(this.#nonce ^ 0x5bd1e995, ++this.#made), total);
    return words.join(" ");
  }
}

/**
 * Makes prompts of token ids: exactly as long as they are to be, and those with the same blocks share exactly
 * these.
 */
export class TokenPromptMaker implements Prompts {
  readonly #alphabet: readonly number[];
  readonly #nonce: number;
  readonly #prefixTokens: number;
  #made = 0;

  /** `alphabet`: the ids that prompts consist of. Otherwise as of {@linkcode PromptMaker}. */
  constructor(
    alphabet: readonly number[],
    { nonce, prefixTokens = 0 }: { nonce: number; prefixTokens?: number },
  ) {
    if (alphabet.length < 2) throw new RangeError("Prompts of one token alone would all be alike");
    this.#alphabet = alphabet;
    this.#nonce = nonce;
    this.#prefixTokens = prefixTokens;
  }

  make({ promptTokens, blocks = [], blockTokens = BLOCK_TOKENS }: PromptPlan): number[] {
    const ids: number[] = [];
    const add = (seed: number, count: number) => {
      const random = randomFrom(seed);
      for (let left = Math.min(count, promptTokens - ids.length); left > 0; left--) {
        ids.push(this.#alphabet[Math.floor(random() * this.#alphabet.length)]);
      }
    };
    if (this.#prefixTokens > 0) add(hash(this.#nonce, -1), this.#prefixTokens);
    for (const block of blocks) add(hash(this.#nonce, block), blockTokens);
    add(hash(this.#nonce ^ 0x5bd1e995, ++this.#made), promptTokens);
    return ids;
  }
}

/** Words that a tokenizer may be asked about, so that its ids are known. */
export const SAMPLE_TEXT = WORDS.join(" ");

/** So many random words. */
export function randomWords(seed: number, count: number): string[] {
  const random = randomFrom(seed);
  return Array.from({ length: Math.max(0, count) }, () => WORDS[Math.floor(random() * WORDS.length)]);
}

/** Mixes two integers into one that is hardly ever the same for others. */
function hash(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return h ^ (h >>> 15);
}
