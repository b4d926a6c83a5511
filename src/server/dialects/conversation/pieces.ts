/**
 * What an answer is made of. The text of a model is read here, as it comes, by all dialects alike: what in it is said
 * to the user, and, once such are told apart, what is thought or called.
 * @module
 */

import type { GenerationResult } from "../../../client/generation.ts";

/** A part of an answer; parts of one kind in a row belong together. */
export interface Piece {
  readonly kind: "text";
  readonly text: string;
}

/** Reads one answer as it comes. */
export class AnswerReader {
  /** What more text says. */
  push(text: string): Piece[] {
    return text === "" ? [] : [{ kind: "text", text }];
  }

  /** What was kept back, once there is no more. */
  end(): Piece[] {
    return [];
  }
}

/** The pieces of a whole answer, each joined. */
export function readAnswer({ text }: Pick<GenerationResult, "text">): Piece[] {
  const reader = new AnswerReader();
  const pieces: Piece[] = [];
  for (const piece of [...reader.push(text), ...reader.end()]) {
    const last = pieces.at(-1);
    if (last?.kind === piece.kind) pieces[pieces.length - 1] = { ...last, text: last.text + piece.text };
    else pieces.push(piece);
  }
  return pieces;
}
