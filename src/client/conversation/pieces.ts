/** What an answer is made of, read by the library and by all dialects of the server alike. @module */

import type { GenerationResult } from "../generation.ts";
import { type AnswerManner, readAnswer, type WholePiece } from "../../grammar/answer_reader.ts";
import { thoughtFormatNamed } from "../../grammar/thoughts/format.ts";
import type { ToolDeclaration } from "../../grammar/tools/prompt.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import { formatNamed } from "./calling.ts";

export { type AnswerManner, AnswerReader, type Piece, type WholePiece } from "../../grammar/answer_reader.ts";

/** How a model writes answers; calls are looked for where there are tools. */
export function mannerOf(
  { thoughts, toolCalls }: Pick<ModelInfo, "thoughts" | "toolCalls">,
  tools?: readonly ToolDeclaration[],
): AnswerManner {
  return {
    thoughts: thoughts && thoughtFormatNamed(thoughts.format),
    calls: tools && formatNamed(toolCalls),
    tools: tools?.map((tool) => tool.function),
  };
}

/** The parts of a whole answer, each joined. */
export function piecesOf({ text, thoughts }: GenerationResult, manner: AnswerManner): WholePiece[] {
  return readAnswer(text, manner, thoughts);
}

/** All that was thought. */
export function thoughtIn(pieces: readonly WholePiece[]): string {
  return pieces.flatMap((piece) => piece.kind === "thought" ? [piece.text] : []).join("\n");
}

/** All that was said. */
export function textIn(pieces: readonly WholePiece[]): string {
  return pieces.flatMap((piece) => piece.kind === "text" ? [piece.text] : []).join("");
}
