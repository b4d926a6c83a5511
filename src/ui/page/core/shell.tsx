/** What every page has: the bar, the reader's choices, the question for a key. @module */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { apiKey, keyWanted } from "./api.ts";
import { Icon, type IconName, Mark } from "./icon.tsx";
import { loadModels } from "./models.ts";
import { language, shownLanguage, theme } from "./preferences.ts";
import { useStore } from "./store.ts";
import { useWords } from "./words.ts";

export type Place = "chat" | "machine" | "compare" | "docs";

const PLACES: readonly { place: Place; path: string; icon: IconName }[] = [
  { place: "chat", path: "/", icon: "chat" },
  { place: "machine", path: "/ui/machine", icon: "chart" },
  { place: "compare", path: "/ui/compare", icon: "compare" },
  { place: "docs", path: "/docs", icon: "docs" },
];

export function Shell({ place, children }: { place: Place; children: ComponentChildren }) {
  const words = useWords();
  const key = useStore(apiKey);
  useEffect(() => {
    const abort = new AbortController();
    void loadModels(abort.signal);
    return () => abort.abort();
  }, [key]);
  useEffect(() => {
    document.title = place === "chat" ? "kumi" : `${words.places[place]} · kumi`;
  }, [place, words]);
  return (
    <>
      <a class="skip" href="#main">{words.skip}</a>
      <header class="bar">
        <a class="brand" href="/" aria-label="kumi">
          <Mark size={26} />
          <span>kumi</span>
        </a>
        <nav aria-label={words.pages}>
          {PLACES.map(({ place: each, path, icon }) => (
            <a
              key={each}
              href={each === "docs" && key !== "" ? "/ui/docs" : path}
              aria-current={each === place ? "page" : undefined}
              title={words.places[each]}
            >
              <Icon name={icon} />
              <span>{words.places[each]}</span>
            </a>
          ))}
        </nav>
        <span class="space" />
        <Choices />
      </header>
      <main id="main">{children}</main>
      <KeyDialog />
    </>
  );
}

function Choices() {
  const words = useWords();
  const chosenTheme = useStore(theme);
  const chosenLanguage = useStore(language);
  const key = useStore(apiKey);
  const isDark = chosenTheme === "dark" ||
    (chosenTheme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  const next = shownLanguage(chosenLanguage) === "ja" ? "en" : "ja";
  return (
    <div class="choices">
      <button
        type="button"
        class="quiet"
        onClick={() => theme.set(isDark ? "light" : "dark")}
        aria-label={isDark ? words.toLight : words.toDark}
        title={isDark ? words.toLight : words.toDark}
      >
        <Icon name={isDark ? "sun" : "moon"} />
      </button>
      <button
        type="button"
        class="quiet language"
        onClick={() => language.set(next)}
        lang={next}
        title={next === "ja" ? "日本語" : "English"}
      >
        {next === "ja" ? "日本語" : "EN"}
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => keyWanted.set("missing")}
        aria-label={words.apiKey}
        title={words.apiKey}
        data-on={key !== ""}
      >
        <Icon name="key" />
      </button>
    </div>
  );
}

function KeyDialog() {
  const words = useWords();
  const why = useStore(keyWanted);
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    if (why === null) dialog.current!.close();
    else if (!dialog.current!.open) dialog.current!.showModal();
  }, [why]);
  const submit = (event: Event) => {
    event.preventDefault();
    apiKey.set(text.trim());
    setText("");
    keyWanted.set(null);
  };
  return (
    <dialog ref={dialog} onCancel={() => keyWanted.set(null)} aria-labelledby="key-title">
      <form onSubmit={submit}>
        <h2 id="key-title">{words.apiKey}</h2>
        <p>{why === "wrong" ? words.keyWrong : words.keyHelp}</p>
        <input
          type="password"
          autocomplete="off"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          aria-label={words.apiKey}
        />
        <div class="row end">
          <button type="button" class="plain-button" onClick={() => keyWanted.set(null)}>
            {words.cancel}
          </button>
          <button type="submit" class="main">{words.useKey}</button>
        </div>
      </form>
    </dialog>
  );
}
