/** Takes an answer apart as it comes: its text, and the calls of tools in it. @module */

import type { ToolFormat } from "./format.ts";

/** What a part of an answer is. */
export type AnswerPiece =
  | { readonly kind: "text"; readonly text: string }
  /** A call begins; its number from 0. */
  | { readonly kind: "call"; readonly index: number; readonly name: string }
  /** More of a call's arguments, as JSON text. */
  | { readonly kind: "arguments"; readonly index: number; readonly text: string };

/** Blanks and signs that may stand around a call's parts: models write some more, some fewer. */
const HEAD_OF_OBJECT =
  /^\s*(?:\[|,)?\s*\{\s*"name"\s*:\s*"((?:[^"\\]|\\.)*)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=[^\s])/;

/**
 * Reads the calls of one format out of a text that comes in parts. Whatever the parts are, the pieces joined are the same. A text
 * that only begins like a call stays text.
 */
export class CallParser {
  readonly #format: ToolFormat;
  /** What is not decided yet. */
  #held = "";
  #state: "text" | "head" | "arguments" | "between" = "text";
  #calls = 0;
  #hasText = false;
  /** Brackets that are open in the arguments, and whether they are inside a string, behind a backslash. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(format: ToolFormat) {
    this.#format = format;
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  push(text: string): AnswerPiece[] {
    this.#held += text;
    const pieces: AnswerPiece[] = [];
    while (this.#step(pieces));
    return pieces;
  }

  /** The answer has ended: what was held back as a possible call was text. */
  end(): AnswerPiece[] {
    const rest = this.#held;
    this.#held = "";
    if (this.#state === "between" || rest === "") return [];
    if (this.#state === "arguments") return [{ kind: "arguments", index: this.#calls - 1, text: rest }];
    return [{ kind: "text", text: this.#state === "head" ? this.#format.trigger + rest : rest }];
  }

  /** Decides some of what is held; false where more must come first. */
  #step(pieces: AnswerPiece[]): boolean {
    switch (this.#state) {
      case "text":
        return this.#text(pieces);
      case "head":
        return this.#head(pieces);
      case "arguments":
        return this.#arguments(pieces);
      case "between":
        return this.#between();
    }
  }

  #text(pieces: AnswerPiece[]): boolean {
    const { trigger, isWhole } = this.#format;
    const at = this.#triggerAt();
    if (at !== undefined) {
      this.#tell(pieces, this.#held.slice(0, at));
      this.#held = this.#held.slice(at + trigger.length);
      this.#state = "head";
      return true;
    }
    if (isWhole && !this.#hasText && couldBegin(this.#held.trimStart(), trigger)) return false;
    const keep = isWhole ? 0 : overlap(this.#held, trigger);
    this.#tell(pieces, this.#held.slice(0, this.#held.length - keep));
    this.#held = this.#held.slice(this.#held.length - keep);
    return false;
  }

  #triggerAt(): number | undefined {
    const { trigger, isWhole } = this.#format;
    const at = this.#held.indexOf(trigger);
    if (at < 0) return undefined;
    return isWhole && (this.#hasText || this.#held.slice(0, at).trim() !== "") ? undefined : at;
  }

  #tell(pieces: AnswerPiece[], text: string): void {
    if (text === "") return;
    this.#hasText = true;
    pieces.push({ kind: "text", text });
  }

  #head(pieces: AnswerPiece[]): boolean {
    const { call: [before, between], open } = this.#format;
    let name: string, length: number;
    if (before.includes('"name"')) {
      const found = HEAD_OF_OBJECT.exec(this.#held);
      if (found === null) return false;
      [name, length] = [JSON.parse(`"${found[1]}"`), found[0].length];
    } else {
      const start = this.#held.startsWith(open + before) ? open.length + before.length : 0;
      const end = this.#held.indexOf(between, start);
      if (end < 0) return false;
      [name, length] = [this.#held.slice(start, end).trim(), end + between.length];
    }
    this.#held = this.#held.slice(length);
    pieces.push({ kind: "call", index: this.#calls++, name });
    this.#state = "arguments";
    [this.#depth, this.#inString, this.#escaped] = [0, false, false];
    return true;
  }

  #arguments(pieces: AnswerPiece[]): boolean {
    let end = 0;
    for (; end < this.#held.length; end++) {
      const c = this.#held[end];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (c === "\\") this.#escaped = true;
        else if (c === '"') this.#inString = false;
      } else if (c === '"') this.#inString = true;
      else if (c === "{" || c === "[") this.#depth++;
      else if ((c === "}" || c === "]") && --this.#depth <= 0) {
        end++;
        this.#state = "between";
        break;
      }
    }
    const text = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    if (text !== "") pieces.push({ kind: "arguments", index: this.#calls - 1, text });
    return this.#state === "between";
  }

  /** Behind a call: its end, then another one or nothing. */
  #between(): boolean {
    const { call: [before, , after], separator } = this.#format;
    const rest = this.#held.trimStart();
    const end = after.trim();
    const behind = rest.startsWith(end) ? rest.slice(end.length).trimStart() : undefined;
    if (behind === undefined) {
      if (couldBegin(rest, end)) return false;
      this.#held = "";
      return false;
    }
    if (separator === undefined || behind === "") return false;
    const next = separator.trim() === "" ? before.trim() : separator.trim();
    if (!behind.startsWith(next)) return false;
    this.#held = behind.slice(separator.trim() === "" ? 0 : next.length);
    this.#state = "head";
    return true;
  }
}

/** Whether a text is the beginning of another one, or goes on behind it. */
function couldBegin(text: string, whole: string): boolean {
  return whole.startsWith(text) || text.startsWith(whole);
}

/** How much of a text's end is the beginning of another one. */
function overlap(text: string, whole: string): number {
  for (let n = Math.min(text.length, whole.length - 1); n > 0; n--) {
    if (text.endsWith(whole.slice(0, n))) return n;
  }
  return 0;
}
