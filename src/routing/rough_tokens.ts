/** How many tokens a text has, roughly, whatever the tokenizer. @module */

/** Characters of ASCII that make a token, about; of other scripts, tokens of a character. */
const ASCII_PER_TOKEN = 4, TOKENS_PER_OTHER = 0.7;

/** Tokens of a text, to a factor of two in most languages. */
export function roughTokens(text: string): number {
  let others = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) others++;
  return (text.length - others) / ASCII_PER_TOKEN + others * TOKENS_PER_OTHER;
}

/**
 * What is told counts as true up to this factor of what was counted, to either side, and so many tokens more or
 * fewer: tokenizers differ, and templates add to prompts.
 */
const FACTOR = 3, MORE = 48, FEWER = 8;

/** Whether a number of tokens can be right where about `counted` were seen to pass. */
export function isPlausible(told: number, counted: number): boolean {
  return told <= FACTOR * counted + MORE && told >= counted / FACTOR - FEWER;
}
