/** Requests to the server that served the page. @module */

import { SseParser } from "../../../loadtest/sse.ts";
import { keptStore, Store } from "./store.ts";

/** The API key, kept until the tab is closed; "" where none was entered. */
export const apiKey = keptStore<string>(() => sessionStorage, "kumi.key", "");
/** Why a key is asked for; null: it is not. */
export const keyWanted = new Store<"missing" | "wrong" | null>(null);

/** What went wrong with a request. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** Of the response; 0 where none came. */
  readonly status: number;
  /** The server's short name of it, or "unreachable" or "broken" where the connection failed. */
  readonly code: string;
  /** After how many seconds to try again, where the server says so. */
  readonly retrySeconds?: number;

  constructor(status: number, code: string, message: string, retrySeconds?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retrySeconds = retrySeconds;
  }
}

/** Whether somebody stopped the request on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Throws a Failure, or an AbortError. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey.value !== "") headers.set("authorization", `Bearer ${apiKey.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(0, "unreachable", String((error as Error).message));
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (failure.status === 401) keyWanted.set(apiKey.value === "" ? "missing" : "wrong");
  throw failure;
}

async function failureOf(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => "");
  const retry = Number(response.headers.get("retry-after") ?? NaN);
  return new Failure(response.status, ...errorIn(text), Number.isFinite(retry) ? retry : undefined);
}

/** Code and message of an error object of the server's, or the text itself. */
function errorIn(text: string): [code: string, message: string] {
  try {
    const { error } = JSON.parse(text);
    return [String(error.code ?? error.type ?? ""), String(error.message)];
  } catch {
    return ["", text.slice(0, 500)];
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await (await ask(path, { signal })).json();
}

/**
 * The events of a stream. Throws a Failure where the connection ends before the stream does: a part must not
 * pass for the whole.
 */
export async function* events(path: string, init: RequestInit): AsyncGenerator<string> {
  const response = await ask(path, init);
  const reader = response.body!.getReader();
  const parser = new SseParser();
  try {
    while (true) {
      const { done, value } = await reader.read().catch((error) => {
        if (isAbort(error)) throw error;
        throw new Failure(0, "broken", String((error as Error).message));
      });
      if (done) return;
      for (const data of parser.push(value)) {
        if (data.startsWith('{"error"')) throw new Failure(200, ...errorIn(data));
        yield data;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Sends JSON and gives the events of the answer. */
export function postEvents(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<string> {
  const headers = { "content-type": "application/json" };
  return events(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}
