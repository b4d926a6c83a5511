import type { RefusalReason } from "../../scheduler/mod.ts";
import { GgufError } from "../gguf/error.ts";
import { CheckpointError } from "../safetensors/error.ts";
import { ModelError } from "../models/error.ts";
import { TemplateError } from "../tokenizer/error.ts";
import { TokenizerError } from "../tokenizer/error.ts";
import type { WireError } from "./answer.ts";

/** The engine is gone: it was closed, it stopped answering, or it died. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}

/**
 * Workers ended while they computed a request, so it is not tried again. Its text so far has been delivered.
 */
export class QuarantineError extends Error {
  override readonly name = "QuarantineError";
  /** So many workers ended. */
  readonly deaths: number;

  constructor(deaths: number, reason: string) {
    super(
      `${deaths} workers ended while they computed this request, it is not tried again; the last: ${reason}`,
    );
    this.deaths = deaths;
  }
}

/** A prompt that fills the context: there is no room for an answer. */
export class ContextError extends RangeError {
  override readonly name = "ContextError";
}

/**
 * Says that a prompt does not fit, in the words by which clients of OpenAI's interface know that: some look
 * for the sentence, some read the numbers in it. `maxTokens`: asked for the answer; undefined: nothing was.
 */
export function contextError(
  contextLength: number,
  { promptTokens, maxTokens, kind }: {
    promptTokens: number;
    maxTokens?: number;
    kind: "messages" | "prompt" | "input";
  },
): ContextError {
  const limit = `This model's maximum context length is ${contextLength} tokens.`;
  const asked = maxTokens === undefined
    ? `your ${kind} resulted in ${promptTokens} tokens`
    : `you requested ${
      promptTokens + maxTokens
    } tokens (${promptTokens} in the ${kind}, ${maxTokens} in the completion)`;
  return new ContextError(
    `${limit} However, ${asked}, which leaves no room for an answer. Please reduce the length of the ${kind}.`,
  );
}

/**
 * Exit status of a program that ends itself because a worker is stuck in native code, where no thread can be
 * stopped.
 */
export const STUCK_EXIT_CODE = 70;

/** A request was not taken: too much waits already, or it would be late. Nothing was computed for it. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly reason: RefusalReason;
  /** When to try again, in ms; undefined: it would be refused always. */
  readonly retryAfterMs?: number;

  constructor(message: string, reason: RefusalReason, retryAfterMs?: number) {
    super(message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

const ERROR_CLASSES: Readonly<Record<string, new (message: string) => Error>> = {
  RangeError,
  TypeError,
  GgufError,
  CheckpointError,
  ModelError,
  TokenizerError,
  TemplateError,
  EngineError,
  ContextError,
};

/** An error as a message can carry it. */
export function toWireError(error: unknown): WireError {
  if (error instanceof RefusedError) {
    const { name, message, reason, retryAfterMs } = error;
    return { name, message, reason, retryAfterMs };
  }
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: "Error", message: String(error) };
}

/** The error that a message carried, of its own class where that is known. */
export function fromWireError({ name, message, reason, retryAfterMs }: WireError): Error {
  if (reason !== undefined) return new RefusedError(message, reason, retryAfterMs);
  const known = Object.hasOwn(ERROR_CLASSES, name) ? ERROR_CLASSES[name] : undefined;
  if (known !== undefined) return new known(message);
  const error = new Error(message);
  error.name = name;
  return error;
}
