/** Takes an answer apart as it comes: what the model thinks, and what it says. @module */

import type { ThoughtFormat, ThoughtsAt } from "./format.ts";
import { overlap } from "../overlap.ts";

/** What a part of an answer is. */
export type SaidPiece =
  | { readonly kind: "thought"; readonly text: string }
  | { readonly kind: "text"; readonly text: string };

/** Where it reads: before what may be a mark, in thoughts, behind them before anything is said, in what is said. */
type Place = "undecided" | "thoughts" | "gap" | "said";

/**
 * Reads the thoughts of one format out of a text that comes in parts. Whatever the parts are, the pieces joined are the same.
 * Blanks at both ends of thoughts, and those between them and what is said, are in neither.
 */
export class ThoughtParser {
  readonly #format: ThoughtFormat;
  /** What is not decided yet. */
  #held = "";
  #place: Place;
  /** Whether something was thought since the thoughts began. */
  #hasThought = false;
  /** Whether thoughts stand before what is said. */
  #isBehind = false;
  /** Whether the sign before what is said was there, and that behind it is to be left out. */
  #isWrapped = false;

  constructor(format: ThoughtFormat, at: ThoughtsAt) {
    this.#format = format;
    this.#place = at === "inside" ? "thoughts" : at === "either" ? "undecided" : "gap";
  }

  push(text: string): SaidPiece[] {
    this.#held += text;
    const pieces: SaidPiece[] = [];
    while (this.#step(pieces));
    return pieces;
  }

  /** The answer has ended: what was held back as a possible sign was none. */
  end(): SaidPiece[] {
    const rest = this.#held;
    this.#held = "";
    if (this.#place !== "thoughts") {
      const text = this.#place === "gap" && this.#isBehind ? rest.trimStart() : rest;
      return text === "" ? [] : [{ kind: "text", text }];
    }
    const thought = this.#hasThought ? rest.trimEnd() : rest.trim();
    return thought === "" ? [] : [{ kind: "thought", text: thought }];
  }

  /** Decides some of what is held; false where more must come first. */
  #step(pieces: SaidPiece[]): boolean {
    switch (this.#place) {
      case "undecided":
        return this.#undecided();
      case "thoughts":
        return this.#thoughts(pieces);
      case "gap":
        return this.#gap();
      case "said":
        return this.#said(pieces);
    }
  }

  #undecided(): boolean {
    const { open } = this.#format;
    const rest = this.#held.trimStart();
    if (rest.startsWith(open)) {
      this.#held = rest.slice(open.length);
      this.#place = "thoughts";
      return true;
    }
    if (open.startsWith(rest)) return false;
    this.#place = "gap";
    return true;
  }

  #thoughts(pieces: SaidPiece[]): boolean {
    const { close } = this.#format;
    const at = this.#held.indexOf(close);
    if (at >= 0) {
      this.#think(pieces, this.#held.slice(0, at).trimEnd());
      this.#held = this.#held.slice(at + close.length);
      this.#place = "gap";
      this.#isBehind = true;
      return true;
    }
    // Blanks before the mark are no thoughts, so those at the end wait, too.
    const keep = overlap(this.#held, close);
    const sure = this.#held.slice(0, this.#held.length - keep).trimEnd().length;
    this.#think(pieces, this.#held.slice(0, sure));
    this.#held = this.#held.slice(sure);
    return false;
  }

  #think(pieces: SaidPiece[], text: string): void {
    const thought = this.#hasThought ? text : text.trimStart();
    if (thought === "") return;
    this.#hasThought = true;
    pieces.push({ kind: "thought", text: thought });
  }

  #gap(): boolean {
    const before = this.#format.around?.[0] ?? "";
    const rest = this.#held.trimStart();
    if (rest === "" && (this.#isBehind || before !== "")) return false;
    if (before !== "" && rest.startsWith(before)) {
      this.#held = rest.slice(before.length);
      this.#isWrapped = true;
    } else if (before !== "" && before.startsWith(rest)) return false;
    else if (this.#isBehind) this.#held = rest;
    this.#place = "said";
    return true;
  }

  #said(pieces: SaidPiece[]): boolean {
    const tell = (text: string) => {
      if (text !== "") pieces.push({ kind: "text", text });
    };
    if (!this.#isWrapped) {
      tell(this.#held);
      this.#held = "";
      return false;
    }
    const after = this.#format.around![1];
    const at = this.#held.indexOf(after);
    if (at >= 0) {
      tell(this.#held.slice(0, at));
      this.#held = this.#held.slice(at + after.length);
      this.#isWrapped = false;
      return true;
    }
    const keep = overlap(this.#held, after);
    tell(this.#held.slice(0, this.#held.length - keep));
    this.#held = this.#held.slice(this.#held.length - keep);
    return false;
  }
}
