/** What the tokens of a step take, few or many. @module */

/** Tokens of a step up to the `upTo`th, beyond those of the bend before, take `msPerToken` each. */
export interface TokenBend {
  readonly upTo: number;
  readonly msPerToken: number;
}

/** Where what one more token takes may change: a few share what is read for one, many share what is unpacked. */
export const TOKEN_BENDS: readonly number[] = [4, 16, 64];

/** A step's time as far as its tokens go. */
export interface TokenTime {
  /** Of a token beyond the last bend. */
  readonly msPerToken: number;
  /** In ascending order; default: none. */
  readonly bends?: readonly TokenBend[];
}

/**
 * Ms that so many tokens add to a step.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const time = { msPerToken: 1, bends: [{ upTo: 4, msPerToken: 0.25 }, { upTo: 16, msPerToken: 0.5 }] };
 * assertEquals([tokensMs(time, 2), tokensMs(time, 6), tokensMs(time, 26)], [0.5, 2, 17]);
 * ```
 */
export function tokensMs({ msPerToken, bends = [] }: TokenTime, tokens: number): number {
  let ms = 0, from = 0;
  for (const bend of bends) {
    if (tokens <= from) return ms;
    ms += (Math.min(tokens, bend.upTo) - from) * bend.msPerToken;
    from = bend.upTo;
  }
  return ms + Math.max(0, tokens - from) * msPerToken;
}

/** The same where each token takes so many times as long. */
export function scaledTokenTime({ msPerToken, bends }: TokenTime, factor: number): TokenTime {
  const scaled = bends?.map((bend) => ({ ...bend, msPerToken: bend.msPerToken * factor }));
  return { msPerToken: msPerToken * factor, ...(scaled === undefined ? {} : { bends: scaled }) };
}
