/** The chat: conversations, the one that is shown, what it asks for. @module */

import { useEffect, useState } from "preact/hooks";
import { useStore } from "../core/store.ts";
import { useWords } from "../core/words.ts";
import { current, isForgetful, openChats, startChat } from "./chats.ts";
import { Composer } from "./composer.tsx";
import { shownTurns } from "./conversation.ts";
import { Drawer } from "./drawer.tsx";
import { runningTurns, stop } from "./actions.ts";
import { Sidebar } from "./sidebar.tsx";
import { Thread } from "./thread.tsx";
import { Welcome } from "./welcome.tsx";
import { Icon } from "../core/icon.tsx";

/** Which of the panels at the sides is open, where there is no room for both. */
export type Panel = "chats" | "settings" | null;

export function Chat() {
  const words = useWords();
  const conversation = useStore(current);
  const [panel, setPanel] = useState<Panel>(null);
  const turns = shownTurns(conversation);
  useEffect(() => void openChats(), []);
  useShortcuts(setPanel);
  const toggle = (which: Panel) => setPanel((open) => open === which ? null : which);
  return (
    <div class="chat" data-panel={panel ?? "none"}>
      <Sidebar close={() => setPanel(null)} />
      <section class="conversation" aria-label={words.conversation}>
        <div class="chat-bar">
          <button
            type="button"
            class="quiet only-narrow"
            onClick={() => toggle("chats")}
            aria-label={words.chats}
            title={words.chats}
          >
            <Icon name="menu" />
          </button>
          <h1 class="chat-title">{conversation.title || words.newChat}</h1>
          <button
            type="button"
            class="quiet labelled"
            onClick={() => toggle("settings")}
            aria-expanded={panel === "settings"}
            aria-controls="drawer"
          >
            <Icon name="sliders" /> <span>{words.settings}</span>
          </button>
        </div>
        <Forgetful />
        {turns.length === 0 ? <Welcome /> : <Thread conversation={conversation} turns={turns} />}
        <Composer key={conversation.id} />
      </section>
      <Drawer isOpen={panel === "settings"} close={() => setPanel(null)} />
      {panel !== null && <div class="veil" onClick={() => setPanel(null)} />}
    </div>
  );
}

function Forgetful() {
  const words = useWords();
  return useStore(isForgetful) ? <p class="notice">{words.forgetful}</p> : null;
}

function useShortcuts(setPanel: (panel: Panel) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isCommand = event.ctrlKey || event.metaKey;
      if (event.key === "Escape") {
        const open = runningTurns.value;
        setPanel(null);
        for (const turn of shownTurns(current.value)) if (open.has(turn.id)) stop(turn.id);
      } else if (isCommand && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        startChat();
        focusComposer();
      } else if (isCommand && event.key === "/") {
        event.preventDefault();
        focusComposer();
      } else if (isCommand && event.key === ".") {
        event.preventDefault();
        setPanel("settings");
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function focusComposer(): void {
  // A new conversation has a composer of its own, which is there a moment later.
  setTimeout(() => document.getElementById("composer")?.focus());
}
