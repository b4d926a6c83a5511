/** Answers as clients of OpenAI's Responses know them: whole, and as a stream of events. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import { type ApiError, OPENAI_ERRORS } from "../../api_error.ts";
import { eventText } from "../../sse.ts";
import type { FieldsOf } from "../../schema/read.ts";
import type { ToolFormat } from "../../../grammar/tools/format.ts";
import { AnswerReader, type Piece, readAnswer } from "../../../client/conversation/pieces.ts";
import { callId } from "../conversation/tools.ts";
import type { Asked, EventWriter } from "../dialect.ts";
import type { RESPONSES_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof RESPONSES_BODY>;
type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** A call that is being told. */
interface OpenCall {
  readonly index: number;
  readonly name: string;
  readonly text: string;
}

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

export function wholeResponse(asked: Asked, fields: Fields, result: GenerationResult, format?: ToolFormat) {
  const writer = new Writer(asked, fields);
  const status = result.finishReason === "stop" ? "completed" : "incomplete";
  const items = readAnswer(result, format).map((piece, i) =>
    piece.kind === "text"
      ? writer.item(i, piece.text, status)
      : writer.call(i, { index: piece.index, name: piece.name, text: piece.arguments }, status)
  );
  return writer.ended(result, items);
}

/** A stream: the response, its items with their parts, each begun, told and closed. */
export class ResponseEvents implements EventWriter {
  readonly #writer: Writer;
  readonly #reader: AnswerReader;
  /** Items that are whole. */
  readonly #output: unknown[] = [];
  /** The kind of the item that has begun and not ended, and its text or call so far. */
  #open?: "text" | "call";
  #text = "";
  #call: OpenCall = { index: 0, name: "", text: "" };
  #sequence = 0;

  constructor(asked: Asked, fields: Fields, format?: ToolFormat) {
    this.#writer = new Writer(asked, fields);
    this.#reader = new AnswerReader(format);
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
        if (this.#open !== "text") events += this.#close("completed") + this.#beginText();
        this.#text += piece.text;
        events += this.#event("response.output_text.delta", {
          ...this.#place(),
          delta: piece.text,
          logprobs: [],
        });
      }
    }
    return events;
  }

  #beginText(): string {
    this.#open = "text";
    this.#text = "";
    const index = this.#output.length;
    const item = this.#writer.item(index, "", "in_progress");
    return this.#event("response.output_item.added", { output_index: index, item }) +
      this.#event("response.content_part.added", { ...this.#place(), part: textPart("") });
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
    const place = this.#place();
    const { item_id, output_index } = place;
    const isCall = this.#open === "call";
    const item = isCall
      ? this.#writer.call(output_index, this.#call, status)
      : this.#writer.item(output_index, this.#text, status);
    const events = isCall
      ? this.#event("response.function_call_arguments.done", {
        item_id,
        output_index,
        arguments: this.#call.text,
      })
      : this.#event("response.output_text.done", { ...place, text: this.#text, logprobs: [] }) +
        this.#event("response.content_part.done", { ...place, part: textPart(this.#text) });
    this.#output.push(item);
    this.#open = undefined;
    return events + this.#event("response.output_item.done", { output_index, item });
  }

  #place() {
    const index = this.#output.length;
    return { item_id: this.#writer.itemId(index), output_index: index, content_index: 0 };
  }

  #event(type: string, data: object): string {
    return eventText({ type, sequence_number: this.#sequence++, ...data }, type);
  }
}
