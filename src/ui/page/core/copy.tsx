/** A button that copies a text. @module */

import { useState } from "preact/hooks";
import { useWords } from "./words.ts";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 1500;

export function CopyButton({ text, label }: { text: string | (() => string); label?: string }) {
  const words = useWords();
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    await copyText(typeof text === "string" ? text : text());
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  return (
    <button
      type="button"
      class="quiet"
      onClick={copy}
      title={label ?? words.copy}
      aria-label={label ?? words.copy}
    >
      <Icon name={isDone ? "check" : "copy"} />
      <span class="unseen" role="status">{isDone ? words.copied : ""}</span>
    </button>
  );
}

async function copyText(text: string): Promise<void> {
  // Without a secure context, as on another machine's address, there is no clipboard.
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
