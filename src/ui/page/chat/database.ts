/** Conversations, kept by the browser and nowhere else. @module */

import type { Conversation } from "./conversation.ts";

const NAME = "kumi";
const STORE = "conversations";

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  return opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  return await new Promise((resolve, reject) => {
    const request = use(database.transaction(STORE, mode).objectStore(STORE));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** All of them, the last one first. */
export async function loadConversations(): Promise<Conversation[]> {
  const all = await run<Conversation[]>("readonly", (store) => store.getAll());
  return all.sort((a, b) => b.updatedAt - a.updatedAt);
}

export async function keepConversation(conversation: Conversation): Promise<void> {
  await run("readwrite", (store) => store.put(conversation));
}

export async function deleteConversation(id: string): Promise<void> {
  await run("readwrite", (store) => store.delete(id));
}

export async function deleteConversations(): Promise<void> {
  await run("readwrite", (store) => store.clear());
}
