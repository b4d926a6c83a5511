/** A load on this server, of bulk requests, with a bound on everything. @module */

import { ask } from "../core/api.ts";
import { Store } from "../core/store.ts";

/** Browsers open six connections to a server: these leave room for the comparison. */
const CONNECTIONS = 3;
/** Answers to each of a request's prompts. */
const ANSWERS = 8;
/** Then the load ends by itself. */
export const LOAD_MS = 60_000;

/** Each request has two of them. */
const PROMPTS = [
  "A long story about a lighthouse keeper:",
  "A list of animals, with a sentence about each:",
  "How a city gets its water, in great detail:",
  "A letter from a sailor to his sister:",
];
const PROMPTS_EACH = 2;
/** Short answers: those that wait get their turn while somebody watches. */
const TOKENS = 64;

/** Answers that are being asked for at the same time. */
export const LOAD_ANSWERS = CONNECTIONS * ANSWERS * PROMPTS_EACH;

/** When the load began, in ms since 1970; null: there is none. */
export const loadSince = new Store<number | null>(null);
let running: AbortController | null = null;

/** Begins a load of a class, or goes on with the one there is. */
export function startLoad(latencyClass: string): void {
  if (running !== null) return;
  const abort = running = new AbortController();
  loadSince.set(Date.now());
  const timer = setTimeout(() => stopLoad(), LOAD_MS);
  abort.signal.addEventListener("abort", () => clearTimeout(timer));
  for (let i = 0; i < CONNECTIONS; i++) void keepAsking(i, latencyClass, abort.signal);
}

export function stopLoad(): void {
  running?.abort();
  running = null;
  loadSince.set(null);
}

async function keepAsking(i: number, latencyClass: string, signal: AbortSignal): Promise<void> {
  const body = {
    prompt: Array.from({ length: PROMPTS_EACH }, (_, k) => PROMPTS[(i + k) % PROMPTS.length]),
    class: latencyClass,
    n: ANSWERS,
    max_tokens: TOKENS,
    ignore_eos: true,
    seed: i,
  };
  while (!signal.aborted) {
    try {
      const headers = { "content-type": "application/json" };
      const response = await ask("/v1/completions", {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        signal,
      });
      await response.arrayBuffer();
    } catch {
      // A refusal is what a load is for; then a moment's rest.
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
