/** Which of several messages in one place is shown. @module */

import { Icon } from "../core/icon.tsx";
import { fill, useWords } from "../core/words.ts";
import { change } from "./chats.ts";
import { type Conversation, siblings, type Turn, withChoice } from "./conversation.ts";

export function Branches({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const words = useWords();
  const all = siblings(conversation, turn);
  if (all.length < 2) return null;
  const at = all.findIndex(({ id }) => id === turn.id);
  const show = (to: number) => change(conversation.id, (before) => withChoice(before, all[to]));
  return (
    <span class="branches" role="group" aria-label={words.branches}>
      <button
        type="button"
        class="quiet"
        disabled={at === 0}
        onClick={() => show(at - 1)}
        aria-label={words.previousBranch}
      >
        <Icon name="left" />
      </button>
      <span aria-label={fill(words.branchOf, { i: at + 1, n: all.length })}>{at + 1}/{all.length}</span>
      <button
        type="button"
        class="quiet"
        disabled={at === all.length - 1}
        onClick={() => show(at + 1)}
        aria-label={words.nextBranch}
      >
        <Icon name="right" />
      </button>
    </span>
  );
}
