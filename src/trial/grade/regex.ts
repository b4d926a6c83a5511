import { RE2JS, RE2JSException } from "re2js";

/**
 * Compiles a pattern, or says what is wrong with it. RE2's matching takes time in proportion to the answer's
 * length, whatever the pattern: JavaScript's own may take longer than a life for `(a+)+$`, and nothing in a
 * process can interrupt it.
 */
export function compilePattern(pattern: string, ignoreCase: boolean): RE2JS | string {
  try {
    return RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (error) {
    if (error instanceof RE2JSException) {
      return `${error.message} (patterns are RE2's: no look-around, no \\1)`;
    }
    throw error;
  }
}
