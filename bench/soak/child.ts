/**
 * The process that a soak watches: a server, and the model that it serves. It reads orders from standard
 * input, a line of JSON each, and answers each with one on standard output.
 * @module
 */

import { type KumiServer, type Model, serve } from "../../mod.ts";
import { type IsolateFigures, isolateFigures, type WorkerAnswer, writeSnapshot } from "./figures.ts";

/**
 * `run`: asks so many answers of the model itself. `snapshot`: writes the heaps to this path with an ending
 * of their own.
 */
export type SoakOrder =
  | { readonly type: "figures" }
  | { readonly type: "run"; readonly first: number; readonly requests: number; readonly concurrency: number }
  | { readonly type: "snapshot"; readonly path: string };

/** Of the whole process, in bytes. */
export interface SoakFigures {
  readonly rss: number;
  /** Of `rss`: what the heaps, stacks and libraries of the process have written, not mapped from files. */
  readonly anonymous: number;
  readonly main: IsolateFigures;
  readonly worker: IsolateFigures;
  /** KV cache: memory that is committed, and tokens in the prefix cache. */
  readonly kvCommitted: number;
  readonly kvCached: number;
}

const channel = new BroadcastChannel("kumi soak");
let questions = 0;

/** The engine's worker with an ear for questions about its memory. */
class ListeningWorker extends Worker {
  constructor(_url: string | URL, options?: WorkerOptions) {
    super(new URL("./worker.ts", import.meta.url), options);
  }
}
globalThis.Worker = ListeningWorker;

async function askWorker(snapshot?: string): Promise<IsolateFigures> {
  const id = questions++;
  const answer = Promise.withResolvers<IsolateFigures>();
  channel.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
    if (data.id === id) answer.resolve(data.figures);
  };
  channel.postMessage({ id, snapshot });
  return await answer.promise;
}

async function figures(model: Model): Promise<SoakFigures> {
  const { workers: [{ kv }] } = await model.stats();
  const worker = await askWorker();
  const main = isolateFigures();
  const status = Deno.readTextFileSync("/proc/self/status");
  const line = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return {
    ...{ rss: line("VmRSS"), anonymous: line("RssAnon"), main, worker },
    ...{ kvCommitted: kv.committedBytes ?? 0, kvCached: kv.cachedBytes },
  };
}

async function run(
  model: Model,
  { first, requests, concurrency }: SoakOrder & { type: "run" },
): Promise<void> {
  let next = first;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (next < first + requests) {
      const i = next++;
      const signal = new AbortController().signal;
      await model.generate(`Once ${i}`, { class: "interactive", maxTokens: 1, seed: i, signal }).result;
    }
  }));
}

async function obey(server: KumiServer, order: SoakOrder): Promise<unknown> {
  const model = await server.ready;
  switch (order.type) {
    case "figures":
      return await figures(model);
    case "run":
      return await run(model, order);
    case "snapshot":
      await askWorker(`${order.path}.worker.heapsnapshot`);
      return writeSnapshot(`${order.path}.main.heapsnapshot`);
  }
}

if (import.meta.main) {
  const options = JSON.parse(Deno.args[0] ?? "{}");
  await using server = serve({ port: 0, canaryMs: 0, ...options });
  await server.ready;
  console.log(JSON.stringify({ url: server.url }));
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      console.log(JSON.stringify({ answer: await obey(server, JSON.parse(line)) ?? null }));
    }
  }
  channel.close();
}
