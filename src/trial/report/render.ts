/** `report.json` as a page that needs nothing else: no script, no font, no network. @module */

import type { TrialReport } from "../report_data.ts";
import type { Language } from "./format.ts";
import { html, jsonScript, Markup } from "./markup.ts";
import { pageFor } from "./page.ts";
import { hatchPatterns } from "./plots/draw.ts";
import { capacitySection, energySection, qualitySection } from "./sections/answers.ts";
import { costSection } from "./sections/cost.ts";
import { firstScreen } from "./sections/first_screen.ts";
import { alternativesSection, loadSection } from "./sections/load.ts";
import { appendix, methodSection, searchSection, trafficSection } from "./sections/method.ts";
import { sentencesSection } from "./sections/sentences.ts";
import { STYLE } from "./style.ts";

export type { Language } from "./format.ts";

/** Nothing of the page may be fetched or run, whatever a report's names are. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The page of a report. Sections are written in the order of reading: terms are explained where they come first. */
export function renderReport(report: TrialReport, language: Language): string {
  const page = pageFor(report, language);
  const { t, f } = page;
  const title = t.title(`${report.model.name} (${report.model.quantisation})`);
  const sections = [
    firstScreen,
    sentencesSection,
    loadSection,
    alternativesSection,
    qualitySection,
    costSection,
    energySection,
    capacitySection,
    trafficSection,
    searchSection,
    methodSection,
    appendix,
  ].map((write) => write(page));
  const machine = report.machine.processor ?? t.header.unknownMachine;
  return html`
    ${new Markup("<!doctype html>")}
    <html lang="${language}">
      <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="${POLICY}">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="generator" content="kumi ${report.kumiVersion}">
        <title>${title}</title>
        <style>${new Markup(STYLE)}</style>
      </head>
      <body>
    ${hatchPatterns()}
    <header><h1>${title}</h1><p>${t.header.line(machine, f.dateTime(report.endedAt))}</p></header>
    <main>${sections}</main>
    ${jsonScript(report)}
      </body>
    </html>
  `.html;
}
