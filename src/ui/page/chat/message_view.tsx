/** What the reader, or a tool, has written. @module */

import { useEffect, useRef, useState } from "preact/hooks";
import { CopyButton } from "../core/copy.tsx";
import { Icon } from "../core/icon.tsx";
import { useWords } from "../core/words.ts";
import { resend } from "./actions.ts";
import { Branches } from "./branches.tsx";
import type { Conversation, Turn } from "./conversation.ts";

export function MessageView({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const words = useWords();
  const [isEditing, setEditing] = useState(false);
  if (turn.role === "tool") {
    return (
      <div class="tool-result">
        <span class="tag">
          <Icon name="tool" /> {words.toolResult}
        </span>
        <pre tabIndex={0}>{turn.text}</pre>
      </div>
    );
  }
  if (isEditing) return <Editor turn={turn} close={() => setEditing(false)} />;
  return (
    <article class="message" aria-label={words.you}>
      {turn.files?.map(({ name, text }) => (
        <details class="file" key={name}>
          <summary>
            <Icon name="docs" /> {name}
          </summary>
          <pre tabIndex={0}>{text}</pre>
        </details>
      ))}
      <p class="plain">{turn.text}</p>
      <footer class="actions">
        <Branches conversation={conversation} turn={turn} />
        <button
          type="button"
          class="quiet"
          onClick={() => setEditing(true)}
          title={words.edit}
          aria-label={words.edit}
        >
          <Icon name="edit" />
        </button>
        <CopyButton text={turn.text} />
      </footer>
    </article>
  );
}

function Editor({ turn, close }: { turn: Turn; close: () => void }) {
  const words = useWords();
  const [text, setText] = useState(turn.text);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current!.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    close();
    resend(turn, text);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  return (
    <form class="editor" onSubmit={submit}>
      <textarea
        value={text}
        rows={Math.min(12, text.split("\n").length + 1)}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKey}
        aria-label={words.edit}
        ref={area}
      />
      <p class="muted">{words.editHint}</p>
      <div class="row end">
        <button type="button" class="plain-button" onClick={close}>{words.cancel}</button>
        <button type="submit" class="main" disabled={text.trim() === ""}>{words.send}</button>
      </div>
    </form>
  );
}
