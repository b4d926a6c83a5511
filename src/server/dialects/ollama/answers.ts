/** Answers as Ollama's clients know them: one object, or a line for each part. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { ApiError, ErrorShape } from "../../api_error.ts";
import {
  type AnswerManner,
  AnswerReader,
  type Piece,
  piecesOf,
  textIn,
  thoughtIn,
} from "../../../client/conversation/pieces.ts";
import { callId, inputOf, type OpenCall } from "../conversation/tools.ts";
import type { Asked, EventWriter, SoFar, StreamFormat } from "../dialect.ts";
import { receiptField } from "../own.ts";

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

/** A call as clients know it: its arguments are an object. */
interface Call {
  readonly id: string;
  readonly function: { readonly index: number; readonly name: string; readonly arguments: unknown };
}

/** What a part of an answer says. */
interface Told {
  readonly text?: string;
  readonly thought?: string;
  readonly calls?: readonly Call[];
}

/** The object of a part, which does not end the answer. */
function partOf(
  { modelName }: Pick<Asked, "modelName">,
  place: Place,
  { text = "", thought = "", calls = [] }: Told,
) {
  const thinking = thought === "" ? {} : { thinking: thought };
  const tool_calls = calls.length === 0 ? {} : { tool_calls: calls };
  const told = place === "message"
    ? { message: { role: "assistant", content: text, ...thinking, ...tool_calls } }
    : { response: text, ...thinking };
  return { model: modelName, created_at: new Date().toISOString(), ...told };
}

function callOf({ id }: Asked, { index, name, text }: OpenCall): Call {
  return { id: callId(id, 0, index), function: { index, name, arguments: inputOf(text) } };
}

const nanoseconds = (ms: number) => Math.round(ms * 1e6);

/** How an answer ended, what was counted, and how long it took. */
function ending(result: GenerationResult) {
  const { finishReason, usage, timings: { totalMs, ttftMs = totalMs, queueMs = 0 } } = result;
  return {
    done: true,
    done_reason: finishReason === "stop" ? "stop" : "length",
    total_duration: nanoseconds(totalMs),
    load_duration: 0,
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: nanoseconds(Math.max(0, ttftMs - queueMs)),
    eval_count: usage.completionTokens,
    eval_duration: nanoseconds(Math.max(0, totalMs - ttftMs)),
    ...receiptField(result),
  };
}

/** The model is there: the answer to a request that asks for nothing. */
export function loaded(asked: Asked, place: Place) {
  return { ...partOf(asked, place, {}), done: true, done_reason: "load" };
}

/** The model leaves, and nothing else was asked for. */
export function dismissed(modelName: string, place: Place) {
  return { ...partOf({ modelName }, place, {}), done: true, done_reason: "unload" };
}

export function wholeAnswer(asked: Asked, place: Place, manner: AnswerManner, result: GenerationResult) {
  const pieces = piecesOf(result, manner);
  const calls = pieces.flatMap((piece) =>
    piece.kind === "call" ? [callOf(asked, { ...piece, text: piece.arguments })] : []
  );
  const told = { text: textIn(pieces), thought: thoughtIn(pieces), calls };
  return { ...partOf(asked, place, told), ...ending(result) };
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
  readonly #manner: AnswerManner;
  #reader: AnswerReader;
  /** A call that has begun: clients get calls whole. */
  #call?: OpenCall;

  constructor(asked: Asked, place: Place, manner: AnswerManner) {
    this.#asked = asked;
    this.#place = place;
    this.#manner = manner;
    this.#reader = new AnswerReader(manner);
  }

  first(_index: number, { thoughts }: SoFar): string {
    this.#reader = new AnswerReader(this.#manner, thoughts);
    return "";
  }

  part(_index: number, { text }: { text: string }): string {
    return this.#write(this.#reader.push(text));
  }

  last(_index: number, result: GenerationResult): string {
    const end = { ...partOf(this.#asked, this.#place, {}), ...ending(result) };
    return this.#write(this.#reader.end()) + this.#endCall() + line(end);
  }

  end(): string {
    return "";
  }

  error(error: ApiError): string {
    return line(OLLAMA_ERRORS.body(error));
  }

  #write(pieces: readonly Piece[]): string {
    return pieces.map((piece) => {
      switch (piece.kind) {
        case "call": {
          const before = this.#endCall();
          this.#call = { index: piece.index, name: piece.name, text: "" };
          return before;
        }
        case "arguments":
          this.#call = { ...this.#call!, text: this.#call!.text + piece.text };
          return "";
        case "thought":
          return this.#line({ thought: piece.text });
        case "text":
          return this.#endCall() + this.#line({ text: piece.text });
      }
    }).join("");
  }

  #endCall(): string {
    const call = this.#call;
    this.#call = undefined;
    return call === undefined ? "" : this.#line({ calls: [callOf(this.#asked, call)] });
  }

  #line(told: Told): string {
    return line({ ...partOf(this.#asked, this.#place, told), done: false });
  }
}
