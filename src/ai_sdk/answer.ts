/** Answers in the words of the AI SDK. @module */

import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { type AnswerManner, type Piece, piecesOf } from "../client/conversation/pieces.ts";
import type { GenerationResult } from "../client/generation.ts";

/** The id of a call, of its number within the answer. */
type CallId = (index: number) => string;

export function usageOf({ usage }: GenerationResult): LanguageModelV4Usage {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens: reasoning } = usage;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens - (reasoning ?? 0), reasoning },
  };
}

export function endingOf({ finishReason }: GenerationResult, hasCalls: boolean): LanguageModelV4FinishReason {
  const ended = hasCalls ? "tool-calls" : "stop";
  const unified = finishReason === "stop" ? ended : finishReason === "length" ? "length" : "other";
  return { unified, raw: finishReason };
}

/** A whole answer; a call that was cut is left out. */
export function contentOf(
  result: GenerationResult,
  manner: AnswerManner,
  callId: CallId,
): LanguageModelV4Content[] {
  return piecesOf(result, manner).flatMap((piece): LanguageModelV4Content[] => {
    if (piece.kind === "text") return [{ type: "text", text: piece.text }];
    if (piece.kind === "thought") return [{ type: "reasoning", text: piece.text }];
    if (!isJson(piece.arguments)) return [];
    return [{
      type: "tool-call",
      toolCallId: callId(piece.index),
      toolName: piece.name,
      input: piece.arguments,
    }];
  });
}

/** Arguments that were cut are no JSON. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Blocks of texts, as the SDK names them. */
const BLOCKS = { text: "text", thought: "reasoning" } as const;

/** Writes the parts of a stream: blocks, each begun, told and closed. */
export class StreamWriter {
  readonly #callId: CallId;
  /** The block that has begun and not ended. */
  #open:
    | { kind: "text" | "thought"; id: string }
    | { kind: "call"; id: string; name: string; input: string }
    | null = null;
  #blocks = 0;
  /** Whether a call is whole. */
  hasCalls = false;

  constructor(callId: CallId) {
    this.#callId = callId;
  }

  write(pieces: readonly Piece[]): LanguageModelV4StreamPart[] {
    return pieces.flatMap((piece): LanguageModelV4StreamPart[] => {
      switch (piece.kind) {
        case "text":
        case "thought":
          return this.#text(piece.kind, piece.text);
        case "call": {
          const id = this.#callId(piece.index);
          const closing = this.close();
          this.#open = { kind: "call", id, name: piece.name, input: "" };
          return [...closing, { type: "tool-input-start", id, toolName: piece.name }];
        }
        case "arguments": {
          if (this.#open?.kind !== "call") return [];
          this.#open.input += piece.text;
          return [{ type: "tool-input-delta", id: this.#open.id, delta: piece.text }];
        }
      }
    });
  }

  #text(kind: "text" | "thought", delta: string): LanguageModelV4StreamPart[] {
    const name = BLOCKS[kind];
    if (this.#open?.kind === kind) return [{ type: `${name}-delta`, id: this.#open.id, delta }];
    const id = String(this.#blocks++);
    const closing = this.close();
    this.#open = { kind, id };
    return [...closing, { type: `${name}-start`, id }, { type: `${name}-delta`, id, delta }];
  }

  /** Ends the block that is open. */
  close(): LanguageModelV4StreamPart[] {
    const open = this.#open;
    this.#open = null;
    if (open === null) return [];
    if (open.kind !== "call") return [{ type: `${BLOCKS[open.kind]}-end`, id: open.id }];
    const end = { type: "tool-input-end", id: open.id } as const;
    if (!isJson(open.input)) return [end];
    this.hasCalls = true;
    return [end, { type: "tool-call", toolCallId: open.id, toolName: open.name, input: open.input }];
  }
}
