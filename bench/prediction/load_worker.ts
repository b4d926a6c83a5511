/** Sends a load from a thread of its own, so that the server under it is not slowed by counting. @module */

import { sendLoad } from "../../src/loadtest/generator.ts";
import { TokenPromptMaker } from "../../src/loadtest/prompts.ts";
import type { LoadOrder } from "./load.ts";

const port = globalThis as unknown as Pick<Worker, "onmessage" | "postMessage">;

port.onmessage = async ({ data }: MessageEvent<LoadOrder>) => {
  const { arrivals, target, alphabet, nonce } = data;
  const records = await sendLoad(arrivals, {
    target,
    prompts: new TokenPromptMaker(alphabet, { nonce }),
    inFlightMax: 4096,
    timeoutMs: 600_000,
    signal: new AbortController().signal,
  });
  port.postMessage(records);
};
