/** A conversation as a tree: whoever edits or asks again begins a branch, and nothing is lost. @module */

import type { Figures } from "./figures.ts";
import type { ChatSettings } from "./settings.ts";

/** A text file that goes with a message. */
export interface AttachedFile {
  readonly name: string;
  readonly text: string;
}

/** A call of a tool as the model wrote it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export type TurnState = "done" | "running" | "stopped" | "cut" | "failed";

/** What went wrong, as far as it is worth keeping. */
export interface KeptFailure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retrySeconds?: number;
}

/** One message. */
export interface Turn {
  readonly id: string;
  readonly parent: string | null;
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
  readonly at: number;
  readonly files?: readonly AttachedFile[];
  /** Of an answer. */
  readonly reasoning?: string;
  readonly calls?: readonly ToolCall[];
  readonly state: TurnState;
  readonly failure?: KeptFailure;
  readonly figures?: Figures;
  /** With what it was asked for, seed included: the same again gives the same answer. */
  readonly asked?: ChatSettings & { readonly seed: number };
  /** Of a result: the call that it belongs to. */
  readonly callId?: string;
}

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly turns: Readonly<Record<string, Turn>>;
  /** By parent, or "" for the first message: which branch is shown. */
  readonly chosen: Readonly<Record<string, string>>;
}

const TITLE_CHARACTERS = 120;

export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0"))
    .join("");
}

export function newConversation(now: number): Conversation {
  return { id: newId(), title: "", createdAt: now, updatedAt: now, turns: {}, chosen: {} };
}

/** The messages that are shown, from the first to the last. */
export function shownTurns({ turns, chosen }: Conversation): Turn[] {
  const shown: Turn[] = [];
  for (let key = ""; Object.hasOwn(chosen, key);) {
    const turn = turns[chosen[key]];
    // A damaged import must not lead around in a circle.
    if (turn === undefined || shown.includes(turn)) break;
    shown.push(turn);
    key = turn.id;
  }
  return shown;
}

/** The messages before one, from the first. */
export function turnsBefore({ turns }: Conversation, turn: Turn): Turn[] {
  const before: Turn[] = [];
  for (let each = turn.parent; each !== null && turns[each] !== undefined; each = turns[each].parent) {
    before.unshift(turns[each]);
    if (before.length > Object.keys(turns).length) break;
  }
  return before;
}

/** A message and those in its place, in the order in which they were written. */
export function siblings({ turns }: Conversation, { parent }: Turn): Turn[] {
  return Object.values(turns).filter((each) => each.parent === parent).sort((a, b) => a.at - b.at);
}

/** With another message, which is shown. */
export function withTurn(conversation: Conversation, turn: Turn): Conversation {
  const title = conversation.title === "" && turn.role === "user"
    ? turn.text.trim().replace(/\s+/g, " ").slice(0, TITLE_CHARACTERS)
    : conversation.title;
  return {
    ...conversation,
    title,
    updatedAt: turn.at,
    turns: { ...conversation.turns, [turn.id]: turn },
    chosen: { ...conversation.chosen, [turn.parent ?? ""]: turn.id },
  };
}

/** With a message as it is now. Nothing changes where it is gone. */
export function withChange(conversation: Conversation, id: string, change: Partial<Turn>): Conversation {
  const turn = conversation.turns[id];
  if (turn === undefined) return conversation;
  return { ...conversation, turns: { ...conversation.turns, [id]: { ...turn, ...change } } };
}

/** With the branch that begins with a message. */
export function withChoice(conversation: Conversation, { parent, id }: Turn): Conversation {
  return { ...conversation, chosen: { ...conversation.chosen, [parent ?? ""]: id } };
}

/** The text of a message as the model reads it, files included. */
export function contentOf({ text, files = [] }: Pick<Turn, "text" | "files">): string {
  const parts = files.map(({ name, text }) =>
    `${JSON.stringify(name)}:\n${fence(text)}\n${text}\n${fence(text)}`
  );
  return [...parts, text].filter((part) => part !== "").join("\n\n");
}

/** A fence that does not occur in a text. */
function fence(text: string): string {
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  return "`".repeat(Math.max(3, longest + 1));
}
