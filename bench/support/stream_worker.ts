/** Clients that read streams of a server, in a thread of their own. @module */

/** What the worker is told; it answers with the ms until all streams have ended. */
export interface StreamOrder {
  readonly url: string;
  readonly streams: number;
  readonly tokens: number;
}

addEventListener("message", async (event) => {
  const { url, streams, tokens } = (event as MessageEvent<StreamOrder>).data;
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: streams }, async (_, seed) => {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Once", max_tokens: tokens, seed, ignore_eos: true, stream: true }),
    });
    const text = await response.text();
    if (!response.ok || !text.trimEnd().endsWith("[DONE]")) {
      throw new Error(`no whole stream: ${text.slice(-200)}`);
    }
  }));
  (self as unknown as Worker).postMessage(performance.now() - startedAt);
});
