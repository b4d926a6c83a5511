import { type Arrival, TRACE_BLOCK_TOKENS } from "./arrivals.ts";
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

/** Makes prompts of words. */
export class PromptMaker {
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

  /** The next prompt: another one at each call, but for what it shares with others. */
  make({ promptTokens, blocks }: Pick<Arrival, "promptTokens" | "blocks">): string {
    const { fixed, perWord } = this.#rate;
    const total = Math.max(1, Math.round((promptTokens - fixed) / perWord));
    const words: string[] = [];
    const add = (seed: number, count: number) =>
      words.push(...randomWords(seed, Math.min(count, total - words.length)));
    if (this.#prefixTokens > 0) add(hash(this.#nonce, -1), Math.round(this.#prefixTokens / perWord));
    for (const block of blocks ?? []) {
      if (words.length < total) add(hash(this.#nonce, block), Math.round(TRACE_BLOCK_TOKENS / perWord));
    }
    add(hash(this.#nonce ^ 0x5bd1e995, ++this.#made), total);
    return words.join(" ");
  }
}

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
