/**
 * Marks that sentences of `texts/` have: terms, which are explained where they stand first, and code. Their
 * characters are from Unicode's private area, which no name of a model or a file has.
 * @module
 */

import { html, type Markup } from "./markup.ts";

/** Words of the field that a reader without it does not know. */
export type Term =
  | "ttft"
  | "itl"
  | "goodput"
  | "token"
  | "kv"
  | "objective"
  | "class"
  | "p95"
  | "prefixCache"
  | "tornado"
  | "breakEven";

const [TERM, CODE, STRONG, END] = ["\ue000", "\ue001", "\ue002", "\ue003"];

/** A term within a sentence. */
export const term = (name: Term): string => `${TERM}${name}${END}`;
/** Something to be typed, or a name out of a file. */
export const code = (text: string): string => `${CODE}${text}${END}`;
/** What the eye is to find. */
export const strong = (text: string): string => `${STRONG}${text}${END}`;

/** A term's own word, and what it means. */
export type Glosses = Readonly<Record<Term, { readonly word: string; readonly gloss: string }>>;

/** Turns marked sentences into HTML; knows which terms it has explained. */
export class Marker {
  readonly #glosses: Glosses;
  readonly #explained = new Set<Term>();

  constructor(glosses: Glosses) {
    this.#glosses = glosses;
  }

  /** The sentence with its marks as elements; all else is escaped. */
  rich = (sentence: string): Markup => {
    const parts = sentence.split(/([\ue000-\ue002][^\ue003]*\ue003)/);
    return html`${
      parts.map((part) => {
        const inner = part.slice(1, -1);
        if (part.startsWith(TERM)) return this.#term(inner as Term);
        if (part.startsWith(CODE)) return html`<code>${inner}</code>`;
        if (part.startsWith(STRONG)) return html`<strong>${inner}</strong>`;
        return part;
      })
    }`;
  };

  /** The term's word alone, for headings and axes. */
  word = (term: Term): string => this.#glosses[term].word;

  #term(term: Term): Markup {
    const { word, gloss } = this.#glosses[term];
    if (this.#explained.has(term)) return html`${word}`;
    this.#explained.add(term);
    return html`<dfn>${word}</dfn><span class="gloss">${gloss}</span>`;
  }
}
