/**
 * Answers HAProxy's agent checks for a kumi server: the more requests wait there, the less it is to get.
 *
 * deno run --allow-net --allow-env deploy/haproxy/agent.ts --server http://127.0.0.1:8081 --listen 9101
 *
 * KUMI_API_KEY is sent as the key. The agent's protocol: HAProxy's configuration manual, `agent-check`.
 * @module
 */

import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "http://127.0.0.1:8080" },
    listen: { type: "string", default: "9101" },
    host: { type: "string", default: "127.0.0.1" },
  },
});
/** The check must be quicker than HAProxy's patience (`inter`). */
const PATIENCE_MS = 1000;

/** What `/v1/queue` says, as far as it matters here. */
interface Queue {
  readonly ready: boolean;
  readonly classes: readonly { readonly running: number; readonly waiting: number }[];
}

/** A line of the agent's protocol: a weight in per cent, or a state. */
async function verdict(): Promise<string> {
  const key = Deno.env.get("KUMI_API_KEY");
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(`${values.server}/v1/queue`, { headers, signal });
    if (!response.ok) {
      await response.body?.cancel();
      return "drain";
    }
    const { ready, classes }: Queue = await response.json();
    if (!ready) return "drain";
    const sum = (read: (each: Queue["classes"][number]) => number) =>
      classes.reduce((total, each) => total + read(each), 0);
    const running = sum((each) => each.running), waiting = sum((each) => each.waiting);
    return `up ready ${Math.max(1, Math.round(100 * (running + 1) / (running + waiting + 1)))}%`;
  } catch {
    return "down";
  }
}

const listener = Deno.listen({ hostname: values.host, port: Number(values.listen) });
console.error(`agent of ${values.server} on ${values.host}:${(listener.addr as Deno.NetAddr).port}`);
for await (const connection of listener) {
  void (async () => {
    try {
      await connection.write(new TextEncoder().encode(`${await verdict()}\n`));
    } catch {
      // HAProxy has gone: it asks again.
    } finally {
      connection.close();
    }
  })();
}
