/** The order in which many prompts are computed: those that begin alike one after another. @module */

import type { RequestLine } from "./request_line.ts";

/** Prompts are compared at multiples of so many characters. */
const BLOCK_CHARACTERS = 64;
/** Beginnings longer than this many blocks count as alike. */
const BLOCKS_MAX = 4096;
/** What shapes a prompt, in the order in which chat templates write it. */
const PROMPT_FIELDS = ["model", "pooling", "tools", "instructions", "messages", "prompt", "input"] as const;

/** Hashes of a prompt's blocks of characters: prompts that begin alike have the first ones in common. */
export type PrefixKey = Uint32Array;

/**
 * The key of a request. It is made of the request's fields and not of the prompt's tokens, so that nothing has to
 * be tokenized twice: what begins alike there begins alike in the prompt.
 */
export function prefixKey({ path, body }: Pick<RequestLine, "path" | "body">): PrefixKey {
  const parts = PROMPT_FIELDS.map((name) => body[name] === undefined ? "" : JSON.stringify(body[name]));
  const text = [path, ...parts].join("\n");
  const key = new Uint32Array(Math.min(Math.ceil(text.length / BLOCK_CHARACTERS), BLOCKS_MAX));
  for (let i = 0; i < key.length; i++) key[i] = hash(text, i * BLOCK_CHARACTERS);
  return key;
}

/** FNV-1a of a block; that two blocks have the same is rare and only costs time. */
function hash(text: string, start: number): number {
  const end = Math.min(start + BLOCK_CHARACTERS, text.length);
  let value = 0x811c9dc5;
  for (let i = start; i < end; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** Blocks that two prompts have in common. */
export function sharedBlocks(a: PrefixKey, b: PrefixKey): number {
  const most = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
}

/** Characters that two prompts have in common, at least. */
export function sharedCharacters(a: PrefixKey, b: PrefixKey): number {
  return sharedBlocks(a, b) * BLOCK_CHARACTERS;
}

/**
 * In the order of a walk through the tree of all beginnings. So whatever is shared is used until nobody needs
 * it any more before the next is computed: a prefix cache that holds what one prompt needs beside the running
 * ones has each shared beginning once (Zheng et al. 2024, theorem 3.1). Prompts that are the same keep their order.
 */
export function inPrefixOrder<T extends { readonly key: PrefixKey }>(entries: readonly T[]): T[] {
  return entries.toSorted(({ key: a }, { key: b }) => {
    const i = sharedBlocks(a, b);
    return i < a.length && i < b.length ? a[i] - b[i] : a.length - b.length;
  });
}
