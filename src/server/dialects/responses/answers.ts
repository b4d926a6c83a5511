/** Answers as clients of OpenAI's Responses know them: whole, and as a stream of events. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import { type ApiError, OPENAI_ERRORS } from "../../api_error.ts";
import { eventText } from "../../sse.ts";
import type { FieldsOf } from "../../schema/read.ts";
import {
  type AnswerManner,
  AnswerReader,
  type Piece,
  piecesOf,
  type WholePiece,
} from "../../../client/conversation/pieces.ts";
import { callId, type OpenCall } from "../conversation/tools.ts";
import type { Asked, EventWriter, SoFar } from "../dialect.ts";
import { receiptField } from "../own.ts";
import type { RESPONSES_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof RESPONSES_BODY>;
type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** A part of a message that is whole. */
const thoughtPart = (text: string) => ({ type: "reasoning_text", text });
const textPart = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });

/** The objects of one response. */
class Writer {
  readonly #asked: Asked;
  readonly #fields: Fields;

  constructor(asked: Asked, fields: Fields) {
    this.#asked = asked;
    this.#fields = fields;
  }

  /** The item at a place of the output. */
  item(index: number, text: string, status: Status) {
    const content = status === "in_progress" ? [] : [textPart(text)];
    return { id: this.itemId(index), type: "message", status, role: "assistant", content };
  }

  /** Thoughts at a place of the output. */
  thoughts(index: number, text: string, status: Status) {
    const content = status === "in_progress" ? [] : [thoughtPart(text)];
    return { id: this.itemId(index, "rs"), type: "reasoning", status, summary: [], content };
  }

  /** A call at a place of the output; `index`: its number among the calls. */
  call(place: number, { index, name, text }: OpenCall, status: Status) {
    const { id } = this.#asked;
    return {
      id: this.itemId(place),
      type: "function_call",
      status,
      call_id: callId(id, 0, index),
      name,
      arguments: text,
    };
  }

  itemId(index: number, prefix = "msg"): string {
    return `${prefix}_${this.#asked.id}_${index}`;
  }

  response(status: Status, output: readonly unknown[], more: object = {}) {
    const { id, created, modelName } = this.#asked;
    const { instructions, max_output_tokens, temperature, top_p, reasoning } = this.#fields;
    return {
      id: `resp_${id}`,
      object: "response",
      created_at: created,
      status,
      background: false,
      error: null,
      incomplete_details: null,
      instructions: instructions ?? null,
      max_output_tokens: max_output_tokens ?? null,
      max_tool_calls: null,
      model: modelName,
      output,
      parallel_tool_calls: this.#fields.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: reasoning?.effort ?? null, summary: null },
      store: false,
      temperature: temperature ?? null,
      text: { format: this.#fields.text?.format ?? { type: "text" } },
      tool_choice: this.#fields.tool_choice ?? "auto",
      tools: this.#fields.tools ?? [],
      top_logprobs: 0,
      top_p: top_p ?? null,
      truncation: "disabled",
      usage: null,
      metadata: {},
      ...more,
    };
  }

  /** The response once its answer is whole. */
  ended(result: GenerationResult, output: readonly unknown[]) {
    const { finishReason, usage } = result;
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 } = usage;
    const isWhole = finishReason === "stop";
    return this.response(isWhole ? "completed" : "incomplete", output, {
      ...isWhole ? {} : { incomplete_details: { reason: "max_output_tokens" } },
      usage: {
        input_tokens: promptTokens,
        input_tokens_details: { cached_tokens: cachedTokens },
        output_tokens: completionTokens,
        output_tokens_details: { reasoning_tokens: reasoningTokens },
        total_tokens: promptTokens + completionTokens,
      },
      ...receiptField(result),
    });
  }
}

export function wholeResponse(
  asked: Asked,
  fields: Fields,
  result: GenerationResult,
  manner: AnswerManner,
) {
  const writer = new Writer(asked, fields);
  const status = result.finishReason === "stop" ? "completed" : "incomplete";
  const itemOf = (piece: WholePiece, i: number) => {
    if (piece.kind === "text") return writer.item(i, piece.text, status);
    if (piece.kind === "thought") return writer.thoughts(i, piece.text, status);
    return writer.call(i, { index: piece.index, name: piece.name, text: piece.arguments }, status);
  };
  return writer.ended(result, piecesOf(result, manner).map(itemOf));
}

