/**
 * Conversations as callers write them, and the forms in which a chat template may get them: not every
 * template knows tools or the role "developer", and none may leave out a part of the history because of that.
 */

import { TemplateError } from "./error.ts";

/** Roles a message may have. They are written into the prompt by templates, so there are no others. */
export const CHAT_ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

/** Bounds on a conversation. */
export const CHAT_LIMITS = { messages: 2048 } as const;

/** A call of a function that the assistant made. */
export interface ToolCall {
  readonly id?: string;
  readonly function: {
    readonly name: string;
    /** As JSON text, or the value that it stands for. */
    readonly arguments?: unknown;
  };
}

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: typeof CHAT_ROLES[number];
  readonly content: string;
  /** Who speaks, or the function that a message of role "tool" comes from; for templates that show it. */
  readonly name?: string;
  /** What the assistant thought before it answered, for templates that show it. */
  readonly reasoning_content?: string;
  /** What the assistant called, beside its content. */
  readonly tool_calls?: readonly ToolCall[];
  /** Which call a message of role "tool" answers. */
  readonly tool_call_id?: string;
}

/** How a conversation ends. */
export interface EndingOptions {
  /**
   * Whether the answer goes on with the last message instead of beginning a new one. Default: when the last
   * one is an assistant's text, unless `addGenerationPrompt` is set.
   */
  readonly continueFinalMessage?: boolean;
  /**
   * Whether the prompt ends with the beginning of a new message of the assistant. Default: when nothing is
   * continued.
   */
  readonly addGenerationPrompt?: boolean;
}

/** Whether an answer goes on with the last message. */
export function continuesFinal(
  messages: readonly { readonly role: string; readonly tool_calls?: readonly unknown[] }[],
  { continueFinalMessage, addGenerationPrompt }: EndingOptions,
): boolean {
  if (continueFinalMessage !== undefined) return continueFinalMessage;
  const last = messages.at(-1);
  return addGenerationPrompt === undefined && last?.role === "assistant" && !hasItems(last.tool_calls);
}

/** A checked copy with well-formed texts and parsed arguments. Throws TemplateError. */
export function checkMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  if (messages.length === 0) throw new TemplateError("a conversation must have at least one message");
  if (messages.length > CHAT_LIMITS.messages) {
    throw new TemplateError(
      `a conversation must have at most ${CHAT_LIMITS.messages} messages: it has ${messages.length}`,
    );
  }
  return messages.map((message, index) => {
    const { role, content, name, reasoning_content, tool_calls, tool_call_id } = message;
    if (!CHAT_ROLES.includes(role)) {
      throw new TemplateError(
        `the role of message ${index} must be one of ${CHAT_ROLES.join(", ")}: current value is ${
          JSON.stringify(role)
        }`,
      );
    }
    if (typeof content !== "string") {
      throw new TemplateError(`the content of message ${index} must be a string`);
    }
    for (const [field, value] of Object.entries({ name, reasoning_content, tool_call_id })) {
      if (value !== undefined && typeof value !== "string") {
        throw new TemplateError(`the ${field} of message ${index} must be a string`);
      }
    }
    // Templates ask whether a field is there at all.
    const given: ChatMessage = {
      role,
      content,
      ...name === undefined ? {} : { name },
      ...reasoning_content === undefined ? {} : { reasoning_content },
      ...tool_call_id === undefined ? {} : { tool_call_id },
      ...hasItems(tool_calls) ? { tool_calls: tool_calls.map((call) => checkCall(call, index)) } : {},
    };
    return mapTexts(given, (text) => text.toWellFormed());
  });
}

function checkCall({ id, function: called }: ToolCall, index: number): ToolCall {
  if (typeof called?.name !== "string" || (id !== undefined && typeof id !== "string")) {
    throw new TemplateError(`each of the tool_calls of message ${index} must have a function with a name`);
  }
  const call = { name: called.name, arguments: valueOf(called.arguments) };
  return { ...id === undefined ? {} : { id }, type: "function", function: call } as ToolCall;
}

/** Templates write arguments as JSON themselves; what is no JSON stays text. */
function valueOf(given: unknown): unknown {
  const text = typeof given === "string" ? given : JSON.stringify(given) ?? "{}";
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return text;
  }
}

/** All texts of a message that a caller has written. */
export function textsOf(message: ChatMessage): string[] {
  const texts: string[] = [];
  mapTexts(message, (text) => {
    texts.push(text);
    return text;
  });
  return texts;
}

/** The message with all of its texts changed. */
export function mapTexts(message: ChatMessage, change: (text: string) => string): ChatMessage {
  const { role, ...rest } = message;
  return { role, ...mapValue(rest, change, false) as Omit<ChatMessage, "role"> };
}

