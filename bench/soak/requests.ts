/** What a soak asks a server for: the ways in which a request can end. @module */

export const REQUEST_KINDS = ["plain", "stream", "leave", "wrong", "embed", "reconnect"] as const;

/**
 * An answer of one token, plain or streamed; a client that leaves a longer stream after its first part; a
 * request that is refused; an embedding; an answer on a connection of its own.
 */
export type RequestKind = (typeof REQUEST_KINDS)[number];

/**
 * Sends one, and reads the answer as far as its kind does. Throws an Error for a status that the kind does
 * not expect.
 */
export async function sendRequest(url: string, kind: RequestKind, number: number): Promise<void> {
  const prompt = `Once ${number}`;
  const answer = { prompt, max_tokens: 1, seed: number };
  switch (kind) {
    case "plain":
      return await whole(url, "completions", answer);
    case "stream":
      return await whole(url, "completions", { ...answer, stream: true });
    case "wrong":
      return await whole(url, "completions", { ...answer, temperature: -number - 1 }, 400);
    case "embed":
      return await whole(url, "embeddings", { input: prompt });
    case "reconnect":
      return await whole(url, "completions", answer, 200, { connection: "close" });
    case "leave": {
      const abort = new AbortController();
      const response = await post(url, "completions", {
        ...answer,
        max_tokens: 400,
        ignore_eos: true,
        stream: true,
      }, {
        signal: abort.signal,
      });
      const reader = response.body!.getReader();
      await reader.read();
      abort.abort();
      return await reader.cancel().catch(() => {});
    }
  }
}

function post(url: string, path: string, body: object, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", ...init.headers };
  return fetch(`${url}/v1/${path}`, { method: "POST", ...init, headers, body: JSON.stringify(body) });
}

async function whole(
  url: string,
  path: string,
  body: object,
  status = 200,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await post(url, path, body, { headers });
  const text = await response.text();
  if (response.status !== status) throw new Error(`the server answered ${response.status}: ${text}`);
}
