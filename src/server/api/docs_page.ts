import { describeFields, unusedFields } from "../schema/describe.ts";
import type { FileSampling } from "../../protocol/file_sampling.ts";
import { samplingFields } from "../schema/sampling_fields.ts";
import { type Documented, STATUSES } from "./endpoints.ts";

/** How the page looks where there is no other one. */
export const PLAIN_STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}" +
  "table{border-collapse:collapse;width:100%}td,th{border:1px solid #8886;padding:.3rem .5rem;text-align:left;" +
  "vertical-align:top}code,pre{font:14px ui-monospace,monospace}pre{background:#8881;padding:.7rem;overflow:auto}" +
  ":root{color-scheme:light dark}h2{margin-top:2.5rem}";

/** The page's place among others. */
export interface DocsFrame {
  /** HTML for its head. */
  readonly head: string;
  /** HTML above its text. */
  readonly above: string;
}

const ALONE: DocsFrame = { head: `<style>${PLAIN_STYLE}</style>`, above: "" };

/** A model as the page names it. */
export interface DocumentedModel {
  readonly name: string;
  /** How its file would have it sampled: these count more than the defaults of the fields. */
  readonly sampling?: FileSampling;
}

/** The interface as an HTML page; without a frame it loads nothing else. */
export function docsPage(
  models: readonly DocumentedModel[],
  endpoints: readonly Documented[],
  { head, above }: DocsFrame = ALONE,
): string {
  const contents = endpoints.map((endpoint) =>
    `<li><a href="#${anchor(endpoint)}"><code>${title(endpoint)}</code></a> ${escape(endpoint.summary)}</li>`
  );
  const rows = Object.entries(STATUSES).map(([status, meaning]) => row(status, escape(meaning)));
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API · kumi</title>',
    `<meta name="viewport" content="width=device-width, initial-scale=1">${head}</head><body>${above}<main id="main" class="docs">`,
    `<h1>kumi</h1><p>This server runs <code>${
      models.map(({ name }) => escape(name)).join("</code>, <code>")
    }</code>. OpenAI's clients can use it: their base URL is `,
    "this server's address with <code>/v1</code>. Fields that are not listed here are refused by name, unless it is lenient. ",
    'The same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>',
    ...models.map(recommended),
    `<ul>${contents.join("")}</ul>`,
    ...endpoints.map(section),
    '<h2 id="errors">Errors</h2><p>All have the body <code>{"error":{"message","type","param","code"}}</code>, but for those of other interfaces, which have their own. ',
    "In a stream that has begun, an error is the last event, and no <code>[DONE]</code> follows.</p>",
    `<table><tr><th>status</th><th>means</th></tr>${rows.join("")}</table>`,
    "</main></body></html>",
  ].join("");
}

/** The defaults that a model's file sets, by the names of the fields. */
function recommended({ name, sampling }: DocumentedModel): string {
  const defaults = Object.entries(samplingFields(sampling)).map(([field, value]) =>
    `<code>${field}</code> ${value}`
  );
  if (defaults.length === 0) return "";
  return `<p>Where a request says nothing, <code>${escape(name)}</code> is sampled as its file recommends: ${
    defaults.join(", ")
  }.</p>`;
}

function section(endpoint: Documented): string {
  const { body, example, answer, isPublic, path, summary } = endpoint;
  const key = isPublic ? "Needs no key." : "";
  const parts = [
    `<h2 id="${anchor(endpoint)}"><code>${title(endpoint)}</code></h2>`,
    `<p>${escape(summary)}. ${key}</p><p>Gives: ${escape(answer)}.</p>`,
  ];
  if (body !== undefined) {
    const curl = `curl http://127.0.0.1:8080${path} -H 'content-type: application/json' -d '${
      JSON.stringify(example)
    }'`;
    parts.push(`<pre>${escape(curl)}</pre>`, "<table><tr><th>field</th><th>is</th><th>does</th></tr>");
    const rows = describeFields(body).map(({ name, isRequired, kind, does }) =>
      row(`<code>${escape(name)}</code>${isRequired ? " (required)" : ""}`, escape(kind), escape(does))
    );
    parts.push(...rows, "</table>");
    const unused = unusedFields(body);
    if (unused.length > 0) {
      parts.push(`<p>Taken, and changes nothing: <code>${unused.join("</code>, <code>")}</code>.</p>`);
    }
  }
  return parts.join("");
}

function row(...cells: string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function title({ method, path }: Documented): string {
  return `${method} ${escape(path)}`;
}

function anchor({ method, path }: Documented): string {
  return `${method.toLowerCase()}-${path.replaceAll(/[^a-z0-9]+/gi, "-")}`;
}

function escape(text: string): string {
  const names: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character]);
}
