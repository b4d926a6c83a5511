/** Takes an answer apart as it comes: what the model thinks, what it says, and the calls of tools. @module */

import { HarmonyParser } from "./harmony/parser.ts";
import { HARMONY_THOUGHTS, type ThoughtFormat, type ThoughtsAt } from "./thoughts/format.ts";
import { ThoughtParser } from "./thoughts/parser.ts";
import { type AnswerPiece, CallParser } from "./tools/call_parser.ts";
import type { ToolFormat } from "./tools/format.ts";
import type { Tool } from "./tools/grammar.ts";

/** A part of an answer; texts in a row belong together, and so do the arguments behind the call that they are of. */
export type Piece = { readonly kind: "thought"; readonly text: string } | AnswerPiece;

/** How an answer is written; without both it is text alone. */
export interface AnswerManner {
  /** How thoughts are marked, where they are to be told apart. */
  readonly thoughts?: ThoughtFormat;
  /** How calls are written, where there are tools. */
  readonly calls?: ToolFormat;
  /** These tools: parameters that are no JSON are read by their schemas. */
  readonly tools?: readonly Tool[];
}

/** Reads one answer. Whatever the parts are in which it comes, the pieces joined are the same. */
export class AnswerReader {
  /** Set where one format has all. */
  readonly #whole?: HarmonyParser;
  readonly #thoughts?: ThoughtParser;
  readonly #calls?: CallParser;

  /** `at`: where the answer begins. */
  constructor({ thoughts, calls, tools }: AnswerManner, at: ThoughtsAt = "outside") {
    if (thoughts === HARMONY_THOUGHTS) {
      this.#whole = new HarmonyParser(at === "inside");
      return;
    }
    this.#thoughts = thoughts && new ThoughtParser(thoughts, at);
    this.#calls = calls && new CallParser(calls, tools);
  }

  /** Whether a tool was called. */
  get hasCalls(): boolean {
    return (this.#whole?.calls ?? this.#calls?.calls ?? 0) > 0;
  }

  /** What more text says. */
  push(text: string): Piece[] {
    if (text === "") return [];
    if (this.#whole !== undefined) return this.#whole.push(text);
    return (this.#thoughts?.push(text) ?? [{ kind: "text", text } as const]).flatMap((piece) =>
      piece.kind === "thought" ? [piece] : this.#said(piece.text)
    );
  }

  /** What was kept back, once there is no more. */
  end(): Piece[] {
    if (this.#whole !== undefined) return this.#whole.end();
    const rest = (this.#thoughts?.end() ?? []).flatMap((piece) =>
      piece.kind === "thought" ? [piece] : this.#said(piece.text)
    );
    return [...rest, ...this.#calls?.end() ?? []];
  }

  #said(text: string): Piece[] {
    return this.#calls?.push(text) ?? [{ kind: "text", text }];
  }
}

/** A whole part of an answer. */
export type WholePiece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thought"; readonly text: string }
  | { readonly kind: "call"; readonly index: number; readonly name: string; readonly arguments: string };

/** The parts of a whole answer, each joined. */
export function readAnswer(text: string, manner: AnswerManner, at?: ThoughtsAt): WholePiece[] {
  const reader = new AnswerReader(manner, at);
  const whole: WholePiece[] = [];
  for (const piece of [...reader.push(text), ...reader.end()]) {
    const last = whole.at(-1);
    if (piece.kind === "call") whole.push({ ...piece, arguments: "" });
    else if (piece.kind === "arguments") {
      if (last?.kind !== "call") throw new Error("Arguments without a call");
      whole[whole.length - 1] = { ...last, arguments: last.arguments + piece.text };
    } else if (last !== undefined && last.kind === piece.kind) {
      whole[whole.length - 1] = { ...last, text: last.text + piece.text };
    } else whole.push(piece);
  }
  return whole;
}
