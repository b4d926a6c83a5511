/**
 * Which pages and names the server answers to: against DNS rebinding and other people's web pages.
 * @module
 */

import { ApiError } from "../api_error.ts";

/** Who may ask, as far as a browser tells. */
export interface OriginRules {
  /** Names beside localhost, IP addresses and the server's own; "*" for any. */
  readonly allowHosts?: readonly string[];
  /** Origins whose pages may use the server, such as https://chat.example.org; "*" for any. */
  readonly cors?: readonly string[];
}

const PREFLIGHT_SECONDS = "600";

/** Checks the Host and Origin headers of requests. */
export class OriginGuard {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor({ allowHosts = [], cors = [] }: OriginRules) {
    this.#hosts = new Set(["localhost", ...allowHosts.map((host) => host.toLowerCase())]);
    this.#origins = new Set(cors);
  }

  /**
   * Throws an ApiError, 400 or 403. `url`: of the request, whose host counts: it is the target's where that
   * has one, as HTTP/2's always has, else the Host header's, else, as HTTP/1.0 allows, the server's address.
   * `anyHost`: only web pages are checked.
   */
  check(headers: Headers, url: URL, { anyHost = false }: { readonly anyHost?: boolean } = {}): void {
    if (!anyHost) this.#checkHost(headers.get("host"), url);
    const origin = headers.get("origin");
    if (origin !== null && !isSame(origin, url.host) && !this.#allows(origin)) {
      throw new ApiError(403, "Web pages of this origin may not use the server; --cors ORIGIN lets them", {
        param: "origin",
        code: "origin_not_allowed",
      });
    }
  }

  /**
   * A page on a name that an attacker controls asks for that name, whatever address it resolves to; an IP
   * address is therefore safe. It can only do harm where the server asks for no key.
   */
  #checkHost(header: string | null, url: URL): void {
    const name = hostName(url.host);
    if (name === null || (header !== null && hostName(header) === null)) {
      throw new ApiError(400, "The Host header is no host", { param: "host" });
    }
    if (this.#hosts.has("*") || this.#hosts.has(name) || isAddress(name)) return;
    throw new ApiError(
      403,
      `The server does not answer to the name ${name}; --allow-host ${name} lets it, and so do API keys`,
      { param: "host", code: "host_not_allowed" },
    );
  }

  /** The headers that let a page of an allowed origin read a response; none for others. */
  responseHeaders(request: Request): Record<string, string> {
    const origin = request.headers.get("origin");
    if (origin === null || !this.#allows(origin)) return {};
    return {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": "x-request-id, retry-after",
      vary: "origin",
    };
  }

  /** The answer to a browser that asks whether a page may send a request; null where it is none. */
  preflight(request: Request): Response | null {
    const { headers, method } = request;
    const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
    if (!isPreflight || !this.#allows(headers.get("origin") ?? "")) return null;
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": headers.get("access-control-request-headers") ?? "",
        "access-control-max-age": PREFLIGHT_SECONDS,
      },
    });
  }

  #allows(origin: string): boolean {
    return this.#origins.has("*") || this.#origins.has(origin);
  }
}

/** The name in a Host header, in lower case; null where there is none. */
export function hostName(host: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host);
  return match === null ? null : match[1].toLowerCase().replace(/\.$/, "");
}

function isAddress(name: string): boolean {
  return name.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);
}

/** Whether a page comes from this server itself. */
function isSame(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Whether a server that listens there can only be reached from its own machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || hostname === "[::1]" || /^127\.\d/.test(hostname);
}
