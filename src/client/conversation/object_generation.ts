/** Objects that a model writes by a schema. @module */

import { withSystemText } from "../../grammar/tools/prompt.ts";
import type { FinishReason } from "../../protocol/answer.ts";
import type { ChatMessage } from "../../protocol/request.ts";
import type { Generation, GenerationResult } from "../generation.ts";
import { partialJson } from "./partial_json.ts";
import { type AnySchema, checkValue, issuesText, type SchemaIssue } from "./schema.ts";

/** A finished object. */
export interface ObjectResult<T> extends GenerationResult {
  /** The value as its schema gives it back: with defaults filled in and transforms done. */
  object: T;
}

/** As much of a value as has come: members and items may be missing, strings be cut. */
export type PartialObject<T> = T extends readonly (infer Item)[] ? PartialObject<Item>[]
  : T extends (...args: never[]) => unknown ? T
  : T extends object ? { [K in keyof T]?: PartialObject<T[K]> }
  : T;

/** There is no object: its text ended too soon, or the schema's own checks refuse it. */
export class ObjectError extends Error {
  override readonly name = "ObjectError";
  /** What the model wrote. */
  readonly text: string;
  /** Why the text ended: "length" where `maxTokens` or the context came first. */
  readonly finishReason: FinishReason;
  /** What the schema's checks say; empty where the text is no whole JSON. */
  readonly issues: readonly SchemaIssue[];

  constructor(
    message: string,
    { text, finishReason }: GenerationResult,
    issues: readonly SchemaIssue[] = [],
  ) {
    super(message);
    this.text = text;
    this.finishReason = finishReason;
    this.issues = issues;
  }
}

/**
 * An object on its way. Iterate it for as much as has come, or await `result` for the whole; both may be done. Leaving the loop early
 * ends the answer. A loop that ends by itself has seen a value that fits; otherwise it throws what `result` rejects with.
 *
 * ```ts
 * import { loadModel } from "@kumi/kumi";
 *
 * await using model = await loadModel("demo");
 * const schema = { type: "object", properties: { name: { type: "string", maxLength: 9 } }, required: ["name"] };
 * const answer = model.generateObject([{ role: "user", content: "Anna is 31. As JSON:" }], schema);
 * for await (const part of answer) console.log(part.name);
 * console.log((await answer.result).object.name);
 * ```
 */
export class ObjectGeneration<T> implements AsyncIterable<PartialObject<T>> {
  /** The object. Rejects with an ObjectError where there is none, the signal's reason, and as a Generation's. */
  readonly result: Promise<ObjectResult<T>>;
  readonly #generation: Generation;

  /** `signal`: the caller's. Use `model.generateObject()`. */
  constructor(generation: Generation, schema: AnySchema, signal?: AbortSignal) {
    this.#generation = generation;
    this.result = generation.result.then((result) => checked<T>(result, schema, signal));
    // A caller who only iterates learns of an error there.
    this.result.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PartialObject<T>, void, void> {
    let text = "", told = "";
    for await (const part of this.#generation) {
      text += part;
      const value = partialJson(text);
      const now = JSON.stringify(value);
      if (value === undefined || now === told) continue;
      told = now;
      yield value as PartialObject<T>;
    }
    await this.result;
  }
}

async function checked<T>(
  result: GenerationResult,
  schema: AnySchema,
  signal?: AbortSignal,
): Promise<ObjectResult<T>> {
  const { finishReason, usage: { completionTokens } } = result;
  if (finishReason === "abort") signal?.throwIfAborted();
  const value = parsed(result.text);
  // A number that was cut is a number, too.
  const isWhole = value !== undefined &&
    (finishReason === "stop" || typeof value === "object" && value !== null);
  if (!isWhole) {
    const why = finishReason === "stop"
      ? "a stop string or token ended it"
      : `finishReason is "${finishReason}"`;
    throw new ObjectError(
      `The answer ended before its JSON was whole, after ${completionTokens} tokens: ${why}`,
      result,
    );
  }
  const { issues, ...rest } = await checkValue(schema, value);
  if (issues !== undefined) {
    throw new ObjectError(
      `The object does not fit its schema's own checks: ${issuesText(issues)}`,
      result,
      issues,
    );
  }
  return { ...result, object: (rest as { value: T }).value };
}

/** Undefined where the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A conversation whose system message has the schema, too. */
export function withSchemaPrompt(messages: readonly ChatMessage[], schema: unknown): ChatMessage[] {
  return withSystemText(
    messages,
    `Answer with JSON that fits this JSON Schema, and nothing else:\n${JSON.stringify(schema)}`,
  );
}
