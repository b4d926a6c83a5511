/**
 * Answers of gpt-oss: messages on channels. What is on `analysis` is thought, what goes to `functions.NAME` is a call, the rest is
 * said. OpenAI's "harmony response format" describes them.
 * @module
 */

import { overlap } from "../overlap.ts";
import type { AnswerPiece } from "../tools/call_parser.ts";

export type HarmonyPiece = { readonly kind: "thought"; readonly text: string } | AnswerPiece;

const MESSAGE = "<|message|>";
/** What a message's text ends with. */
const ENDS = ["<|end|>", "<|call|>", "<|return|>", "<|start|>"];
const START = "<|start|>assistant";
const CALLED = "functions.";

/** Reads an answer that comes in parts. Whatever the parts are, the pieces joined are the same. */
export class HarmonyParser {
  /** What is not decided yet. */
  #held = "";
  /** What the message under way is; undefined: its head has not come. */
  #kind?: "thought" | "text" | "arguments";
  #calls = 0;
  /** The kinds that there were: parts of one kind stand on lines of their own. */
  readonly #had = new Set<string>();
  /** Whether something of the message under way was told. */
  #isFirst = true;

  /** `isInside`: whether the prompt has begun a message of thoughts. */
  constructor(isInside = false) {
    if (isInside) this.#kind = "thought";
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  push(text: string): HarmonyPiece[] {
    this.#held += text;
    const pieces: HarmonyPiece[] = [];
    while (this.#kind === undefined ? this.#head(pieces) : this.#body(pieces, this.#kind));
    return pieces;
  }

  /** The answer has ended: what was no head was text. */
  end(): HarmonyPiece[] {
    const pieces: HarmonyPiece[] = [];
    const rest = this.#held;
    this.#held = "";
    if (this.#kind !== undefined) this.#tell(pieces, this.#kind, rest);
    else if (!/^\s*(<\||to=|$)/.test(rest)) this.#tell(pieces, "text", rest);
    return pieces;
  }

  #head(pieces: HarmonyPiece[]): boolean {
    const at = this.#held.indexOf(MESSAGE);
    if (at < 0) return false;
    const head = this.#held.slice(0, at);
    this.#held = this.#held.slice(at + MESSAGE.length);
    this.#isFirst = true;
    const [, to = ""] = /\bto=([^\s<]+)/.exec(head) ?? [];
    const [, channel = ""] = /<\|channel\|>\s*(\w+)/.exec(head) ?? [];
    if (to.startsWith(CALLED)) {
      this.#kind = "arguments";
      pieces.push({ kind: "call", index: this.#calls++, name: to.slice(CALLED.length) });
    } else this.#kind = channel === "analysis" ? "thought" : "text";
    return true;
  }

  #body(pieces: HarmonyPiece[], kind: "thought" | "text" | "arguments"): boolean {
    const places = ENDS.map((end) => ({ end, at: this.#held.indexOf(end) })).filter(({ at }) => at >= 0);
    if (places.length === 0) {
      const keep = Math.max(...ENDS.map((end) => overlap(this.#held, end)));
      this.#tell(pieces, kind, this.#held.slice(0, this.#held.length - keep));
      this.#held = this.#held.slice(this.#held.length - keep);
      return false;
    }
    const { end, at } = places.sort((a, b) => a.at - b.at)[0];
    this.#tell(pieces, kind, this.#held.slice(0, at));
    const rest = this.#held.slice(end === "<|start|>" ? at : at + end.length);
    this.#held = rest.startsWith(START) ? rest.slice(START.length) : rest;
    this.#kind = undefined;
    return true;
  }

  #tell(pieces: HarmonyPiece[], kind: "thought" | "text" | "arguments", text: string): void {
    if (text === "") return;
    if (kind === "arguments") {
      pieces.push({ kind, index: this.#calls - 1, text });
      return;
    }
    const line = this.#isFirst && this.#had.has(kind) ? "\n" : "";
    this.#isFirst = false;
    this.#had.add(kind);
    pieces.push({ kind, text: line + text });
  }
}
