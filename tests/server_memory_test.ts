/**
 * Whatever becomes of a request, nothing of it stays: neither where HTTP is served nor in the engine's
 * worker.
 * @module
 */

import { assert } from "@std/assert";
import { SoakChild } from "../bench/soak/process.ts";
import { REQUEST_KINDS, sendRequest } from "../bench/soak/requests.ts";
import { growth, heapObjects } from "./support/heap_objects.ts";

/** Of each kind: before the first count, and between it and the second. */
const WARM_UP = 10, REQUESTS = 40;
/** One object that stayed of each request of a single kind would be `REQUESTS`. */
const GROWTH_MAX = 3 * REQUESTS / 4;
/** Connections that clients have left take a moment to end. */
const TRIES = 6, TRY_MS = 1000;

Deno.test("requests of all kinds leave no objects behind, in the server and in the engine", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // A prefix cache keeps what it is there for.
    await using child = await SoakChild.start({ model: "demo", prefixCache: false });
    const count = async (name: string) => {
      // The last step's sequences stay until the next step: one.
      await sendRequest(child.url, "plain", 0);
      await child.order({ type: "snapshot", path: `${folder}/${name}` });
      const heaps = ["main", "worker"].map((heap) => heapObjects(`${folder}/${name}.${heap}.heapsnapshot`));
      return await Promise.all(heaps);
    };
    await seeAllTokens(child.url);
    await send(child.url, 0, WARM_UP);
    // The first one loads what writing needs.
    await count("first");
    const before = await count("before");
    await send(child.url, WARM_UP, REQUESTS);
    let grown = before.map((counts) => growth(counts, counts));
    for (let tries = 0; tries < TRIES; tries++) {
      const after = await count("after");
      grown = after.map((counts, heap) => growth(before[heap], counts));
      if (grown.every(({ objects }) => objects <= GROWTH_MAX)) return;
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
    const found = grown.map(({ objects, names }) => `${objects} more objects: ${names}`);
    assert(false, `after ${REQUESTS} more requests of each kind; server: ${found[0]}; engine: ${found[1]}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function send(url: string, first: number, count: number): Promise<void> {
  for (let i = first; i < first + count; i++) {
    await Promise.all(REQUEST_KINDS.map((kind) => sendRequest(url, kind, i)));
  }
}

/** The tokenizer keeps the bytes of each token that it has seen. */
async function seeAllTokens(url: string): Promise<void> {
  const tokens = Array.from({ length: 1024 }, (_, id) => id);
  const body = JSON.stringify({ tokens, special: true });
  const response = await fetch(`${url}/detokenize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  assert(response.ok, await response.text());
}
