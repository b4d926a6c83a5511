/** Asks an upstream over HTTP. @module */

import { fetchReason } from "../../hub/fetch_reason.ts";
import { ApiError } from "../api_error.ts";
import { UpstreamFailure } from "./failure.ts";
import { UPSTREAM_DEFAULTS, type UpstreamOptions } from "./options.ts";

/** Longest body of an error that is read, and longest message of one that a client is shown. */
const ERROR_BYTES_MAX = 64 << 10, MESSAGE_MAX = 500;
/** Longest answer that is no stream. */
const ANSWER_BYTES_MAX = 64 << 20;
const RETRY_MS = 1000;
const HEALTH_MS = 5000;
/** For how long the body of an error is waited for. */
const ERROR_MS = 2000;
/** A key that could break out of its header is none. */
const KEY = /^[\x21-\x7e]{1,4096}$/;

/** Such as `messages[0].content`. */
const PARAM = /^[\w.[\]-]{1,128}$/;

/** What of an upstream's own errors is the request's fault, whoever answers it. */
const REQUEST_FAULTS: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** Throws a RangeError, without the key, for a place that cannot be. */
export function checkPlace({ name, url, key, healthPath = "/" }: UpstreamOptions): void {
  const wrong = (what: string) => new RangeError(`Upstream "${name}": ${what}`);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw wrong(`"url" must begin with http:// or https://, current value is ${JSON.stringify(url)}`);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw wrong('"url" must not have a key in it: give it as "keyFile" or "keyEnv"');
  }
  if (parsed.search !== "" || parsed.hash !== "") throw wrong('"url" must end before any ? or #');
  if (!healthPath.startsWith("/")) {
    throw wrong(`"healthPath" must begin with /, current value is ${JSON.stringify(healthPath)}`);
  }
  if (key !== undefined && !KEY.test(key)) {
    throw wrong("its key must have 1 to 4096 printable characters without spaces");
  }
}

/** A server that speaks OpenAI's interface. Its address comes from the operator alone; nothing of a request changes it. */
export class UpstreamConnection {
  readonly options: UpstreamOptions;
  readonly #base: string;

  constructor(options: UpstreamOptions) {
    checkPlace(options);
    this.options = options;
    this.#base = options.url.replace(/\/+$/, "");
  }

  /**
   * Sends a body and gives the response once its head is there, if it is an answer. Throws an UpstreamFailure, an
   * ApiError where the request is at fault, or the signal's reason.
   */
  async post(
    path: string,
    body: unknown,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response> {
    const { key } = this.options;
    let response: Response;
    try {
      response = await fetch(this.#base + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          // What is compressed may be much more than it seems.
          "accept-encoding": "identity",
          ...headers,
          ...key === undefined ? {} : { authorization: `Bearer ${key}` },
        },
        body: JSON.stringify(body),
        // Another address is not the one that the operator has named.
        redirect: "manual",
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new UpstreamFailure("unreachable", this.#hide(fetchReason(error)), { cause: error });
    }
    if (response.ok) return response;
    throw await this.#problem(response, signal);
  }

  /** The text of a response, which is JSON, and its value, within bounds. Throws as {@linkcode UpstreamConnection.post}. */
  async json(
    response: Response,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly value: unknown }> {
    const text = await this.#text(response, ANSWER_BYTES_MAX, signal);
    if (text === null) {
      throw new UpstreamFailure("malformed", `an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    }
    try {
      return { text, value: JSON.parse(text) };
    } catch {
      throw new UpstreamFailure("malformed", "an answer that is no JSON");
    }
  }

  /** Whether it is well. Never rejects. */
  async look(): Promise<boolean> {
    const { key, healthPath = UPSTREAM_DEFAULTS.healthPath } = this.options;
    try {
      const response = await fetch(this.#base + healthPath, {
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
        redirect: "manual",
        signal: AbortSignal.timeout(HEALTH_MS),
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }

  async #problem(response: Response, signal: AbortSignal): Promise<UpstreamFailure | ApiError> {
    const { status } = response;
    const text = await this.#text(response, ERROR_BYTES_MAX, signal, ERROR_MS).catch(() => null) ?? "";
    signal.throwIfAborted();
    const { message, code, param } = errorOf(text);
    const said = this.#hide(message ?? `status ${status}`).slice(0, MESSAGE_MAX);
    if (REQUEST_FAULTS.has(status)) {
      return new ApiError(status, said, { code: code ?? "upstream_refused", param });
    }
    if (status === 429 || status === 503) {
      return new UpstreamFailure("busy", said, { retryAfterMs: retryAfterMs(response.headers) });
    }
    if (status === 401 || status === 403) {
      return new UpstreamFailure("key", `it does not take the key: ${said}`);
    }
    if (status === 404) return new UpstreamFailure("model", said);
    if (status >= 300 && status < 400) {
      return new UpstreamFailure("status", "it leads elsewhere, which is not followed");
    }
    return new UpstreamFailure("status", `status ${status}: ${said}`);
  }

  /** null: it is longer. `limitMs`: what has come until then is all. */
  async #text(
    response: Response,
    bytesMax: number,
    signal: AbortSignal,
    limitMs?: number,
  ): Promise<string | null> {
    const reader = response.body?.getReader();
    if (reader === undefined) return "";
    const leave = () => void reader.cancel().catch(() => {});
    const timer = limitMs === undefined ? undefined : setTimeout(leave, limitMs);
    const decoder = new TextDecoder();
    let text = "", bytes = 0;
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        bytes += part.value.length;
        if (bytes > bytesMax) {
          leave();
          return null;
        }
        text += decoder.decode(part.value, { stream: true });
      }
    } catch (error) {
      signal.throwIfAborted();
      throw new UpstreamFailure("unreachable", this.#hide(fetchReason(error)), { cause: error });
    } finally {
      clearTimeout(timer);
    }
    return text + decoder.decode();
  }

  /** Some servers say in an error which key they were given. */
  #hide(text: string): string {
    const { key } = this.options;
    return key === undefined ? text : text.replaceAll(key, "…");
  }
}

function errorOf(text: string): { message?: string; code?: string; param?: string } {
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string") return { message: error };
    const { message, code, param } = error ?? {};
    return {
      message: typeof message === "string" ? message : undefined,
      code: typeof code === "string" && /^[\w.-]{1,64}$/.test(code) ? code : undefined,
      param: typeof param === "string" && PARAM.test(param) ? param : undefined,
    };
  } catch {
    return {};
  }
}

/** In seconds or as a date; nothing said: a second. */
function retryAfterMs(headers: Headers): number {
  const said = headers.get("retry-after");
  if (said === null) return RETRY_MS;
  const ms = /^\d+(\.\d+)?$/.test(said.trim()) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : RETRY_MS;
}
