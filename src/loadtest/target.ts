/** The server under load. @module */

import { fetchReason } from "../hub/fetch_reason.ts";
import { fitTokenRate, randomWords, SAMPLE_TEXT, type TokenRate } from "./prompts.ts";

/** How the server is spoken to. */
export interface Target {
  /** Up to and including "/v1". */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  /** Which of OpenAI's two routes. */
  readonly api: "chat" | "completions";
  /** Sends the `class` field, which only kumi knows. */
  readonly sendsClass: boolean;
  /** Sends `ignore_eos`, which some servers know: answers are then as long as they may be. */
  readonly ignoreEnd: boolean;
}

/** The server cannot be used for a load test. */
export class TargetError extends Error {
  override readonly name = "TargetError";
}

/** "http://host:8080" and "http://host:8080/v1/" → "http://host:8080/v1". */
export function baseUrlOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TargetError(
      `The server's address must begin with http:// or https://, current value is ${text}`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  return url.origin + (path === "" ? "/v1" : path);
}

export function headersOf({ apiKey }: Pick<Target, "apiKey">): Record<string, string> {
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
}

/** The body of a request. `stream`: with its usage in the last event. */
export function bodyOf(
  target: Target,
  request: { prompt: string | readonly number[]; maxTokens: number; class?: string; stream: boolean },
): string {
  const { prompt, maxTokens, stream } = request;
  return JSON.stringify({
    model: target.model,
    ...(target.api === "chat" ? { messages: [{ role: "user", content: prompt }] } : { prompt }),
    max_tokens: maxTokens,
    temperature: 0,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    ...(target.ignoreEnd ? { ignore_eos: true } : {}),
    ...(target.sendsClass ? { class: request.class } : {}),
  });
}

export function urlOf({ baseUrl, api }: Target): string {
  return `${baseUrl}/${api === "chat" ? "chat/completions" : "completions"}`;
}

/** The first model that the server names. Throws a TargetError where it names none. */
export async function firstModel(baseUrl: string, apiKey?: string, signal?: AbortSignal): Promise<string> {
  const reply = await getJson(`${baseUrl}/models`, { headers: headersOf({ apiKey }), signal });
  const id = (reply as { data?: { id?: unknown }[] })?.data?.[0]?.id;
  if (typeof id !== "string") {
    throw new TargetError(`${baseUrl}/models names no model; name one with --model`);
  }
  return id;
}

/** Asks the server how many tokens prompts of words have, by two requests that no result counts. */
export async function calibrate(target: Target, nonce: number, signal?: AbortSignal): Promise<TokenRate> {
  // Not so long that a server with a tight objective would refuse them.
  const short = 8, long = 48;
  const tokensOf = async (words: number) => {
    const prompt = randomWords(nonce + words, words).join(" ");
    const reply = await getJson(urlOf(target), {
      method: "POST",
      headers: { "content-type": "application/json", ...headersOf(target) },
      body: bodyOf(target, { prompt, maxTokens: 1, stream: false }),
      signal,
    });
    const tokens = (reply as { usage?: { prompt_tokens?: unknown } })?.usage?.prompt_tokens;
    if (typeof tokens !== "number") {
      throw new TargetError(`${urlOf(target)} does not tell usage.prompt_tokens`);
    }
    return { words, tokens };
  };
  return fitTokenRate(await tokensOf(short), await tokensOf(long));
}

/**
 * Ids of ordinary tokens, as the server's `/tokenize` gives them: kumi and vLLM have one. Throws a TargetError
 * where it has none.
 */
export async function tokenAlphabet(target: Target, signal?: AbortSignal): Promise<number[]> {
  const url = `${target.baseUrl.replace(/\/v1$/, "")}/tokenize`;
  const reply = await getJson(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headersOf(target) },
    body: JSON.stringify({ model: target.model, prompt: SAMPLE_TEXT }),
    signal,
  });
  const tokens = (reply as { tokens?: unknown })?.tokens;
  const ids = Array.isArray(tokens) ? tokens.filter((id) => Number.isSafeInteger(id) && id >= 0) : [];
  // The first one may say that a text begins.
  const alphabet = [...new Set(ids.slice(1))];
  if (alphabet.length < 2) throw new TargetError(`${url} gives no list of tokens`);
  return alphabet;
}

async function getJson(url: string, init: RequestInit): Promise<unknown> {
  let text: string, response: Response;
  try {
    response = await fetch(url, init);
    text = await response.text();
  } catch (error) {
    init.signal?.throwIfAborted();
    throw new TargetError(`${url} cannot be reached: ${fetchReason(error)}`);
  }
  if (!response.ok) throw new TargetError(`${url} answered ${response.status}: ${text.slice(0, 300)}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new TargetError(`${url} answered no JSON: ${text.slice(0, 300)}`);
  }
}
