/** Answers as Anthropic's clients know them: whole, and as a stream of blocks. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { ApiError } from "../../api_error.ts";
import { eventText } from "../../sse.ts";
import {
  type AnswerManner,
  AnswerReader,
  type Piece,
  piecesOf,
  type WholePiece,
} from "../../../client/conversation/pieces.ts";
import { inputOf } from "../conversation/tools.ts";
import type { Asked, EventWriter, SoFar } from "../dialect.ts";
import { receiptField } from "../own.ts";
import { ANTHROPIC_ERRORS } from "./errors.ts";

function messageOf({ id, modelName }: Asked, rest: object) {
  return { id: `msg_${id}`, type: "message", role: "assistant", model: modelName, ...rest };
}

function ending({ finishReason, stop }: GenerationResult, hasCalls: boolean) {
  if (hasCalls && finishReason === "stop") return { stop_reason: "tool_use", stop_sequence: null };
  if (finishReason !== "stop") return { stop_reason: "max_tokens", stop_sequence: null };
  return typeof stop === "string"
    ? { stop_reason: "stop_sequence", stop_sequence: stop }
    : { stop_reason: "end_turn", stop_sequence: null };
}

/** What was known of the prompt is counted apart. */
function usageOf({ usage: { promptTokens, cachedTokens, completionTokens } }: GenerationResult) {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

/** Thoughts come back as they are: nobody checks them. */
const UNSIGNED = "";

/** The id of a call. */
const toolUseId = (asked: Asked, index: number) => `toolu_${asked.id}_${index}`;

export function wholeMessage(asked: Asked, result: GenerationResult, manner: AnswerManner) {
  const pieces = piecesOf(result, manner);
  return messageOf(asked, {
    content: pieces.map((piece) => blockOf(asked, piece)),
    ...ending(result, pieces.some(({ kind }) => kind === "call")),
    usage: usageOf(result),
    ...receiptField(result),
  });
}

function blockOf(asked: Asked, piece: WholePiece) {
  switch (piece.kind) {
    case "text":
      return { type: "text", text: piece.text };
    case "thought":
      return { type: "thinking", thinking: piece.text, signature: UNSIGNED };
    case "call":
      return {
        type: "tool_use",
        id: toolUseId(asked, piece.index),
        name: piece.name,
        input: inputOf(piece.arguments),
      };
  }
}

/** A stream: the message, its blocks one after the other, its end. */
export class MessageEvents implements EventWriter {
  readonly #asked: Asked;
  readonly #manner: AnswerManner;
  #reader: AnswerReader;
  /** The kind of the block that has begun and not ended. */
  #open?: "text" | "call" | "thought";
  #index = 0;

  constructor(asked: Asked, manner: AnswerManner) {
    this.#asked = asked;
    this.#manner = manner;
    this.#reader = new AnswerReader(manner);
  }

  first(_index: number, { promptTokens, thoughts }: SoFar): string {
    this.#reader = new AnswerReader(this.#manner, thoughts);
    const message = messageOf(this.#asked, {
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: promptTokens, output_tokens: 0 },
    });
    return event("message_start", { message });
  }

  part(_index: number, { text }: { text: string }): string {
    return this.#write(this.#reader.push(text));
  }

  last(_index: number, result: GenerationResult): string {
    const rest = this.#write(this.#reader.end()) + this.#close();
    const delta = ending(result, this.#reader.hasCalls);
    return rest + event("message_delta", { delta, usage: usageOf(result), ...receiptField(result) });
  }

  end(): string {
    return event("message_stop", {});
  }

  error(error: ApiError): string {
    return eventText(ANTHROPIC_ERRORS.body(error), "error");
  }

  #write(pieces: readonly Piece[]): string {
    let events = "";
    for (const piece of pieces) {
      if (piece.kind === "call") {
        const block = {
          type: "tool_use",
          id: toolUseId(this.#asked, piece.index),
          name: piece.name,
          input: {},
        };
        events += this.#begin("call", block);
      } else if (piece.kind === "arguments") {
        events += this.#delta({ type: "input_json_delta", partial_json: piece.text });
      } else if (piece.kind === "thought") {
        if (this.#open !== "thought") {
          events += this.#begin("thought", { type: "thinking", thinking: "", signature: UNSIGNED });
        }
        events += this.#delta({ type: "thinking_delta", thinking: piece.text });
      } else {
        if (this.#open !== "text") events += this.#begin("text", { type: "text", text: "" });
        events += this.#delta({ type: "text_delta", text: piece.text });
      }
    }
    return events;
  }

  #begin(kind: "text" | "call" | "thought", content_block: object): string {
    const closing = this.#close();
    this.#open = kind;
    return closing + event("content_block_start", { index: this.#index, content_block });
  }

  #delta(delta: object): string {
    return event("content_block_delta", { index: this.#index, delta });
  }

  #close(): string {
    if (this.#open === undefined) return "";
    const signed = this.#open === "thought"
      ? this.#delta({ type: "signature_delta", signature: UNSIGNED })
      : "";
    this.#open = undefined;
    return signed + event("content_block_stop", { index: this.#index++ });
  }
}

/** An event has its type as its name, too. */
function event(type: string, data: object): string {
  return eventText({ type, ...data }, type);
}
