/** The words of the page in the reader's language. @module */

import { en, type Words } from "../words/en.ts";
import { ja } from "../words/ja.ts";
import { language, shownLanguage } from "./preferences.ts";
import { useStore } from "./store.ts";

const ALL = { en, ja } as const;

export function useWords(): Words {
  return ALL[shownLanguage(useStore(language))];
}

/** The words outside of components. */
export function wordsNow(): Words {
  return ALL[shownLanguage(language.value)];
}

/** Puts values into a sentence: `fill("{n} tokens", { n: 3 })`. */
export function fill(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (all, name) => name in values ? String(values[name]) : all);
}

/** A number as the reader's language writes it. */
export function count(value: number, digits = 0): string {
  return value.toLocaleString(shownLanguage(language.value), {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });
}
