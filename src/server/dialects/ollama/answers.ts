/** Answers as Ollama's clients know them: one object, or a line for each part. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { ApiError, ErrorShape } from "../../api_error.ts";
import { AnswerReader, type Piece, readAnswer } from "../../../client/conversation/pieces.ts";
import type { Asked, EventWriter, StreamFormat } from "../dialect.ts";

export const OLLAMA_ERRORS = { body: ({ message }: ApiError) => ({ error: message }) } satisfies ErrorShape;

/** Clients send a tag with a model's name. */
export function withoutTag(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const { model, name } = body as Record<string, unknown>;
  const plain = (value: unknown) => typeof value === "string" ? value.replace(/:latest$/, "") : value;
  return {
    ...body,
    ...model === undefined ? {} : { model: plain(model) },
    ...name === undefined ? {} : { name: plain(name) },
  };
}

/** Where the text of an answer stands: a message, or the object itself. */
export type Place = "message" | "response";

/** The object of a part, which does not end the answer. */
function partOf({ modelName }: Asked, place: Place, text: string) {
  const told = place === "message" ? { message: { role: "assistant", content: text } } : { response: text };
  return { model: modelName, created_at: new Date().toISOString(), ...told };
}

const nanoseconds = (ms: number) => Math.round(ms * 1e6);

/** How an answer ended, what was counted, and how long it took. */
function ending(
  { finishReason, usage, timings: { totalMs, ttftMs = totalMs, queueMs = 0 } }: GenerationResult,
) {
  return {
    done: true,
    done_reason: finishReason === "stop" ? "stop" : "length",
    total_duration: nanoseconds(totalMs),
    load_duration: 0,
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: nanoseconds(Math.max(0, ttftMs - queueMs)),
    eval_count: usage.completionTokens,
    eval_duration: nanoseconds(Math.max(0, totalMs - ttftMs)),
  };
}

/** The model is there: the answer to a request that asks for nothing. */
export function loaded(asked: Asked, place: Place) {
  return { ...partOf(asked, place, ""), done: true, done_reason: "load" };
}

export function wholeAnswer(asked: Asked, place: Place, result: GenerationResult) {
  const text = readAnswer(result).map((piece) => piece.kind === "text" ? piece.text : "").join("");
  return { ...partOf(asked, place, text), ...ending(result) };
}

/** What a stream is one of. */
export const LINES = "application/x-ndjson";
const line = (data: unknown) => `${JSON.stringify(data)}\n`;

/** A stream of lines. */
export class LineEvents implements EventWriter {
  /** White space before an object is a part of no line's meaning. */
  readonly format: StreamFormat = { contentType: LINES, keepAlive: " " };
  readonly #asked: Asked;
  readonly #place: Place;
  readonly #reader = new AnswerReader();

  constructor(asked: Asked, place: Place) {
    this.#asked = asked;
    this.#place = place;
  }

  first(): string {
    return "";
  }

  part(_index: number, { text }: { text: string }): string {
    return this.#write(this.#reader.push(text));
  }

  last(_index: number, result: GenerationResult): string {
    const end = { ...partOf(this.#asked, this.#place, ""), ...ending(result) };
    return this.#write(this.#reader.end()) + line(end);
  }

  end(): string {
    return "";
  }

  error(error: ApiError): string {
    return line(OLLAMA_ERRORS.body(error));
  }

  #write(pieces: readonly Piece[]): string {
    const texts = pieces.flatMap((piece) => piece.kind === "text" ? [piece.text] : []);
    return texts.map((text) => line({ ...partOf(this.#asked, this.#place, text), done: false })).join(
      "",
    );
  }
}
