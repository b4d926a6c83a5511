/** The options of objects and of chats with tools. @module */

import { isRecord, oneOf, wrongType } from "../../protocol/arguments.ts";
import { CHAT, type ChatOptions } from "../../protocol/options/generation.ts";
import { boolean, integer, own } from "../../protocol/options/kind.ts";
import { type Agreement, checksOf, type OptionTable } from "../../protocol/options/option.ts";
import { type ChatTool, isTools } from "./tools.ts";

/** How an object is made: as an answer in a conversation. All optional. */
export interface ObjectOptions extends Omit<ChatOptions, "grammar" | "tools"> {
  /** Whether the system message tells the model of the schema, which costs its tokens. Default true. */
  tellSchema?: boolean;
}

/** Which tool must be called. */
export type ChatToolChoice = "auto" | "required" | { readonly name: string };

/** How a chat with tools goes. All but the tools optional. */
export interface ToolChatOptions extends Omit<ChatOptions, "grammar" | "tools"> {
  /** The functions that the model may call, by name. */
  tools: Readonly<Record<string, ChatTool>>;
  /** Whether the first answer may call tools ("auto"), must ("required"), or must call the one of this name. Default "auto". */
  toolChoice?: ChatToolChoice;
  /** Whether an answer may call several tools. Default true. */
  parallelToolCalls?: boolean;
  /** Most answers of the model. Default 8. */
  maxRounds?: number;
}

const { grammar: _grammar, tools: _tools, ...PLAIN } = CHAT;

/** Of objects. */
export const OBJECT = {
  ...PLAIN,
  tellSchema: {
    kind: boolean,
    default: true,
    doc: "whether the system message tells the model of the schema",
  },
} as const satisfies OptionTable;

const CHOICES = ["auto", "required"];

function isChoice(label: string, choice: unknown): void {
  if (typeof choice === "string") return oneOf(CHOICES)(label, choice);
  isRecord(label, choice);
  const { name } = choice as { name?: unknown };
  if (typeof name !== "string") throw wrongType(`${label}.name`, "the name of a tool", name);
}

/** Of chats with tools. */
export const TOOL_CHAT = {
  ...PLAIN,
  tools: {
    kind: own<Readonly<Record<string, ChatTool>>>(isTools),
    doc: "functions that the model may call, by name",
  },
  toolChoice: {
    kind: own<ChatToolChoice>(isChoice),
    default: "auto",
    doc: 'whether the first answer may call tools, must ("required"), or must call the one of this name',
  },
  parallelToolCalls: { kind: boolean, default: true, doc: "whether an answer may call several tools" },
  maxRounds: { kind: integer(1, 1000), default: 8, doc: "most answers of the model" },
} as const satisfies OptionTable;

true satisfies Agreement<ObjectOptions, typeof OBJECT>;
true satisfies Agreement<Partial<ToolChatOptions>, typeof TOOL_CHAT>;

export const OBJECT_CHECKS = checksOf(OBJECT);
export const TOOL_CHAT_CHECKS = checksOf(TOOL_CHAT);
