/**
 * Three servers behind a balancer, under load, while each is ended and started anew in turn: how many requests are lost, and
 * how many tokens of prompts the servers' prefix caches have. Conversations of some turns with a system prompt of their own, so that
 * it matters where they go.
 *
 * deno task run bench/rolling_upgrade.ts --balancer haproxy|nginx [--minutes 10] [--users 8] [--model demo]
 * deno task run bench/rolling_upgrade.ts --balancer haproxy --kill   one server is killed (SIGKILL) instead of ended in order
 *
 * The balancer is Debian's (`apt install haproxy nginx-light`), its configuration that of deploy/, with other ports.
 * @module
 */

import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { Balancer, BALANCERS, freePort } from "./support/balancer.ts";
import { runScript } from "./support/script.ts";
import { type ServerProcess, startServerProcess } from "./support/server_process.ts";

const COMMAND: Command = {
  name: "bench/rolling_upgrade.ts",
  summary: "servers behind a balancer that are upgraded in turn under load: what is lost",
  usage: "--balancer haproxy|nginx [--minutes N] [--users N] [--model MODEL] [--kill]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "balancer", value: "NAME", help: BALANCERS.join(" or "), default: "haproxy" },
    { name: "minutes", value: "N", help: "how long", default: "10" },
    { name: "users", value: "N", help: "conversations at the same time", default: "8" },
    { name: "model", alias: "m", value: "MODEL", help: "what is served", default: "demo" },
    { name: "kill", help: "kill servers instead of ending them in order" },
  ],
  run: runUpgrade,
};

const SERVERS = 3, TURNS = 4, ANSWER_TOKENS = 24;
/** A user reads before the next question. */
const READING_MS = 500;
const WORDS = "river stone winter garden letter music window bread harbour summer yellow engine paper teacher"
  .split(" ");

/** What users saw. */
interface Seen {
  answered: number;
  /** Answers that did not come, or broke off, with what was said. */
  readonly lost: string[];
  readonly ms: number[];
}

async function runUpgrade(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 0.1, max: 1000 })!;
  const asked = args.values.get("balancer")!;
  const name = BALANCERS.find((each) => each === asked);
  if (name === undefined) throw new UsageError(`--balancer is ${BALANCERS.join(" or ")}, not ${asked}`);
  const model = await resolveModelFile(args.values.get("model")!);
  const ports = Array.from({ length: SERVERS }, freePort);
  const start = (i: number) => startServerProcess(["--model", model, "--threads", "1"], ports[i]);
  const servers: ServerProcess[] = await Promise.all(ports.map((_, i) => start(i)));
  await using balancer = await Balancer.start(name, ports);
  const over = new AbortController();
  const seen: Seen = { answered: 0, lost: [], ms: [] };
  const users = Array.from(
    { length: Math.round(number("users")) },
    (_, i) => converse(`${balancer.url}/v1/chat/completions`, i, seen, over.signal),
  );
  const endAt = performance.now() + number("minutes") * 60_000;
  const gapMs = number("minutes") * 60_000 / (SERVERS + 1);
  const prefixes = { queries: 0, hits: 0 };
  for (let i = 0; i < SERVERS; i++) {
    await sleep(gapMs - 1000);
    addPrefixes(prefixes, await metricsOf(servers[i]));
    await (args.switches.has("kill") ? servers[i].kill() : servers[i].drain());
    servers[i] = await start(i);
    console.error(`server ${i + 1} of ${SERVERS} is new; ${seen.answered} answers, ${seen.lost.length} lost`);
  }
  await sleep(Math.max(0, endAt - performance.now()));
  over.abort();
  await Promise.all(users);
  for (const server of servers) addPrefixes(prefixes, await metricsOf(server));
  await Promise.all(servers.map((server) => server.stop()));
  const ms = ascending(seen.ms);
  console.log(
    `${name}: ${seen.answered} answers, ${seen.lost.length} lost; p50 ${
      quantile(ms, 0.5).toFixed(0)
    } ms, p99 ${quantile(ms, 0.99).toFixed(0)} ms; prefix caches had ${
      (100 * prefixes.hits / prefixes.queries).toFixed(1)
    } % of the prompts' tokens`,
  );
  for (const message of new Set(seen.lost)) console.log(`lost: ${message}`);
  return seen.lost.length === 0 ? 0 : 1;
}

/** One user: conversations of some turns, each with a system prompt of its own. */
async function converse(url: string, user: number, seen: Seen, signal: AbortSignal): Promise<void> {
  const random = randomFrom(user + 1);
  const words = (count: number) =>
    Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]).join(" ");
  while (!signal.aborted) {
    const session = crypto.randomUUID();
    const messages = [{ role: "system", content: `You are ${words(20)}.` }];
    for (let turn = 0; turn < TURNS && !signal.aborted; turn++) {
      messages.push({ role: "user", content: words(6) });
      const began = performance.now();
      try {
        const response = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json", "x-session-id": session },
          body: JSON.stringify({ messages, max_tokens: ANSWER_TOKENS, temperature: 0 }),
        });
        const text = await response.text();
        if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 120)}`);
        messages.push({ role: "assistant", content: JSON.parse(text).choices[0].message.content || "…" });
        seen.answered++;
        seen.ms.push(performance.now() - began);
        await sleep(READING_MS);
      } catch (error) {
        seen.lost.push(error instanceof Error ? error.message : String(error));
        await sleep(200);
        break;
      }
    }
  }
}

async function metricsOf(server: ServerProcess): Promise<string> {
  return await (await fetch(`${server.url}/metrics`)).text();
}

function addPrefixes(prefixes: { queries: number; hits: number }, text: string): void {
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^vllm:prefix_cache_${name}_total\\{.*\\} (\\d+)$`, "gm"))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  prefixes.queries += sum("queries");
  prefixes.hits += sum("hits");
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

if (import.meta.main) await runScript(COMMAND);
