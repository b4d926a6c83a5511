/** The messages, which follow the newest one as long as the reader is there. @module */

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../core/icon.tsx";
import { useWords } from "../core/words.ts";
import type { Conversation, Turn } from "./conversation.ts";
import { AnswerView } from "./answer_view.tsx";
import { MessageView } from "./message_view.tsx";

/** Nearer to the end than this, the view follows, in pixels. */
const NEAR = 80;

export function Thread({ conversation, turns }: { conversation: Conversation; turns: readonly Turn[] }) {
  const words = useWords();
  const box = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const [isAway, setAway] = useState(false);
  const end = () => {
    const { current } = box;
    if (current !== null) current.scrollTop = current.scrollHeight;
  };
  useEffect(() => {
    isFollowing.current = true;
    end();
  }, [conversation.id, turns.length]);
  useEffect(() => {
    if (isFollowing.current) end();
  });
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    isFollowing.current = scrollHeight - scrollTop - clientHeight < NEAR;
    setAway(!isFollowing.current);
  };
  const last = turns.at(-1);
  return (
    <div
      class="thread"
      ref={box}
      onScroll={onScroll}
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label={words.messages}
    >
      <ol>
        {turns.map((turn) => (
          <li key={turn.id} class={`turn ${turn.role}`}>
            {turn.role === "assistant"
              ? <AnswerView conversation={conversation} turn={turn} isLast={turn === last} />
              : <MessageView conversation={conversation} turn={turn} />}
          </li>
        ))}
      </ol>
      <Announcement turn={last} />
      {isAway && (
        <button type="button" class="to-end" onClick={end} aria-label={words.toEnd} title={words.toEnd}>
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** For screen readers: a whole answer when it is there, and not each of its pieces. */
function Announcement({ turn }: { turn?: Turn }) {
  const words = useWords();
  const text = turn?.role !== "assistant"
    ? ""
    : turn.state === "running"
    ? words.answering
    : turn.state === "failed"
    ? words.answerFailed
    : `${words.answerDone} ${turn.text}`;
  return <p class="unseen" role="status" aria-live="polite">{text}</p>;
}
