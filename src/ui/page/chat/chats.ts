/** The conversations of this browser, and which one is shown. @module */

import { Store } from "../core/store.ts";
import { type Conversation, newConversation } from "./conversation.ts";
import { deleteConversation, deleteConversations, keepConversation, loadConversations } from "./database.ts";

/** The last one first. Only those with messages. */
export const chats = new Store<readonly Conversation[]>([]);
export const current = new Store<Conversation>(newConversation(Date.now()));
/** Whether the browser refuses to keep conversations. */
export const isForgetful = new Store(false);

/** Shows what was kept. */
export async function openChats(): Promise<void> {
  try {
    chats.set(await loadConversations());
  } catch {
    isForgetful.set(true);
  }
}

/** Changes a conversation, wherever it is shown. `isKept`: whether it is worth writing down already. */
export function change(id: string, alter: (before: Conversation) => Conversation, isKept = true): void {
  const before = current.value.id === id ? current.value : chats.value.find((each) => each.id === id);
  if (before === undefined) return;
  const after = alter(before);
  if (current.value.id === id) current.set(after);
  chats.set(
    [after, ...chats.value.filter((each) => each.id !== id)].sort((a, b) => b.updatedAt - a.updatedAt),
  );
  if (isKept) keepConversation(after).catch(() => isForgetful.set(true));
}

export function startChat(): void {
  current.set(newConversation(Date.now()));
}

export function showChat(conversation: Conversation): void {
  current.set(conversation);
}

export async function removeChat(id: string): Promise<void> {
  chats.set(chats.value.filter((each) => each.id !== id));
  if (current.value.id === id) startChat();
  await deleteConversation(id).catch(() => isForgetful.set(true));
}

export async function removeAllChats(): Promise<void> {
  chats.set([]);
  startChat();
  await deleteConversations().catch(() => isForgetful.set(true));
}

/** Adds conversations from a file; those that are there already are replaced. */
export function addChats(added: readonly Conversation[]): void {
  const ids = new Set(added.map(({ id }) => id));
  chats.set(
    [...added, ...chats.value.filter(({ id }) => !ids.has(id))].sort((a, b) => b.updatedAt - a.updatedAt),
  );
  for (const each of added) keepConversation(each).catch(() => isForgetful.set(true));
}
