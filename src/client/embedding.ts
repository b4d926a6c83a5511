/** Embeddings as a caller asks for them. @module */

import { anyOf, checkNumber, isString, isTokens, wrongType } from "../protocol/arguments.ts";
import { ModelError } from "../models/error.ts";
import type { FilePooling } from "../models/hyperparameters.ts";
import type { EmbedOptions } from "../protocol/options/generation.ts";
import type { Generation, GenerationResult } from "./generation.ts";
import { normalized } from "../protocol/normalized.ts";
import { type Pooling, POOLINGS, type Prompt } from "../protocol/request.ts";

/** Embeddings of texts. */
export interface Embeddings {
  /** One for each text, in their order: f32, of length 1. */
  embeddings: Float32Array[];
  /** Tokens of all texts together. */
  promptTokens: number;
}

/** So many texts of a call are on their way at the same time: enough to fill steps, and the class's queue stays for others, too. */
export const IN_FLIGHT_MAX = 32;

/** A text, a list of token ids, or a list of one of these. */
export type EmbedInput = string | readonly number[] | readonly (string | readonly number[])[];

const isText = anyOf(
  "a text or a list of token ids",
  (value) => typeof value === "string" ? isString : null,
  (value) => typeof value === "object" && value !== null ? isTokens : null,
);

/** The texts of an input. Throws a RangeError for none, a TypeError for what is none. */
export function toTexts(input: EmbedInput): Prompt[] {
  if (typeof input !== "string" && !Array.isArray(input) && !ArrayBuffer.isView(input)) {
    throw wrongType("input", "a text, a list of token ids, or a list of these", input);
  }
  const isOne = typeof input === "string" || typeof input[0] === "number";
  const texts = (isOne ? [input] : input) as readonly (string | readonly number[])[];
  if (texts.length === 0) throw new RangeError("There is no text to embed, current count is 0");
  texts.forEach((text, i) => isText(isOne ? "input" : `input[${i}]`, text));
  return texts.map((text) => typeof text === "string" ? { text } : { tokens: [...text] });
}

/**
 * What is asked for, else what the file says, else the mean. Throws a ModelError where the file says something that is not
 * supported and nobody asks for something else.
 */
export function resolvePooling(asked: Pooling | undefined, file: FilePooling): Pooling {
  if (asked !== undefined) return asked;
  if (file === "none") return "mean";
  if (file === "mean" || file === "last") return file;
  throw new ModelError(
    `The model's file says that its embeddings are pooled by "${file}", which is not supported; there are ${
      POOLINGS.map((each) => `"${each}"`).join(" and ")
    }`,
  );
}

/** Checks `dimensions`; `hidden`: what the model has. Throws a RangeError. */
export function checkDimensions(dimensions: number | undefined, hidden: number): void {
  if (dimensions !== undefined) checkNumber("dimensions", dimensions, { min: 1, max: hidden, integer: true });
}

/** The vector of a request that has ended. Throws a DOMException for one that ended before. */
export function embeddingOf(
  { embedding, finishReason }: GenerationResult,
  dimensions?: number,
): Float32Array {
  if (embedding === undefined) {
    const isLate = finishReason === "deadline";
    throw new DOMException(
      isLate ? "The embedding was not there by its deadline" : "The embedding was aborted",
      isLate ? "TimeoutError" : "AbortError",
    );
  }
  const isCut = dimensions !== undefined && dimensions < embedding.length;
  return isCut ? normalized(embedding.subarray(0, dimensions)) : embedding;
}

/** Asks for all texts, some at a time; when one fails the others are ended. */
export async function embedAll(
  texts: readonly Prompt[],
  start: (text: Prompt, signal: AbortSignal) => Generation,
  { signal, dimensions }: EmbedOptions,
): Promise<Embeddings> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const results = await inOrder(texts, async (text) => {
    signal?.throwIfAborted();
    try {
      const result = await start(text, either).result;
      signal?.throwIfAborted();
      return { embedding: embeddingOf(result, dimensions), tokens: result.usage.promptTokens };
    } catch (error) {
      stop.abort();
      throw error;
    }
  }, IN_FLIGHT_MAX);
  return {
    embeddings: results.map(({ embedding }) => embedding),
    promptTokens: results.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

/** `work` on all items, `inFlight` at a time. Rejects with the first error, and then begins no more. */
export async function inOrder<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => R | Promise<R>,
  inFlight: number,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index], index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, items.length) }, lane));
  return results;
}