/** A stream: the response, its items with their parts, each begun, told and closed. */
export class ResponseEvents implements EventWriter {
  readonly #writer: Writer;
  readonly #manner: AnswerManner;
  #reader: AnswerReader;
  /** Items that are whole. */
  readonly #output: unknown[] = [];
  /** The kind of the item that has begun and not ended, and its text or call so far. */
  #open?: "text" | "call" | "thought";
  #text = "";
  #call: OpenCall = { index: 0, name: "", text: "" };
  #sequence = 0;

  constructor(asked: Asked, fields: Fields, manner: AnswerManner) {
    this.#writer = new Writer(asked, fields);
    this.#manner = manner;
    this.#reader = new AnswerReader(manner);
  }

  first(_index: number, { thoughts }: SoFar): string {
    this.#reader = new AnswerReader(this.#manner, thoughts);
    const response = this.#writer.response("in_progress", []);
    return this.#event("response.created", { response }) + this.#event("response.in_progress", { response });
  }

  part(_index: number, { text }: { text: string }): string {
    return this.#write(this.#reader.push(text));
  }

  last(_index: number, result: GenerationResult): string {
    const status = result.finishReason === "stop" ? "completed" : "incomplete";
    const closing = this.#write(this.#reader.end()) + this.#close(status);
    return closing +
      this.#event(`response.${status}`, { response: this.#writer.ended(result, this.#output) });
  }

  end(): string {
    return "";
  }

  error(error: ApiError): string {
    const { message, code, param, type } = OPENAI_ERRORS.body(error).error;
    return this.#event("error", { code: code ?? type, message, param });
  }

  #write(pieces: readonly Piece[]): string {
    let events = "";
    for (const piece of pieces) {
      if (piece.kind === "call") {
        events += this.#close("completed") + this.#beginCall(piece);
      } else if (piece.kind === "arguments") {
        this.#call = { ...this.#call, text: this.#call.text + piece.text };
        const { item_id, output_index } = this.#place();
        events += this.#event("response.function_call_arguments.delta", {
          item_id,
          output_index,
          delta: piece.text,
        });
      } else {
        if (this.#open !== piece.kind) events += this.#close("completed") + this.#beginText(piece.kind);
        this.#text += piece.text;
        const delta = { ...this.#place(), delta: piece.text };
        events += piece.kind === "thought"
          ? this.#event("response.reasoning_text.delta", delta)
          : this.#event("response.output_text.delta", { ...delta, logprobs: [] });
      }
    }
    return events;
  }

  #beginText(kind: "text" | "thought"): string {
    this.#open = kind;
    this.#text = "";
    const index = this.#output.length;
    const item = kind === "text"
      ? this.#writer.item(index, "", "in_progress")
      : this.#writer.thoughts(index, "", "in_progress");
    const part = kind === "text" ? textPart("") : thoughtPart("");
    return this.#event("response.output_item.added", { output_index: index, item }) +
      this.#event("response.content_part.added", { ...this.#place(), part });
  }

  #beginCall({ index, name }: Piece & { kind: "call" }): string {
    this.#open = "call";
    this.#call = { index, name, text: "" };
    const place = this.#output.length;
    const item = this.#writer.call(place, this.#call, "in_progress");
    return this.#event("response.output_item.added", { output_index: place, item });
  }

  #close(status: Status): string {
    if (this.#open === undefined) return "";
    const { output_index } = this.#place();
    const [item, events] = this.#closed(this.#open, status);
    this.#output.push(item);
    this.#open = undefined;
    return events + this.#event("response.output_item.done", { output_index, item });
  }

  /** The item that is whole now, and what is told of its parts. */
  #closed(kind: "text" | "call" | "thought", status: Status): [item: unknown, events: string] {
    const place = this.#place();
    const { item_id, output_index } = place;
    const text = this.#text;
    switch (kind) {
      case "call":
        return [
          this.#writer.call(output_index, this.#call, status),
          this.#event("response.function_call_arguments.done", {
            item_id,
            output_index,
            arguments: this.#call.text,
          }),
        ];
      case "thought":
        return [
          this.#writer.thoughts(output_index, text, status),
          this.#event("response.reasoning_text.done", { ...place, text }) +
          this.#event("response.content_part.done", { ...place, part: thoughtPart(text) }),
        ];
      case "text":
        return [
          this.#writer.item(output_index, text, status),
          this.#event("response.output_text.done", { ...place, text, logprobs: [] }) +
          this.#event("response.content_part.done", { ...place, part: textPart(text) }),
        ];
    }
  }

  #place() {
    const index = this.#output.length;
    const prefix = this.#open === "thought" ? "rs" : "msg";
    return { item_id: this.#writer.itemId(index, prefix), output_index: index, content_index: 0 };
  }

  #event(type: string, data: object): string {
    return eventText({ type, sequence_number: this.#sequence++, ...data }, type);
  }
}
