/** The proof of an answer: asked for again with its seed, it must come again, letter by letter. @module */

import { isAbort } from "../core/api.ts";
import { type Answer, answers } from "./answer.ts";
import { type Conversation, type Turn, turnsBefore } from "./conversation.ts";
import { chatBody } from "./request.ts";

export type Proof =
  | { readonly state: "running"; readonly share: number }
  | { readonly state: "same"; readonly characters: number; readonly hash: string | null; readonly ms: number }
  | { readonly state: "different"; readonly at: number; readonly was: string; readonly is: string }
  | { readonly state: "failed"; readonly message: string };

/** All that a model has said in an answer, as one text. */
function saidIn({ text, reasoning = "", calls = [] }: Pick<Turn, "text" | "reasoning" | "calls">): string {
  const called = calls.map(({ name, arguments: given }) => `${name}(${given})`);
  return [reasoning, text, ...called].join("\u0000");
}

/** Asks for an answer again and compares. `tell` hears how far it is. */
export async function prove(
  conversation: Conversation,
  turn: Turn,
  tell: (proof: Proof) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const was = saidIn(turn);
  // What was stopped can only be compared as far as it had come.
  const isWhole = turn.state !== "stopped";
  const end = new AbortController();
  const body = chatBody(turnsBefore(conversation, turn), turn.asked!);
  let last: Answer | undefined;
  try {
    for await (last of answers(body, AbortSignal.any([signal, end.signal]))) {
      tell({ state: "running", share: Math.min(1, saidIn(last).length / Math.max(1, was.length)) });
      if (!isWhole && saidIn(last).length >= was.length) end.abort();
    }
  } catch (error) {
    if (!end.signal.aborted) {
      if (!isAbort(error)) tell({ state: "failed", message: (error as Error).message });
      return;
    }
  }
  const all = last === undefined ? "" : saidIn(last);
  const is = isWhole ? all : all.slice(0, was.length);
  if (is === was) {
    tell({
      state: "same",
      characters: [...turn.text].length,
      hash: await hashOf(is),
      ms: performance.now() - startedAt,
    });
  } else tell(differenceOf(was, is));
}

const AROUND = 24;

function differenceOf(was: string, is: string): Proof {
  let at = 0;
  while (at < Math.min(was.length, is.length) && was[at] === is[at]) at++;
  const part = (text: string) => text.slice(Math.max(0, at - AROUND), at + AROUND);
  return { state: "different", at, was: part(was), is: part(is) };
}

/** The beginning of SHA-256; null where the browser has none, as without a secure context. */
async function hashOf(text: string): Promise<string | null> {
  if (crypto.subtle === undefined) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
