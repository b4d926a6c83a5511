/** Answers as Anthropic's clients know them: whole, and as a stream of blocks. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { ApiError } from "../../api_error.ts";
import { eventText } from "../../sse.ts";
import { AnswerReader, type Piece, readAnswer } from "../conversation/pieces.ts";
import type { Asked, EventWriter, SoFar } from "../dialect.ts";
import { ANTHROPIC_ERRORS } from "./errors.ts";

function messageOf({ id, modelName }: Asked, rest: object) {
  return { id: `msg_${id}`, type: "message", role: "assistant", model: modelName, ...rest };
}

function ending({ finishReason, stop }: GenerationResult) {
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

export function wholeMessage(asked: Asked, result: GenerationResult) {
  return messageOf(asked, {
    content: readAnswer(result).map(({ text }) => ({ type: "text", text })),
    ...ending(result),
    usage: usageOf(result),
  });
}

/** A stream: the message, its blocks one after the other, its end. */
export class MessageEvents implements EventWriter {
  readonly #asked: Asked;
  readonly #reader = new AnswerReader();
  /** The kind of the block that has begun and not ended. */
  #open?: Piece["kind"];
  #index = 0;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  first(_index: number, { promptTokens }: SoFar): string {
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
    const end = event("message_delta", { delta: ending(result), usage: usageOf(result) });
    return this.#write(this.#reader.end()) + this.#close() + end;
  }

  end(): string {
    return event("message_stop", {});
  }

  error(error: ApiError): string {
    return eventText(ANTHROPIC_ERRORS.body(error), "error");
  }

  #write(pieces: readonly Piece[]): string {
    let events = "";
    for (const { kind, text } of pieces) {
      if (this.#open !== kind) {
        events += this.#close();
        this.#open = kind;
        events += event("content_block_start", {
          index: this.#index,
          content_block: { type: "text", text: "" },
        });
      }
      events += event("content_block_delta", {
        index: this.#index,
        delta: { type: "text_delta", text },
      });
    }
    return events;
  }

  #close(): string {
    if (this.#open === undefined) return "";
    this.#open = undefined;
    return event("content_block_stop", { index: this.#index++ });
  }
}

/** An event has its type as its name, too. */
function event(type: string, data: object): string {
  return eventText({ type, ...data }, type);
}
