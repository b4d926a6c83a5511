// deno-lint-ignore-file no-control-regex
/** A model's answer on its way to a terminal. @module */

import { visible } from "../process/harmless.ts";

/** The start of a colour sequence, ESC [ numbers m, that the next part may end; or of a line end. */
const UNFINISHED = /(?:\x1b(?:\[[0-9;:]{0,32})?|\r)$/;
/**
 * What stays as it is: colours and the like (SGR), Windows' line ends. What does not: every other control
 * character, and the two overrides that show letters in another order than they are written in. Marks and
 * isolates of right-to-left texts stay.
 */
const SPECIAL = /\x1b\[[0-9;:]{0,32}m|\r\n|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e]/g;
const RESET = "\x1b[0m";

/**
 * Makes an answer harmless for a terminal, part by part: lines, tabs and colours pass, anything else that
 * would steer the terminal is written out. A sequence that is cut by the border of two parts is known all the
 * same.
 *
 * @example
 * ```ts
 * import { AnswerFilter } from "./answer_filter.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const filter = new AnswerFilter();
 * assertEquals(filter.write("a\x1b"), "a");
 * assertEquals(filter.write("[2Jb"), "\\u001b[2Jb");
 * assertEquals(filter.end(), "");
 * ```
 */
export class AnswerFilter {
  #held = "";
  #isColoured = false;

  /** What of the answer can be shown now. */
  write(part: string): string {
    const text = this.#held + part;
    this.#held = UNFINISHED.exec(text)?.[0] ?? "";
    return this.#clean(text.slice(0, text.length - this.#held.length));
  }

  /** The rest, and the end of the answer's colours. */
  end(): string {
    const rest = this.#clean(this.#held);
    this.#held = "";
    const reset = this.#isColoured ? RESET : "";
    this.#isColoured = false;
    return rest + reset;
  }

  #clean(text: string): string {
    return text.replaceAll(SPECIAL, (found) => {
      if (found.length === 1) return visible(found);
      if (found !== "\r\n") this.#isColoured = !/^\x1b\[0*m$/.test(found);
      return found;
    });
  }
}
