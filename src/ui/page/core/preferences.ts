/** What the reader chose about the page itself. @module */

import { keptStore } from "./store.ts";

export type Theme = "auto" | "light" | "dark";
export type Language = "auto" | "en" | "ja";

export const theme = keptStore<Theme>(() => localStorage, "kumi.theme", "auto");
export const language = keptStore<Language>(() => localStorage, "kumi.language", "auto");

/** The language that the page is shown in. */
export function shownLanguage(chosen: Language): "en" | "ja" {
  if (chosen !== "auto") return chosen;
  return navigator.languages.find((each) => /^(en|ja)\b/.test(each))?.startsWith("ja") ? "ja" : "en";
}

/** Writes the choices where the styles look for them, now and whenever they change. */
export function applyPreferences(): void {
  const root = document.documentElement;
  const apply = () => {
    root.lang = shownLanguage(language.value);
    if (theme.value === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme.value;
  };
  theme.listen(apply);
  language.listen(apply);
  apply();
}
