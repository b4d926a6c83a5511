/**
 * What an answer is made of. The text of a model is read here, as it comes, by the library and by all dialects of the server
 * alike: what in it is said to the user, and what is called.
 * @module
 */

import { CallParser } from "../../grammar/tools/call_parser.ts";
import type { ToolFormat } from "../../grammar/tools/format.ts";
import type { GenerationResult } from "../generation.ts";

/** A part of an answer; texts in a row belong together, and so do the arguments behind the call that they are of. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  /** A call of a tool begins. */
  | { readonly kind: "call"; readonly index: number; readonly name: string }
  /** More of its arguments, as JSON text. */
  | { readonly kind: "arguments"; readonly index: number; readonly text: string };

/** Reads one answer as it comes. */
export class AnswerReader {
  readonly #calls?: CallParser;

  /** `format`: how calls are written, where there are tools. */
  constructor(format?: ToolFormat) {
    this.#calls = format && new CallParser(format);
  }

  /** Whether a tool was called. */
  get hasCalls(): boolean {
    return (this.#calls?.calls ?? 0) > 0;
  }

  /** What more text says. */
  push(text: string): Piece[] {
    if (this.#calls !== undefined) return this.#calls.push(text);
    return text === "" ? [] : [{ kind: "text", text }];
  }

  /** What was kept back, once there is no more. */
  end(): Piece[] {
    return this.#calls?.end() ?? [];
  }
}

/** A whole part of an answer. */
export type WholePiece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly index: number; readonly name: string; readonly arguments: string };

/** The parts of a whole answer, each joined. */
export function readAnswer({ text }: Pick<GenerationResult, "text">, format?: ToolFormat): WholePiece[] {
  const reader = new AnswerReader(format);
  const whole: WholePiece[] = [];
  for (const piece of [...reader.push(text), ...reader.end()]) {
    const last = whole.at(-1);
    if (piece.kind === "call") whole.push({ ...piece, arguments: "" });
    else if (piece.kind === "arguments" && last?.kind === "call") {
      whole[whole.length - 1] = { ...last, arguments: last.arguments + piece.text };
    } else if (piece.kind === "text") {
      if (last?.kind === "text") whole[whole.length - 1] = { ...last, text: last.text + piece.text };
      else whole.push(piece);
    }
  }
  return whole;
}
