/** Tools with their handlers, as programs hand them over. @module */

import type { ToolDeclaration } from "../../grammar/tools/prompt.ts";
import { fieldsOf, isFunction, isRecord, isString } from "../../protocol/arguments.ts";
import type { ChatMessage } from "../../protocol/request.ts";
import { type AnySchema, checkValue, issuesText, type SchemaOutput, toJsonSchema } from "./schema.ts";

/** A function that a model may call. */
// deno-lint-ignore no-explicit-any
export interface ChatTool<S extends AnySchema = any> {
  /** What it is for, told to the model. */
  readonly description?: string;
  /** The schema of its arguments, an object's; default: any object. */
  readonly parameters?: S;
  /**
   * Does it. What it gives is told to the model: a text as it is, all else as JSON. What it throws is told to the model, too. Without it
   * a call ends the chat, and `pending` has it.
   */
  execute?(args: SchemaOutput<S>, context: ToolContext): unknown;
}

/** What a handler may know beside its arguments. */
export interface ToolContext {
  /** The call's id. */
  readonly id: string;
  /** The conversation so far; the call stands in its last message. */
  readonly messages: readonly ChatMessage[];
  /** Aborted when the chat is: the caller's signal, or a loop over it that was left. */
  readonly signal: AbortSignal;
}

/** A call of a tool. */
export interface ChatCall {
  readonly id: string;
  readonly name: string;
  /** What the model wrote, which fits the JSON Schema of the tool's parameters. */
  readonly arguments: unknown;
}

/** A call and what became of it. */
export interface ToolResult extends ChatCall {
  /** What the handler gave; undefined where it failed. */
  readonly output?: unknown;
  /** What was thrown, or why the arguments were refused. */
  readonly error?: Error;
  /** What the model is told. */
  readonly text: string;
}

/**
 * A tool whose handler's arguments have the type that follows from their schema.
 *
 * ```ts
 * import { tool } from "@kumi/kumi";
 * import { z } from "zod";
 *
 * const add = tool({
 *   description: "Adds two numbers.",
 *   parameters: z.object({ a: z.number(), b: z.number() }),
 *   execute: ({ a, b }) => a + b,
 * });
 * console.log(add.execute?.({ a: 1, b: 2 }, { id: "", messages: [], signal: new AbortController().signal }));
 * ```
 */
export function tool<S extends AnySchema>(declared: ChatTool<S>): ChatTool<S> {
  return declared;
}

const isTool = fieldsOf({ description: isString, parameters: () => {}, execute: isFunction });
const NAME_LENGTH_MAX = 64;

/** Checks tools by name. */
export function isTools(label: string, tools: unknown): void {
  isRecord(label, tools);
  for (const [name, each] of Object.entries(tools as object)) {
    isTool(`${label}.${name}`, each);
    if (name === "" || name.length > NAME_LENGTH_MAX) {
      throw new RangeError(
        `Names of tools must have 1 to ${NAME_LENGTH_MAX} characters, current value is ${
          JSON.stringify(name)
        }`,
      );
    }
  }
}

/** Tools as templates and grammars take them. Throws a TypeError for a schema that is none. */
export function declarationsOf(tools: Readonly<Record<string, ChatTool>>): ToolDeclaration[] {
  return Object.entries(tools).map(([name, { description, parameters }]) => ({
    type: "function",
    function: {
      name,
      ...description === undefined ? {} : { description },
      parameters: parameters === undefined
        ? { type: "object", properties: {} }
        : toJsonSchema(`The schema of tool "${name}"`, parameters),
    },
  }));
}

/** Runs a call. Whatever goes wrong is in the result. */
export async function runCall(
  tool: ChatTool | undefined,
  call: ChatCall,
  context: ToolContext,
): Promise<ToolResult> {
  try {
    if (tool?.execute === undefined) throw new RangeError(`There is no tool named "${call.name}"`);
    const args = await argumentsOf(tool, call);
    const output = await tool.execute(args, context);
    return { ...call, output, text: typeof output === "string" ? output : JSON.stringify(output) ?? "null" };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { ...call, error, text: JSON.stringify({ error: error.message }) };
  }
}

/** The arguments as the tool's schema gives them back. */
async function argumentsOf({ parameters }: ChatTool, call: ChatCall): Promise<unknown> {
  if (parameters === undefined) return call.arguments;
  const { issues, ...rest } = await checkValue(parameters, call.arguments);
  if (issues !== undefined) throw new TypeError(`The arguments do not fit: ${issuesText(issues)}`);
  return (rest as { value: unknown }).value;
}
