/** Files that are texts. @module */

import type { AttachedFile } from "./conversation.ts";

/** Longer files are refused: no context has room for them. */
const BYTES_MAX = 1_000_000;

/** Reads what is UTF-8 text; the names of all others are in `refused`. */
export async function readFiles(
  files: Iterable<File>,
): Promise<{ read: readonly AttachedFile[]; refused: readonly string[] }> {
  const read: AttachedFile[] = [], refused: string[] = [];
  for (const file of files) {
    const text = file.size > BYTES_MAX ? null : textOf(new Uint8Array(await file.arrayBuffer()));
    if (text === null) refused.push(file.name);
    else read.push({ name: file.name, text });
  }
  return { read, refused };
}

function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
