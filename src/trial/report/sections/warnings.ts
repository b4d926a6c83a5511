import { STOLEN } from "../../noise.ts";
import type { TrialNote } from "../../report_data.ts";
import { html, type Markup } from "../markup.ts";
import type { Page } from "../page.ts";

/** What makes the figures less sure than they look; null where nothing does. */
export function warnings(page: Page): Markup | null {
  const { report: { notes, noise, resumed }, t, f } = page;
  const lines = notes.map((note) => sentenceFor(note, page));
  if (noise.isNoisy && noise.ttftSpread !== null) {
    lines.push(t.warnings.noisyTtft(f.percent(noise.ttftSpread)));
  }
  if (noise.stolenShare !== null && noise.stolenShare >= (noise.isNoisy ? 0.01 : STOLEN)) {
    lines.push(t.warnings.stolen(f.percent(noise.stolenShare)));
  }
  if (noise.isNoisy && !notes.some(({ note }) => note === "noisy")) {
    lines.unshift(sentenceFor({ note: "noisy", spread: noise.throughputSpread ?? NaN }, page));
  }
  if (resumed > 0) lines.push(t.warnings.resumed(f.count(resumed)));
  lines.push(...priceWarnings(page));
  if (lines.length === 0) return null;
  return html`
    <section id="warnings" class="warnings">
      <h2>${t.warnings.title}</h2>
      <ul>${lines.map((line) => html`<li>${page.rich(line)}</li>`)}</ul>
    </section>
  `;
}

function sentenceFor(note: TrialNote, { report: { noise }, t: { warnings: t }, f }: Page): string {
  switch (note.note) {
    case "noisy":
      return t.noisy(f.percent(note.spread), f.percent(noise.threshold));
    case "busy before":
      return t["busy before"](f.number(note.load));
    case "budget short":
      return t["budget short"](f.count(note.measured), f.count(note.planned));
    case "few requests":
      return t["few requests"](f.count(note.requests));
    case "long prompts left out":
      return t["long prompts left out"](f.percent(note.share));
    case "generator late":
      return t["generator late"](f.time(note.p99Ms));
    case "energy not measured":
      return t["energy not measured"](note.why.replace(/\.$/, ""));
    case "synthetic traffic":
      return t["synthetic traffic"](note.profile);
    case "requests cut to the context":
      return t["requests cut to the context"](f.percent(note.share));
    case "spending cap reached":
      return t["spending cap reached"](note.url);
    case "container limits":
      return t["container limits"](f.number(note.cpuQuota));
    default:
      return t[note.note];
  }
}

/** Prices are looked up again after so long. */
const PRICES_AGE_DAYS_MAX = 180;
const DAY_MS = 86_400_000;

function priceWarnings({ report: { cost, startedAt }, t, f }: Page): string[] {
  if (cost === null) return [];
  const { sources } = cost.inputs;
  const placeholders = sources.filter(({ placeholder }) => placeholder).length;
  const oldest = sources.map(({ date }) => date).sort()[0];
  const age = oldest === undefined ? 0 : (Date.parse(startedAt) - Date.parse(oldest)) / DAY_MS;
  return [
    ...placeholders > 0 ? [t.warnings.placeholders(f.count(placeholders))] : [],
    ...age > PRICES_AGE_DAYS_MAX ? [t.warnings.oldPrices(f.date(oldest))] : [],
  ];
}
