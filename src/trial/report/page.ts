import type { TrialReport } from "../report_data.ts";
import { moneyFormat } from "../../cost/mod.ts";
import { type Format, formatFor, type Language } from "./format.ts";
import { Marker, type Term } from "./marks.ts";
import { html, type Markup } from "./markup.ts";
import { en, type Texts } from "./texts/en.ts";
import { ja } from "./texts/ja.ts";

const TEXTS: Readonly<Record<Language, Texts>> = { en, ja };

/** What every section of a report writes with. */
export interface Page {
  readonly report: TrialReport;
  readonly t: Texts;
  readonly f: Format;
  /** A sentence with its marks as HTML; terms are explained where they come first. */
  readonly rich: (sentence: string) => Markup;
  /** A term where there is no room to explain it. */
  readonly word: (term: Term) => string;
  /** An amount in the currency of the prices. */
  readonly money: (amount: number) => string;
}

export function pageFor(report: TrialReport, language: Language): Page {
  const t = TEXTS[language];
  const { rich, word } = new Marker(t.glosses);
  const money = moneyFormat(language, report.cost?.currency ?? "USD");
  return { report, t, f: formatFor(language), rich, word, money };
}

/** A word that says that a figure is no measurement. */
export function badge(kind: "estimated" | "predicted", { t }: Page): Markup {
  return html`
    <span class="badge ${kind}">${kind === "estimated" ? t.estimate : t.predicted}</span>
  `;
}

/** A paragraph of a sentence with marks. */
export function paragraph({ rich, f }: Page, ...sentences: readonly (string | null | false)[]): Markup {
  const said = sentences.filter((each) => typeof each === "string");
  return html`<p>${
    said.map((sentence, i) => html`${i > 0 && f.language !== "ja" && " "}${rich(sentence)}`)
  }</p>`;
}

/** A section with its heading; `id` is what links lead to. */
export function section(id: string, title: string, ...content: readonly (Markup | null | false)[]): Markup {
  return html`<section id="${id}"><h2>${title}</h2>${content}</section>`;
}
