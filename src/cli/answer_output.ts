/** Where the command line shows a model's answer. @module */

import { AnswerFilter } from "./answer_filter.ts";
import { writeAll } from "./progress.ts";

/**
 * Writes an answer to stdout part by part: to a terminal what is harmless there, to a pipe or a file exactly
 * the text.
 */
export class AnswerOutput {
  readonly #filter: AnswerFilter | null;
  readonly #write: (text: string) => void;

  constructor(isTerminal = Deno.stdout.isTerminal(), write = (text: string) => writeAll(Deno.stdout, text)) {
    this.#filter = isTerminal ? new AnswerFilter() : null;
    this.#write = write;
  }

  write(part: string): void {
    this.#write(this.#filter === null ? part : this.#filter.write(part));
  }

  /** The answer has ended. */
  end(): void {
    if (this.#filter !== null) this.#write(this.#filter.end());
  }
}
