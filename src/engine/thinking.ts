/** What of an answer is thought: counted while it comes, and ended when its budget is spent. @module */

import { type ThoughtFormat, type ThoughtsAt, thoughtsAt } from "../grammar/thoughts/format.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Constraint } from "./constraints.ts";

/** Tokens of a prompt that tell where its answer begins. */
const PROMPT_TAIL = 32;

/** Bytes as characters of one byte each: marks are found in them wherever tokens cut them. */
const binary = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const binaryOf = (text: string): string => binary(new TextEncoder().encode(text));

export interface ThinkingOptions {
  readonly format: ThoughtFormat;
  readonly tokenizer: Tokenizer;
  readonly promptTokens: readonly number[];
  /** Most tokens of thoughts. */
  readonly budget?: number;
}

/** Follows the tokens of one answer. What it says depends on them alone. */
export class Thinking {
  /** Where the answer begins. */
  readonly at: ThoughtsAt;
  readonly #format: ThoughtFormat;
  readonly #tokenizer: Tokenizer;
  readonly #budget: number;
  readonly #open: string;
  readonly #close: string;
  /** "undecided": the answer may begin with a mark. "gap": behind thoughts, before anything is said. */
  #place: "undecided" | "inside" | "gap" | "said";
  /** What was written since the last mark, as far as it may be the beginning of one. */
  #tail = "";
  #tokens = 0;
  /** Tokens that must come next. */
  #forced: number[] = [];

  constructor({ format, tokenizer, promptTokens, budget = Infinity }: ThinkingOptions) {
    const tail = promptTokens.slice(-PROMPT_TAIL).filter((id) => id < tokenizer.vocabSize);
    this.at = thoughtsAt(format, tokenizer.decode(tail, { special: true }));
    this.#format = format;
    this.#tokenizer = tokenizer;
    this.#budget = budget;
    this.#open = binaryOf(format.open);
    this.#close = binaryOf(format.close);
    const places = { inside: "inside", outside: "said", either: "undecided" } as const;
    this.#place = places[this.at];
  }

  /** Tokens of thoughts so far, marks included. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Whether what came last is said; undefined: what comes next decides. */
  get isSaid(): boolean | undefined {
    return this.#place === "undecided" ? undefined : this.#place === "said";
  }

  /** The token that must come next, if one must: the budget is spent. `constraint`: what the answer must follow. */
  next(constraint?: Constraint): number | undefined {
    const isSpent = this.#place === "inside" && this.#tokens >= this.#budget;
    if (isSpent && this.#forced.length === 0) this.#forced = this.#ending(constraint);
    return this.#forced[0];
  }

  #ending(constraint?: Constraint): number[] {
    for (const text of this.#format.endings) {
      const tokens = this.#tokenizer.encode(text, { parseSpecial: true });
      if (constraint === undefined || constraint.fits(tokens) === tokens.length) return tokens;
    }
    return [];
  }

  /** Takes the answer's next token. */
  push(id: number): void {
    if (this.#forced[0] === id) this.#forced.shift();
    else this.#forced = [];
    const wasInside = this.#place === "inside";
    if (id < this.#tokenizer.vocabSize) this.#tail += binary(this.#tokenizer.tokenBytes(id));
    while (this.#step());
    if (wasInside || this.#place === "inside") this.#tokens++;
  }

  /** Looks for the next mark; false where more must come first. */
  #step(): boolean {
    switch (this.#place) {
      case "undecided": {
        const rest = this.#tail.trimStart();
        if (rest.startsWith(this.#open)) return this.#pass("inside", rest.slice(this.#open.length));
        if (this.#open.startsWith(rest)) return false;
        return this.#pass("said", rest);
      }
      case "gap":
        this.#tail = this.#tail.trimStart();
        return this.#tail === "" ? false : this.#pass("said", this.#tail);
      case "inside":
        return this.#find(this.#close, "gap");
      case "said":
        if (this.#format.reopens) return this.#find(this.#open, "inside");
        this.#tail = "";
        return false;
    }
  }

  #find(mark: string, place: "inside" | "gap"): boolean {
    const at = this.#tail.indexOf(mark);
    if (at >= 0) return this.#pass(place, this.#tail.slice(at + mark.length));
    this.#tail = this.#tail.slice(-(mark.length - 1));
    return false;
  }

  #pass(place: "inside" | "gap" | "said", rest: string): true {
    this.#place = place;
    this.#tail = rest;
    return true;
  }
}
