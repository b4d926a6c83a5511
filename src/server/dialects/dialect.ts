/**
 * What an endpoint is. A dialect says in one file which fields its requests have, what they ask of the
 * engine, how answers and errors are written, and what the documents say of it; routing, keys, limits and
 * metrics know nothing of that.
 *
 * @module
 */

import type { GenerationResult } from "../../client/generation.ts";
import type { ThoughtsAt } from "../../grammar/thoughts/format.ts";
import type { AnswerPart } from "../../protocol/answer.ts";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import type { Model } from "../../client/model.ts";
import type { Pooling, Prompt } from "../../protocol/request.ts";
import type { ApiError, ErrorShape } from "../api_error.ts";
import type { ListedModel } from "../models.ts";
import type { PortableChat } from "./conversation/portable.ts";
import type { ObjectSchema } from "../schema/fields.ts";
import { type FieldsOf, type OnUnknown, readFields } from "../schema/read.ts";

/** What a dialect's file says. It has either `plan` or `reply`. */
export interface DialectParts<S extends ObjectSchema = ObjectSchema> {
  /** What it is for, in a sentence. */
  readonly summary: string;
  /** What comes back, in words. */
  readonly answer: string;
  /** The fields of its body; none: it has no body, and is asked with GET. */
  readonly body?: S;
  /** The smallest body that makes sense. */
  readonly example?: unknown;
  /** Whether the answer can be a stream of events, or what else it is a stream of: a content type. */
  readonly streams?: true | string;
  /** Statuses of errors that it can have beside those that all have. */
  readonly errorStatuses: readonly number[];
  /** How errors are written; default: as OpenAI's clients know them. */
  readonly errors?: ErrorShape;
  /** Of OpenAI's interface: the path, behind the base URL, at which other servers take the same body. */
  readonly forwards?: string;
  /** Of other interfaces: whether requests for conversations can be asked of another server in OpenAI's. */
  readonly isPortable?: true;
  /**
   * What of a model `reply` asks: default all of it; "info": what it is, so that it need not be in memory where
   * that is known; "nothing": there need be none.
   */
  readonly needs?: "model" | "info" | "nothing";
  /** What a request says of how long its model stays in memory. Throws an ApiError, 400. */
  keeping?(fields: FieldsOf<S>): Keeping | undefined;
  /** What stands for its body where clients wrap some of it. Throws an ApiError, 400. */
  unpack?(body: unknown): unknown;
  /** What a request asks of the engine, and how that is answered. Throws an ApiError, 400. */
  plan?(fields: FieldsOf<S>, asked: Asked): Plan | Promise<Plan>;
  /** The JSON of the answer to a request that asks nothing of the engine's steps. Throws an ApiError, 400. */
  reply?(fields: FieldsOf<S>, asked: Asked): unknown;
}

/** How long a model stays in memory after a request. */
export interface Keeping {
  /** Infinity: for as long as there is room. */
  readonly ms: number;
  /** Whether the request asks for nothing else. */
  readonly only: boolean;
  /** The answer to a request that asks for nothing but that the model leaves. */
  dismissed(modelName: string): unknown;
}

/** One endpoint. */
export interface Dialect extends DialectParts {
  /** The fields of a body. Throws an ApiError, 400. With `onUnknown` unknown fields are ignored. */
  read(body: unknown, onUnknown?: OnUnknown): Record<string, unknown>;
}

/** A dialect of its parts; the types of its fields follow from `body`. */
export function dialect<S extends ObjectSchema>(parts: DialectParts<S>): Dialect {
  const { body, unpack = (body) => body } = parts;
  return {
    ...parts,
    read: (given, onUnknown) => body === undefined ? {} : readFields(body, unpack(given), onUnknown),
  };
}

/** A request beside its body. */
export interface Asked {
  /** The server's own id of it. */
  readonly id: string;
  /** When it came, in seconds since 1970. */
  readonly created: number;
  readonly headers: Headers;
  /** Hash of the caller's key; "" where no keys are asked for. */
  readonly tenant: string;
  /** The model that it chose, and its name here. */
  readonly model: Pick<Model, "info" | "tokenize" | "detokenize" | "renderChat">;
  readonly modelName: string;
  /** For how long the request had to wait for it, in ms; undefined: it had not. */
  readonly waitedMs?: number;
  /** All models of the server. Throws an ApiError, 503, where they cannot be told yet. */
  readonly served: () => readonly ListedModel[];
}

/** A text to be generated. */
export interface Generating {
  readonly kind: "generating";
  readonly prompt: Prompt;
  readonly options: ChatOptions;
  /** The field that says what the answer must be, for messages about it. */
  readonly grammarField?: string;
}

/** A text to be embedded. */
export interface Embedding {
  readonly kind: "embedding";
  readonly prompt: Prompt;
  readonly pooling: Pooling;
  readonly options: Pick<ChatOptions, "class" | "deadlineMs" | "priority" | "tenant">;
}

/** What one answer needs of the engine. */
export type Work = Generating | Embedding;

/** What a request asks of the engine, and how the answers are written, in the order of the works. */
export interface Plan {
  readonly works: readonly Work[];
  /** Name of the latency class. */
  readonly class: string;
  /** The conversation that it answers, where another server can be asked the same. */
  readonly chat?: PortableChat;
  /** The JSON of the response. */
  whole(results: readonly GenerationResult[]): unknown;
  /** Set: the answer is a stream. */
  readonly events?: EventWriter;
}

/** Tokens of an answer so far. */
export interface SoFar {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Where the answer begins, if the model marks its thoughts. */
  readonly thoughts?: ThoughtsAt;
}

/** How a stream is sent that is not one of server-sent events. */
export interface StreamFormat {
  readonly contentType: string;
  /** What may be sent where nothing else is, so that nobody takes the connection for dead. */
  readonly keepAlive: string;
}

/**
 * Writes a stream. Each function gives the text of as many events as it wants, made with `eventText`;
 * `index`: whose of the plan's works they are.
 */
export interface EventWriter {
  /** Default: server-sent events. */
  readonly format?: StreamFormat;
  /** Before the first part of an answer, together with it. */
  first(index: number, soFar: SoFar): string;
  /** What one step, or several that the client has not read yet, added to an answer. */
  part(index: number, part: Omit<AnswerPart, "tokens">, soFar: SoFar): string;
  /** An answer has ended. */
  last(index: number, result: GenerationResult, soFar: SoFar): string;
  /** All have: the stream's own end. */
  end(results: readonly GenerationResult[]): string;
  /** The last thing that a client hears where something went wrong. */
  error(error: ApiError): string;
}

/** Where a dialect is spoken. */
export interface Endpoint {
  readonly path: string;
  /** Another path at which it answers, too. */
  readonly alias?: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Headers in which its clients send their key, beside those that count everywhere. */
  readonly keyHeaders?: readonly string[];
  /** Loaded when a server begins: the library does without. */
  load(): Promise<Dialect>;
}
