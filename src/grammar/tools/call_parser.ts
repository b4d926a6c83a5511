/** Takes an answer apart as it comes: its text, and the calls of tools in it. @module */

import { overlap } from "../overlap.ts";
import { type ArgumentReader, JsonArguments, TaggedArguments } from "./arguments.ts";
import type { ToolFormat } from "./format.ts";
import type { Tool } from "./grammar.ts";

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
  #arguments: ArgumentReader = new JsonArguments();
  readonly #tools: readonly Tool[];

  /** `tools`: those that may be called; arguments that are no JSON are read by their schemas. */
  constructor(format: ToolFormat, tools: readonly Tool[] = []) {
    this.#format = format;
    this.#tools = tools;
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
    if (this.#state === "arguments") {
      // Parameters that were cut stay as far as they were told.
      if (this.#format.tags !== undefined) return [];
      return [{ kind: "arguments", index: this.#calls - 1, text: rest }];
    }
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
        return this.#readArguments(pieces);
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
    const head = this.#headAt();
    if (head === undefined) return false;
    const [name, length] = head;
    this.#held = this.#held.slice(length);
    pieces.push({ kind: "call", index: this.#calls++, name });
    this.#state = "arguments";
    const { tags, call: [, , after] } = this.#format;
    this.#arguments = tags === undefined
      ? new JsonArguments()
      : new TaggedArguments(tags, after, this.#tools.find((tool) => tool.name === name));
    return true;
  }

  /** A call's name, and how long its head is; undefined where more must come first. */
  #headAt(): [name: string, length: number] | undefined {
    const { call: [before, between], open, tags } = this.#format;
    if (before.includes('"name"') && tags === undefined) {
      const found = HEAD_OF_OBJECT.exec(this.#held);
      return found === null ? undefined : [JSON.parse(`"${found[1]}"`), found[0].length];
    }
    if (tags !== undefined) {
      // Line ends around names are not all alike.
      const start = this.#held.trimStart();
      const sign = before.trim();
      if (!start.startsWith(sign)) return undefined;
      const [name] = /^[^\s<>"]*/.exec(start.slice(sign.length))!;
      const rest = start.slice(sign.length + name.length);
      const end = rest.startsWith(between.trim()) ? between.trim().length : 0;
      const isWhole = rest !== "" && (between.trim() === "" || end > 0);
      return name !== "" && isWhole ? [name, this.#held.length - rest.length + end] : undefined;
    }
    const start = this.#held.startsWith(open + before) ? open.length + before.length : 0;
    const end = this.#held.indexOf(between, start);
    return end < 0 ? undefined : [this.#held.slice(start, end).trim(), end + between.length];
  }

  #readArguments(pieces: AnswerPiece[]): boolean {
    const { json, rest, isDone } = this.#arguments.read(this.#held);
    this.#held = rest;
    if (json !== "") pieces.push({ kind: "arguments", index: this.#calls - 1, text: json });
    if (isDone) this.#state = "between";
    return isDone;
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
