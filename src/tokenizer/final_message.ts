/**
 * Cuts a rendered conversation off where the text of its last message ends, so that an answer goes on with
 * it. A character that occurs nowhere else is put behind that text, and the template carries it along. A
 * space follows it: where that is gone, the template trims messages, and the space at the end of the last one
 * has to go, too, as the model has never seen it there.
 */

import type { ChatMessage } from "./conversation.ts";
import type { OwnedText } from "./user_marks.ts";

/** The conversation with the sentinel behind its last text. */
export function withSentinel(messages: readonly ChatMessage[], sentinel: string): ChatMessage[] {
  const last = messages.at(-1)!;
  return [...messages.slice(0, -1), { ...last, content: `${last.content}${sentinel} ` }];
}

/**
 * The text up to the sentinel; null where the template has not written it. `content`: the last message's
 * text.
 */
export function cutAtSentinel(
  { text, userOwned }: OwnedText,
  sentinel: string,
  content: string,
): OwnedText | null {
  const at = text.lastIndexOf(sentinel);
  if (at < 0) return null;
  const isTrimmed = text[at + 1] !== " ";
  const spaces = content.trim() === "" ? 0 : content.length - content.trimEnd().length;
  return without({ text, userOwned }, sentinel, isTrimmed ? at - spaces : at);
}

/**
 * A template may write a message more than once: the beginning up to `end`, without the sentinel and its
 * space.
 */
function without({ text, userOwned }: OwnedText, sentinel: string, end: number): OwnedText {
  if (text.indexOf(sentinel) >= end) {
    return { text: text.slice(0, end), userOwned: userOwned.subarray(0, end) };
  }
  let kept = "";
  const owned: number[] = [];
  for (let i = 0; i < end; i++) {
    if (text[i] === sentinel) {
      if (text[i + 1] === " ") i++;
      continue;
    }
    kept += text[i];
    owned.push(userOwned[i]);
  }
  return { text: kept, userOwned: Uint8Array.from(owned) };
}
