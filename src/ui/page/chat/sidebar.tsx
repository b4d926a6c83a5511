/** The conversations that this browser keeps. @module */

import { useRef } from "preact/hooks";
import { Icon } from "../core/icon.tsx";
import { useStore } from "../core/store.ts";
import { fill, useWords } from "../core/words.ts";
import { addChats, chats, current, removeAllChats, removeChat, showChat, startChat } from "./chats.ts";
import { exportText, importText } from "./exchange.ts";

export function Sidebar({ close }: { close: () => void }) {
  const words = useWords();
  const all = useStore(chats);
  const { id: shown } = useStore(current);
  return (
    <nav class="sidebar" aria-label={words.chats}>
      <button
        type="button"
        class="new-chat"
        onClick={() => {
          startChat();
          close();
        }}
      >
        <Icon name="plus" /> {words.newChat}
      </button>
      <ul>
        {all.map((each) => (
          <li key={each.id} class={each.id === shown ? "on" : ""}>
            <button
              type="button"
              class="name"
              aria-current={each.id === shown ? "true" : undefined}
              onClick={() => {
                showChat(each);
                close();
              }}
            >
              {each.title || words.newChat}
            </button>
            <button
              type="button"
              class="quiet"
              onClick={() => void removeChat(each.id)}
              aria-label={fill(words.deleteChat, { name: each.title })}
              title={words.delete}
            >
              <Icon name="trash" />
            </button>
          </li>
        ))}
      </ul>
      {all.length === 0 && <p class="muted">{words.noChats}</p>}
      <Keeping />
    </nav>
  );
}

function Keeping() {
  const words = useWords();
  const all = useStore(chats);
  const file = useRef<HTMLInputElement>(null);
  const onImport = async (list: FileList | null) => {
    const [chosen] = list ?? [];
    if (chosen === undefined) return;
    try {
      addChats(importText(await chosen.text()));
    } catch (error) {
      alert(fill(words.importFailed, { why: (error as Error).message }));
    }
    file.current!.value = "";
  };
  return (
    <div class="keeping">
      <p class="muted">{words.keptHere}</p>
      <div class="row">
        <button
          type="button"
          class="plain-button"
          disabled={all.length === 0}
          onClick={() => download(exportText(all))}
        >
          <Icon name="download" /> {words.export}
        </button>
        <button type="button" class="plain-button" onClick={() => file.current!.click()}>
          <Icon name="upload" /> {words.import}
        </button>
        <input
          ref={file}
          type="file"
          accept="application/json"
          hidden
          aria-label={words.import}
          onChange={(event) => void onImport(event.currentTarget.files)}
        />
      </div>
      <button
        type="button"
        class="plain-button danger"
        disabled={all.length === 0}
        onClick={() => confirm(fill(words.deleteAllSure, { n: all.length })) && void removeAllChats()}
      >
        <Icon name="trash" /> {words.deleteAll}
      </button>
    </div>
  );
}

function download(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `kumi-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  URL.revokeObjectURL(url);
}