/** All texts of declared tools, names of parameters included. */
export function textsIn(value: unknown): string[] {
  const texts: string[] = [];
  mapTools(value, (text) => {
    texts.push(text);
    return text;
  });
  return texts;
}

/** Declared tools with all of their texts changed. */
export function mapTools<T>(tools: T, change: (text: string) => string): T {
  return mapValue(tools, change, true) as T;
}

function mapValue(value: unknown, change: (text: string) => string, mapsKeys: boolean): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((each) => mapValue(each, change, mapsKeys));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => {
    // The names in a message are the program's, those in arguments the caller's. So is no text of "type".
    if (!mapsKeys && key === "type") return [key, inner];
    return [mapsKeys ? change(key) : key, mapValue(inner, change, mapsKeys || key === "arguments")];
  });
  return Object.fromEntries(entries);
}

/** A conversation in the forms that a template with this source may know, best first. */
export function formsOf(messages: readonly ChatMessage[], source: string): ChatMessage[][] {
  let forms: ChatMessage[][] = [[...messages]];
  if (messages.some(({ role }) => role === "developer")) {
    const known = /\bdeveloper\b/.test(source) ? forms : [];
    forms = [...known, ...forms.map((form) => form.map(withoutDeveloper))];
  }
  if (!hasTools(messages)) return forms;
  return forms.flatMap((form) => {
    const texts = form.map(callsAsText);
    return [
      ...source.includes("tool_calls") ? [form, oneCallEach(form)] : [],
      .../["']tool["']/.test(source) ? [texts] : [],
      answersAsUser(texts),
    ];
  });
}

/**
 * Whether a rendered text has what was said beside calls and answered to them: some templates leave it out.
 */
export function keepsTools(rendered: string, messages: readonly ChatMessage[]): boolean {
  const has = (text: string) =>
    rendered.includes(text.trim()) || rendered.includes(JSON.stringify(text).slice(1, -1));
  return messages.every(({ role, content, tool_calls = [] }) => {
    if (role !== "tool" && tool_calls.length === 0) return true;
    // Thoughts may be left out.
    const said = content.split("</think>").at(-1)!;
    return has(said) && tool_calls.every((call) => leavesOf(call.function).every(has));
  });
}

/** All texts within a value. */
function leavesOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leavesOf) : [];
}

function hasTools(messages: readonly ChatMessage[]): boolean {
  return messages.some(({ role, tool_calls }) => role === "tool" || hasItems(tool_calls));
}

/** Some models make one call at a time: each call with its answers behind it. */
function oneCallEach(messages: readonly ChatMessage[]): ChatMessage[] {
  const all: ChatMessage[] = [];
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at];
    const calls = message.tool_calls ?? [];
    if (calls.length < 2) {
      all.push(message);
      continue;
    }
    const answers: ChatMessage[] = [];
    while (messages[at + 1]?.role === "tool") answers.push(messages[++at]);
    const left = new Set(answers);
    calls.forEach((call, i) => {
      all.push({ ...message, content: i === 0 ? message.content : "", tool_calls: [call] });
      const own = answers.filter((answer, place) =>
        left.has(answer) &&
        (answer.tool_call_id === undefined ? place === i : answer.tool_call_id === call.id)
      );
      for (const answer of own) left.delete(answer);
      all.push(...own);
    });
    all.push(...left);
  }
  return all;
}

function withoutDeveloper(message: ChatMessage): ChatMessage {
  return message.role === "developer" ? { ...message, role: "system" } : message;
}

function callsAsText(message: ChatMessage): ChatMessage {
  const { tool_calls, ...rest } = message;
  if (!hasItems(tool_calls)) return message;
  const calls = tool_calls.map((call) => `<tool_call>\n${JSON.stringify(call.function)}\n</tool_call>`);
  return { ...rest, content: [...rest.content === "" ? [] : [rest.content], ...calls].join("\n") };
}

/**
 * Answers of tools as a user's messages. What follows each other is one: many templates want users and
 * assistants in turn.
 */
function answersAsUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const all: ChatMessage[] = [];
  let follows = false;
  for (const message of messages) {
    const isAnswer = message.role === "tool";
    const content = isAnswer ? `<tool_response>\n${message.content}\n</tool_response>` : message.content;
    const last = all.at(-1);
    if (follows && (isAnswer || message.role === "user")) {
      all[all.length - 1] = { ...last!, content: `${last!.content}\n${content}` };
    } else all.push(isAnswer ? { role: "user", content } : message);
    follows = isAnswer || (follows && message.role === "user");
  }
  return all;
}

function hasItems<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}
