/**
 * Requests to the hub: redirects are followed here, so that the token goes to the hub alone and never to the
 * storage servers it redirects to.
 * @module
 */

import { HubError } from "./error.ts";

const REDIRECTS_MAX = 10;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

/** What the hub says about a file. */
export interface FileIdentity {
  /** Bytes of the whole file, where known. */
  readonly size?: number;
  /** SHA-256 of the whole file as hex, where the hub tells it. */
  readonly sha256?: string;
  /** The name that git gives the content, where the hub tells that instead. */
  readonly blobId?: string;
  /** Changes with the content: the hub's own tag, else the server's. */
  readonly tag?: string;
  /** The commit of the repository that the file was read from. */
  readonly commit?: string;
}

/** A response's last hop and what all hops said about the file. */
export interface HubResponse {
  readonly response: Response;
  readonly identity: FileIdentity;
  /** Strong ETag of the last hop, for If-Range. */
  readonly etag?: string;
}

/** A request. */
export interface HubRequest {
  readonly url: URL;
  readonly token?: string;
  readonly signal: AbortSignal;
  /** Resume here, if the file's ETag is still this one. */
  readonly resume?: { readonly offset: number; readonly etag: string };
  /** Called when a server answers, the hub or one that it redirects to. */
  readonly onAnswer?: () => void;
}

function number(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function commitId(text: string | null): string | undefined {
  return text !== null && /^[0-9a-f]{40}$/.test(text) ? text : undefined;
}

function unquote(tag: string | null): string | undefined {
  return tag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1") || undefined;
}

/** Merges what a hop says into what is known; the hub's word counts more than a storage server's. */
function merge(known: FileIdentity, response: Response, fromHub: boolean): FileIdentity {
  const { headers } = response;
  const linked = unquote(headers.get("x-linked-etag"));
  const tag = linked ?? (response.ok ? unquote(headers.get("etag")) : undefined);
  const whole = response.status === 206
    ? number(headers.get("content-range")?.split("/")[1] ?? null)
    : response.status === 200
    ? number(headers.get("content-length"))
    : undefined;
  const isSha256 = fromHub && tag !== undefined && /^[0-9a-f]{64}$/.test(tag);
  const commit = fromHub ? commitId(headers.get("x-repo-commit")) : undefined;
  // Only a hub that knows commits means git's name by a tag of that length.
  const isBlob = commit !== undefined && tag !== undefined && commitId(tag) !== undefined;
  return {
    size: known.size ?? number(headers.get("x-linked-size")) ?? whole,
    sha256: known.sha256 ?? (isSha256 ? tag : undefined),
    blobId: known.blobId ?? (isBlob ? tag : undefined),
    tag: known.tag ?? tag,
    commit: known.commit ?? commit,
  };
}

/** The token may travel encrypted, or inside this machine. */
function mayCarryToken(url: URL): boolean {
  return url.protocol === "https:" || ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
}

function nextHop(from: URL, response: Response): URL {
  const location = response.headers.get("location");
  const next = location === null ? null : URL.parse(location, from);
  if (next === null) throw new HubError("server", `${from.host} redirects without a usable address`);
  const isDowngrade = from.protocol === "https:" && next.protocol !== "https:";
  if (isDowngrade || !/^https?:$/.test(next.protocol)) {
    throw new HubError(
      "server",
      `${from.host} redirects to ${next.protocol}//${next.host}, which is not secure`,
    );
  }
  return next;
}

/** Sends a GET and follows redirects. The caller reads or cancels the body. Network faults are thrown as they come. */
export async function request({ url, token, signal, resume, onAnswer }: HubRequest): Promise<HubResponse> {
  let identity: FileIdentity = {};
  let hop = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    // Compressed transfer would make byte ranges and lengths meaningless.
    const headers = new Headers({ "accept-encoding": "identity", "user-agent": "kumi" });
    const fromHub = hop.origin === url.origin;
    if (token && fromHub && mayCarryToken(hop)) headers.set("authorization", `Bearer ${token}`);
    if (resume) {
      headers.set("range", `bytes=${resume.offset}-`);
      headers.set("if-range", resume.etag);
    }
    const response = await fetch(hop, { headers, redirect: "manual", signal });
    onAnswer?.();
    identity = merge(identity, response, fromHub);
    if (!REDIRECT_STATUSES.has(response.status)) {
      const etag = response.headers.get("etag") ?? undefined;
      return { response, identity, etag: etag?.startsWith('"') ? etag : undefined };
    }
    await response.body?.cancel();
    hop = nextHop(hop, response);
  }
  throw new HubError("server", `${url.host} redirects more than ${REDIRECTS_MAX} times`);
}
