/** `kumi report`: the page of a trial's report once more. @module */

import type { KumiCommand } from "../command.ts";

/** Where the page goes when nobody says: beside the report. */
export function pagePath(report: string): string {
  return `${report.replace(/\.json$/i, "")}.html`;
}

/** Renders a trial's report.json again, in another language or with other prices. */
export const report: KumiCommand = {
  name: "report",
  summary: "write a trial's report.json as a page again: in another language, with other prices",
  usage: "report REPORT.json [--lang en|ja] [--prices FILE] [-o PAGE.html]",
  positionals: { min: 1, max: 1 },
  options: [
    { name: "lang", value: "en|ja", help: "language of the page", default: "en" },
    { name: "prices", value: "FILE", help: "reckon the costs with these prices: docs/cost.md" },
    { name: "output", alias: "o", value: "PAGE", help: "default: REPORT.html" },
    { name: "force", alias: "f", help: "replace a page that exists" },
  ],
  details:
    "The page is one file that needs no script and no network; print it for a PDF. The report.json stays as it is.",
  access: ({ positional: [report], values }) => ({ write: [values.get("output") ?? pagePath(report)] }),
};
