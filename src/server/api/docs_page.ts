import { type Endpoint, ENDPOINTS, STATUSES } from "./endpoints.ts";
import type { Field, Fields } from "./field.ts";

const STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}" +
  "table{border-collapse:collapse;width:100%}td,th{border:1px solid #8886;padding:.3rem .5rem;text-align:left;" +
  "vertical-align:top}code,pre{font:14px ui-monospace,monospace}pre{background:#8881;padding:.7rem;overflow:auto}" +
  ":root{color-scheme:light dark}h2{margin-top:2.5rem}";

/** The interface as one HTML page that loads nothing else. */
export function docsPage(modelName: string): string {
  const contents = ENDPOINTS.map((endpoint) =>
    `<li><a href="#${anchor(endpoint)}"><code>${title(endpoint)}</code></a> ${escape(endpoint.summary)}</li>`
  );
  const rows = Object.entries(STATUSES).map(([status, meaning]) => row(status, escape(meaning)));
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>kumi</title>',
    `<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>`,
    `<h1>kumi</h1><p>This server runs <code>${
      escape(modelName)
    }</code>. OpenAI's clients can use it: their base URL is `,
    "this server's address with <code>/v1</code>. Fields that are not listed here are refused by name, unless it is lenient. ",
    'The same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>',
    `<ul>${contents.join("")}</ul>`,
    ...ENDPOINTS.map(section),
    '<h2 id="errors">Errors</h2><p>All have the body <code>{"error":{"message","type","param","code"}}</code>. ',
    "In a stream that has begun, an error is the last event, and no <code>[DONE]</code> follows.</p>",
    `<table><tr><th>status</th><th>means</th></tr>${rows.join("")}</table>`,
    "</body></html>",
  ].join("");
}

function section(endpoint: Endpoint): string {
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
    parts.push(fieldRows(body, ""), "</table>");
    const unused = Object.keys(body).filter((name) => body[name].type === "any");
    if (unused.length > 0) {
      parts.push(`<p>Taken, and changes nothing: <code>${unused.join("</code>, <code>")}</code>.</p>`);
    }
  }
  return parts.join("");
}

function fieldRows(fields: Fields, prefix: string): string {
  return Object.entries(fields).filter(([, { type }]) => type !== "any").map(([name, field]) => {
    const label = `<code>${escape(prefix + name)}</code>${field.required ? " (required)" : ""}`;
    const fallback = field.fallback === undefined ? "" : ` Default ${JSON.stringify(field.fallback)}.`;
    const inner = innerFields(field);
    const does = field.type === "unsupported" ? `${field.what}.` : field.help ?? "";
    const nested = inner === null
      ? ""
      : fieldRows(inner, `${prefix}${name}${field.type === "object" ? "" : "[]"}.`);
    return row(label, escape(kind(field)), escape(does + fallback)) + nested;
  }).join("");
}

function innerFields(field: Field): Fields | null {
  if (field.type === "object") return field.fields;
  if (field.type === "list") return innerFields(field.of);
  // Of several forms the one with fields of its own needs an explanation.
  return field.type === "choice" ? field.of.map(innerFields).find((fields) => fields !== null) ?? null : null;
}

/** A field's values in words. */
function kind(field: Field): string {
  switch (field.type) {
    case "number":
    case "integer":
      return `${field.type}, ${field.min} to ${field.max}`;
    case "string":
      return field.values === undefined
        ? `string, at most ${field.max} characters`
        : field.values.map((value) => JSON.stringify(value)).join(" or ");
    case "boolean":
      return "true or false";
    case "constant":
      return `only ${field.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "list":
      return `list of ${field.min} to ${field.max}: ${kind(field.of)}`;
    case "object":
      return "object";
    case "record":
      return `object, at most ${field.max} entries, by ${field.keys === "tokens" ? "token id" : "name"}: ${
        kind(field.of)
      }`;
    case "choice":
      return field.of.map(kind).join("; or ");
    case "any":
      return "anything";
    case "unsupported": {
      const taken = [...field.values ?? [], ...field.empty ? [""] : []].map((each) => JSON.stringify(each));
      return `only ${["null", ...taken].join(" or ")}${field.empty ? " or empty" : ""}`;
    }
  }
}

function row(...cells: string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function title({ method, path }: Endpoint): string {
  return `${method.toUpperCase()} ${escape(path)}`;
}

function anchor({ method, path }: Endpoint): string {
  return `${method}-${path.replaceAll(/[^a-z0-9]+/gi, "-")}`;
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
