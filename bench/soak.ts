/**
 * Whether memory grows with the number of requests: very many answers of one token, and after every so many
 * what the process holds. Over HTTP through the gate, or of the model alone: so server and engine can be told
 * apart.
 *
 * deno task run bench/soak.ts [--requests 1000000] [--every 10000] [--way http|library] [--kinds
 * plain,stream] [--no-collect]
 * @module
 */

import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import type { SoakFigures } from "./soak/child.ts";
import { SoakChild } from "./soak/process.ts";
import { REQUEST_KINDS, type RequestKind, sendRequest } from "./soak/requests.ts";
import { slopeOf } from "./soak/slope.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/soak.ts",
  summary: "memory over very many requests of one token",
  usage:
    "[--model FILE] [--requests N] [--every N] [--concurrency N] [--way http|library] [--kinds KIND,…] [--no-collect]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file", default: "demo" },
    { name: "requests", value: "N", help: "requests in all", default: "1000000" },
    { name: "every", value: "N", help: "requests between two lines", default: "10000" },
    {
      name: "concurrency",
      value: "N",
      help: "requests at the same time, each on a connection",
      default: "8",
    },
    { name: "way", value: "http|library", help: "through a server, or of the model itself", default: "http" },
    {
      name: "kinds",
      value: "KIND,…",
      help: `over HTTP, in turns: ${REQUEST_KINDS.join(", ")}`,
      default: "plain,stream",
    },
    { name: "no-collect", help: "leave collecting garbage to V8: for how much it lets memory grow" },
    { name: "snapshots", value: "FOLDER", help: "write the heaps there after a tenth and at the end" },
  ],
  details:
    "Prints a line of JSON for every so many requests, in bytes; the heaps after a collection, which shows what is\n" +
    "held, and not how long V8 waits before it collects. The last line has\n" +
    "the slopes over the second half, in bytes per request, with the half widths of their 95 % intervals.",
  run: runSoak,
};

const WAYS = ["http", "library"] as const;

async function runSoak(args: Arguments): Promise<number> {
  const number = (name: string, max: number) => numberOption(args, name, { min: 1, max, integer: true })!;
  const [requests, every] = [number("requests", 1e9), number("every", 1e9)];
  const concurrency = number("concurrency", 64);
  const way = WAYS.find((each) => each === args.values.get("way"));
  if (way === undefined) {
    throw new UsageError(`--way takes ${WAYS.join(" or ")}, current value is ${args.values.get("way")}`);
  }
  const kinds = args.values.get("kinds")!.split(",").map((name) => {
    const kind = REQUEST_KINDS.find((each) => each === name);
    if (kind === undefined) {
      throw new UsageError(`--kinds takes ${REQUEST_KINDS.join(", ")}, one is "${name}"`);
    }
    return kind;
  });
  const snapshots = args.values.get("snapshots");
  const collect = !args.switches.has("no-collect");
  await using child = await SoakChild.start({ model: args.values.get("model") }, collect);
  const lines: { requests: number; figures: SoakFigures }[] = [];
  let tookAt = 0;
  for (let done = 0; done < requests; done += every) {
    const portion = Math.min(every, requests - done);
    const startedAt = performance.now();
    if (way === "http") await askServer(child.url, { first: done, requests: portion, concurrency, kinds });
    else await child.order({ type: "run", first: done, requests: portion, concurrency });
    const perSecond = Math.round(portion * 1000 / (performance.now() - startedAt));
    const figures = await child.order({ type: "figures" }) as SoakFigures;
    lines.push({ requests: done + portion, figures });
    console.log(JSON.stringify({ way, requests: done + portion, perSecond, ...figures }));
    if (snapshots !== undefined && tookAt === 0 && done + portion >= requests / 10) {
      tookAt = done + portion;
      await child.order({ type: "snapshot", path: `${snapshots}/${way}-${tookAt}` });
    }
  }
  if (snapshots !== undefined) {
    await child.order({ type: "snapshot", path: `${snapshots}/${way}-${requests}` });
  }
  console.log(JSON.stringify({ way, slopes: slopes(lines.slice(lines.length >> 1)) }));
  return 0;
}

/** Bytes per request of everything that could grow. */
function slopes(lines: readonly { requests: number; figures: SoakFigures }[]) {
  const of = (value: (figures: SoakFigures) => number) => {
    const { perX, plusMinus } = slopeOf(lines.map(({ requests, figures }) => [requests, value(figures)]));
    return [Number(perX.toFixed(2)), Number(plusMinus.toFixed(2))];
  };
  return {
    rss: of(({ rss }) => rss),
    mainHeap: of(({ main }) => main.heapUsed),
    mainExternal: of(({ main }) => main.external),
    workerHeap: of(({ worker }) => worker.heapUsed),
    workerExternal: of(({ worker }) => worker.external),
    kvCommitted: of(({ kvCommitted }) => kvCommitted),
  };
}

/** Requests over keep-alive connections. */
async function askServer(
  url: string,
  { first, requests, concurrency, kinds }: {
    first: number;
    requests: number;
    concurrency: number;
    kinds: readonly RequestKind[];
  },
): Promise<void> {
  let next = first;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (next < first + requests) {
      const i = next++;
      await sendRequest(url, kinds[i % kinds.length], i);
    }
  }));
}

if (import.meta.main) await runScript(COMMAND);
