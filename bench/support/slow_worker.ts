/** Slow clients in a thread of their own, so that a good client beside them is measured as it is. @module */

import { SlowClients } from "../../tests/support/slow_clients.ts";

/** What the worker is told; it says how many connections are open, and how many were opened so far. */
export type SlowOrder =
  | { port: number; everyMs: number; connections: number; readers: number; readerTokens: number }
  | "count"
  | "end";

let clients: SlowClients | null = null;

addEventListener("message", async (event) => {
  const { data } = event as MessageEvent<SlowOrder>;
  if (data === "end") {
    await clients?.[Symbol.asyncDispose]();
  } else if (data !== "count") {
    clients = new SlowClients(data.port, data.everyMs, data.readerTokens);
    clients.start("head", Math.ceil(data.connections / 2));
    clients.start("body", Math.floor(data.connections / 2));
    clients.start("reader", data.readers);
  }
  (self as unknown as Worker).postMessage({ open: clients?.open ?? 0, opened: clients?.opened ?? 0 });
});
