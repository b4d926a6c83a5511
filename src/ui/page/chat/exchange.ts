/** Conversations as a file. @module */

import type { Conversation, Turn } from "./conversation.ts";

const FORMAT = "kumi-conversations";
const ROLES = new Set(["user", "assistant", "tool"]);

export function exportText(conversations: readonly Conversation[]): string {
  return JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 1);
}

/** Throws a TypeError where a text is no export. */
export function importText(text: string): Conversation[] {
  const value: unknown = JSON.parse(text);
  const { format, conversations } = (value ?? {}) as { format?: unknown; conversations?: unknown };
  if (format !== FORMAT || !Array.isArray(conversations)) {
    throw new TypeError("not an export of conversations");
  }
  return conversations.map(readConversation);
}

function readConversation(value: Partial<Conversation>): Conversation {
  const { id, title, createdAt, updatedAt, turns, chosen } = value;
  if (typeof id !== "string" || typeof turns !== "object" || turns === null) {
    throw new TypeError("a conversation without messages");
  }
  return {
    id,
    title: String(title ?? ""),
    createdAt: Number(createdAt) || 0,
    updatedAt: Number(updatedAt) || 0,
    turns: Object.fromEntries(Object.entries(turns).filter(([, turn]) => isTurn(turn))),
    chosen: Object.fromEntries(Object.entries(chosen ?? {}).filter(([, to]) => typeof to === "string")),
  };
}

function isTurn(turn: Partial<Turn>): boolean {
  return typeof turn?.id === "string" && ROLES.has(turn.role ?? "") && typeof turn.text === "string";
}
