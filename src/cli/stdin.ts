/** Text from stdin. @module */

import { UsageError } from "./command.ts";

const TEXT_BYTES_MAX = 64 * 1024 * 1024;

/** All of stdin as text; a terminal is asked for nothing and refused instead. */
export async function readStdinText(): Promise<string> {
  if (Deno.stdin.isTerminal()) throw new UsageError("no text given: pass it as an argument or through stdin");
  const chunks: string[] = [];
  let size = 0;
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    size += chunk.length;
    if (size > TEXT_BYTES_MAX) throw new RangeError(`text on stdin is over ${TEXT_BYTES_MAX} characters`);
    chunks.push(chunk);
  }
  return chunks.join("");
}
