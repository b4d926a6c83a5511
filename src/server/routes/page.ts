/** What browsers are shown: GET /, /ui/… and their assets. @module */

import { answerUsual, type DocumentAnswer, type Representation } from "../documents.ts";
import { ApiError } from "../api_error.ts";
import type { Exchange, Route } from "../service.ts";

/** No script, style or picture but the server's own, and none of them inline; texts never become HTML. */
const POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "connect-src", "img-src", "font-src", "manifest-src"].map((kind) =>
    `${kind} 'self'`
  ),
  ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** Of all that browsers are shown. */
export const PAGE_HEADERS = {
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

const ASSETS = "/ui/assets/";

const ICON = `<link rel="icon" href="${ASSETS}icon.svg" type="image/svg+xml">`;

const PLACES = [["/", "Chat"], ["/ui/machine", "Machine"], ["/ui/compare", "Compare"], ["/docs", "API"]];

/** What `/docs` has of the page. */
export const PAGE_FRAME = {
  head:
    `${ICON}<link rel="stylesheet" href="${ASSETS}docs.css"><script type="module" src="${ASSETS}docs.js"></script>`,
  above:
    `<header class="bar"><a class="brand" href="/"><img src="${ASSETS}icon.svg" alt="" width="26" height="26"><span>kumi</span></a><nav aria-label="Pages">${
      PLACES.map(([path, name]) =>
        `<a href="${path}"${path === "/docs" ? ' aria-current="page"' : ""}>${name}</a>`
      ).join("")
    }</nav></header>`,
};

/** The same for every place: the program looks at the address. */
const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<title>kumi</title>
${ICON}
<link rel="stylesheet" href="${ASSETS}page.css">
<script type="module" src="${ASSETS}main.js"></script>
</head>
<body><div id="app"></div><noscript>This page needs JavaScript. The interface for programs does not: /docs</noscript></body>
</html>
`;

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
  txt: "text/plain",
};

/**
 * The routes of the page; `answer`: how documents are sent. Shells and assets need no key: they are the same
 * everywhere. Who asks for `/` and is no browser is told what this is.
 */
export function pageRoutes(about: Route, answer: DocumentAnswer = answerUsual): Route[] {
  const shell = { type: "text/html", text: SHELL, headers: { ...PAGE_HEADERS, vary: "accept" } };
  const show = ({ request }: Exchange) => answer(request, [shell]);
  return [
    { ...about, handle: (exchange) => wantsPage(exchange.request) ? show(exchange) : about.handle(exchange) },
    ...["/ui/machine", "/ui/compare", "/ui/docs"].map((path): Route => ({
      method: "GET",
      path,
      isPublic: true,
      handle: show,
    })),
    // What people and browsers try.
    ...[["/ui", "/"], ["/ui/", "/"], ["/favicon.ico", `${ASSETS}icon.svg`]].map(([path, to]): Route => ({
      method: "GET",
      path,
      isPublic: true,
      handle: () => redirect(to),
    })),
    { method: "GET", path: `${ASSETS}*`, isPublic: true, handle: assetHandler(answer) },
  ];
}

/** To another path of this server. */
export function redirect(path: string): Response {
  return new Response(null, { status: 302, headers: { location: path, vary: "accept, authorization" } });
}

export function wantsPage({ headers }: Request): boolean {
  return /\btext\/html\b/.test(headers.get("accept") ?? "");
}

function assetHandler(answer: DocumentAnswer): Route["handle"] {
  let read: Promise<ReadonlyMap<string, Representation>> | undefined;
  return async ({ request, url }) => {
    const asset = (await (read ??= readAssets())).get(url.pathname.slice(ASSETS.length));
    if (asset === undefined) throw new ApiError(404, "The page has no such file", { code: "not_found" });
    return await squeezed(request, asset, await answer(request, [asset]));
  };
}

const packed = new WeakMap<Representation, Promise<ArrayBuffer>>();

/** The same response with its text compressed, once for all, where the client takes that. */
async function squeezed(request: Request, asset: Representation, response: Response): Promise<Response> {
  const { status, headers } = response;
  headers.append("vary", "accept-encoding");
  if (status !== 200 || !/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) return response;
  if (!packed.has(asset)) {
    const stream = new Blob([asset.text]).stream().pipeThrough(new CompressionStream("gzip"));
    packed.set(asset, new Response(stream).arrayBuffer());
  }
  headers.set("content-encoding", "gzip");
  // The same text, but other bytes.
  const etag = headers.get("etag");
  if (etag?.startsWith('"')) headers.set("etag", `W/${etag}`);
  return new Response(await packed.get(asset), { headers });
}

/** Read when somebody first looks: a server for programs alone starts sooner. */
async function readAssets(): Promise<ReadonlyMap<string, Representation>> {
  const { ASSETS: files } = await import("../../ui/assets.ts");
  return new Map(
    Object.entries(files).map(([name, text]) => [
      name,
      { type: TYPES[name.slice(name.lastIndexOf(".") + 1)], text, headers: PAGE_HEADERS },
    ]),
  );
}
