/** Tools that an answer may call: what the prompt says of them, and what the answer may be. @module */

import type { GrammarSource } from "../../grammar/mod.ts";
import { TOOL_FORMATS, type ToolFormat } from "../../grammar/tools/format.ts";
import type { ToolDeclaration } from "../../grammar/tools/prompt.ts";
import type { ToolCalls } from "../../protocol/model_info.ts";
import type { ChatMessage } from "../../protocol/request.ts";

/** Tools that an answer may call. */
export interface ToolRequest {
  readonly tools: readonly ToolDeclaration[];
  /** Whether it may call one, must, or must call the one of this name. */
  readonly choice: "auto" | "required" | { readonly name: string };
  /** Whether it may call several. */
  readonly parallel: boolean;
}

/** What tools make of the prompt and of the options of an answer. */
export interface Calling {
  readonly shape: { readonly tools: readonly ToolDeclaration[] };
  readonly options: { readonly grammar: GrammarSource; readonly specialTokens: true };
}

/** A request for tools that cannot be. */
export class ToolRequestError extends RangeError {
  override readonly name = "ToolRequestError";
  /** What is wrong: the tools themselves, or the choice among them. */
  readonly about: "tools" | "choice";

  constructor(about: "tools" | "choice", message: string) {
    super(message);
    this.about = about;
  }
}

/** The format in which a model writes calls. */
export function formatNamed({ format }: ToolCalls): ToolFormat {
  return TOOL_FORMATS.find(({ name }) => name === format)!;
}

/**
 * `answer`: what an answer must be that calls none. Throws a ToolRequestError for a choice of a tool that is not there, and for two
 * tools of one name.
 */
export function callingOf(
  { tools, choice, parallel }: ToolRequest,
  { format, control }: ToolCalls,
  answer?: GrammarSource,
): Calling {
  const names = tools.map((tool) => tool.function.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ToolRequestError("tools", `"tools" has two functions named ${JSON.stringify(twice)}`);
  }
  const wanted = typeof choice === "string"
    ? tools
    : tools.filter((tool) => tool.function.name === choice.name);
  if (wanted.length === 0 && typeof choice !== "string") {
    throw new ToolRequestError(
      "choice",
      `the tool to be called, ${JSON.stringify(choice.name)}, is none of "tools"`,
    );
  }
  const grammar: GrammarSource = {
    kind: "tools",
    format,
    control,
    tools: wanted.map(({ function: { name, parameters } }) => ({ name, parameters })),
    required: choice !== "auto",
    parallel,
    ...answer === undefined ? {} : { answer },
  };
  // The signs of calls may be control tokens, which are no text otherwise.
  return { shape: { tools }, options: { grammar, specialTokens: true } };
}

/**
 * The id of a call behind a conversation; `index`: its number within the answer. Nine letters and digits, which is what some templates want,
 * and the same for the same call, so that prompts are, too.
 */
export function callIdAfter(messages: readonly ChatMessage[], index: number): string {
  const before = messages.reduce((sum, { tool_calls = [] }) => sum + tool_calls.length, 0);
  return `call${String(before + index).padStart(5, "0")}`;
}
