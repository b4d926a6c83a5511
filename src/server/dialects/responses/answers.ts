/** Answers as clients of OpenAI's Responses know them: whole, and as a stream of events. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import { type ApiError, OPENAI_ERRORS } from "../../api_error.ts";
import { eventText } from "../../sse.ts";
import type { FieldsOf } from "../../schema/read.ts";
import { AnswerReader, type Piece, readAnswer } from "../conversation/pieces.ts";
import type { Asked, EventWriter } from "../dialect.ts";
import type { RESPONSES_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof RESPONSES_BODY>;
type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** A part of a message that is whole. */
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

  itemId(index: number): string {
    return `msg_${this.#asked.id}_${index}`;
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
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: reasoning?.effort ?? null, summary: null },
      store: false,
      temperature: temperature ?? null,
      text: { format: { type: "text" } },
      tool_choice: "auto",
      tools: [],
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
    const { finishReason, usage: { promptTokens, cachedTokens, completionTokens } } = result;
    const isWhole = finishReason === "stop";
    return this.response(isWhole ? "completed" : "incomplete", output, {
      ...isWhole ? {} : { incomplete_details: { reason: "max_output_tokens" } },
      usage: {
        input_tokens: promptTokens,
        input_tokens_details: { cached_tokens: cachedTokens },
        output_tokens: completionTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: promptTokens + completionTokens,
      },
    });
  }
}

export function wholeResponse(asked: Asked, fields: Fields, result: GenerationResult) {
  const writer = new Writer(asked, fields);
  const status = result.finishReason === "stop" ? "completed" : "incomplete";
  return writer.ended(result, readAnswer(result).map(({ text }, i) => writer.item(i, text, status)));
}

/** A stream: the response, its items with their parts, each begun, told and closed. */
export class ResponseEvents implements EventWriter {
  readonly #writer: Writer;
  readonly #reader = new AnswerReader();
  /** Items that are whole. */
  readonly #output: unknown[] = [];
  /** The kind of the item that has begun and not ended, and its text so far. */
  #open?: Piece["kind"];
  #text = "";
  #sequence = 0;

  constructor(asked: Asked, fields: Fields) {
    this.#writer = new Writer(asked, fields);
  }

  first(): string {
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
    for (const { kind, text } of pieces) {
      if (this.#open !== kind) events += this.#close("completed") + this.#begin(kind);
      this.#text += text;
      events += this.#event("response.output_text.delta", { ...this.#place(), delta: text, logprobs: [] });
    }
    return events;
  }

  #begin(kind: Piece["kind"]): string {
    this.#open = kind;
    this.#text = "";
    const index = this.#output.length;
    const item = this.#writer.item(index, "", "in_progress");
    return this.#event("response.output_item.added", { output_index: index, item }) +
      this.#event("response.content_part.added", { ...this.#place(), part: textPart("") });
  }

  #close(status: Status): string {
    if (this.#open === undefined) return "";
    const place = this.#place();
    const item = this.#writer.item(this.#output.length, this.#text, status);
    const events = this.#event("response.output_text.done", { ...place, text: this.#text, logprobs: [] }) +
      this.#event("response.content_part.done", { ...place, part: textPart(this.#text) }) +
      this.#event("response.output_item.done", { output_index: place.output_index, item });
    this.#output.push(item);
    this.#open = undefined;
    return events;
  }

  #place() {
    const index = this.#output.length;
    return { item_id: this.#writer.itemId(index), output_index: index, content_index: 0 };
  }

  #event(type: string, data: object): string {
    return eventText({ type, sequence_number: this.#sequence++, ...data }, type);
  }
}
