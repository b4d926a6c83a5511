/**
 * Text from files, servers and models, made harmless for a terminal or a log. Such text may hold escape
 * sequences that set a window's title, write to the clipboard or move the cursor over what stands there, and
 * characters that turn the reading direction round.
 * @module
 */

/**
 * A whole text of which lines and tabs stay. Joiners stay, too: words of some languages, and many emoji, have
 * them.
 */
const IN_LINES = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const IN_ONE_LINE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * The text with what would steer a terminal written as JSON writes it: a text of JSON stays one that means
 * the same. Line ends and tabs stay.
 *
 * @example
 * ```ts
 * import { harmless } from "./harmless.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(harmless("a\x1b]0;title\x07\nb"), "a\\u001b]0;title\\u0007\nb");
 * ```
 */
export function harmless(text: string): string {
  return text.replaceAll(IN_LINES, visible);
}

/**
 * Like {@linkcode harmless} on one line, for a name, a path or a message inside a line of ours: line ends are
 * written out, too.
 */
export function oneLine(text: string, charactersMax = Infinity): string {
  const line = text.replaceAll(IN_ONE_LINE, visible);
  return line.length > charactersMax ? `${line.slice(0, charactersMax - 1)}…` : line;
}

/**
 * A text of several lines that begins on a line of ours: its other lines are indented, so that none passes
 * for one of ours.
 */
export function indented(text: string): string {
  return harmless(text).replaceAll("\n", "\n  ");
}

/** A character that is not shown, as JSON escapes it. */
export function visible(character: string): string {
  const short = JSON.stringify(character).slice(1, -1);
  if (short !== character) return short;
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");
}
