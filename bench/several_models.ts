/**
 * Models that do not fit into memory together: each request asks one of them, at random and at random times. Counts
 * requests without an answer, or with another one than the model gives alone, and watches the memory that is set
 * aside, and the process's own.
 *
 * deno task run bench/several_models.ts MODEL MODEL MODEL [--memory-megabytes N] [--requests N]
 * @module
 */

import { serveModels } from "../src/server/serve_models.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { exponentialMs, randomFrom } from "../src/loadtest/random.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/several_models.ts",
  summary: "requests for models that do not fit into memory together",
  usage: "MODEL… [--memory-megabytes N] [--requests N] [--rate R] [--seed N] [--json]",
  positionals: { min: 1, max: 16 },
  options: [
    { name: "memory-megabytes", value: "N", help: "what all together may take", default: "600" },
    { name: "requests", value: "N", help: "of all models together", default: "200" },
    { name: "rate", value: "R", help: "requests per second, as a Poisson process", default: "4" },
    {
      name: "switch",
      value: "SHARE",
      help: "of requests that ask another model than the one before",
      default: "0.2",
    },
    { name: "tokens", value: "N", help: "of each answer", default: "16" },
    { name: "seed", value: "N", help: "of all that is random", default: "1" },
    { name: "json", help: "one JSON object instead of a table" },
  ],
  run: runSeveralModels,
};

const MIB = 2 ** 20;
const WATCH_MS = 25;

interface Answer {
  readonly model: string;
  readonly text: string | null;
  readonly ms: number;
}

async function runSeveralModels(args: Arguments): Promise<number> {
  const number = (name: string, min = 0) => numberOption(args, name, { min, max: 1e9 })!;
  const models = args.positional.map((model, i) => ({ name: `m${i}`, model, kvTokens: 2048 }));
  const memoryBytes = number("memory-megabytes") * MIB;
  const rssAtStart = Deno.memoryUsage().rss;
  await using server = serveModels({ models, port: 0, memoryBytes, loadWaitMs: 600_000, canaryMs: 0 });
  const watch = new Watch(server.url);
  const ask = (model: string) => askModel(server.url, model, number("tokens"));
  const expected = new Map<string, string | null>();
  for (const { name } of models) expected.set(name, (await ask(name)).text);
  const answers = await sendAll(args, models.map(({ name }) => name), ask);
  const { heldMax, rssMax, loads } = await watch.end();
  const lost = answers.filter(({ text }) => text === null).length;
  const wrong = answers.filter(({ model, text }) => text !== null && text !== expected.get(model)).length;
  const ms = ascending(answers.map((each) => each.ms));
  const figures = {
    requests: answers.length,
    lost,
    wrong,
    loads,
    memory_mib: memoryBytes / MIB,
    held_max_mib: Math.round(heldMax / MIB),
    rss_above_start_max_mib: Math.round((rssMax - rssAtStart) / MIB),
    p50_ms: Math.round(quantile(ms, 0.5)),
    p99_ms: Math.round(quantile(ms, 0.99)),
  };
  if (args.switches.has("json")) console.log(JSON.stringify(figures));
  else console.log(renderTable(["", ""], Object.entries(figures).map(([name, value]) => [name, `${value}`])));
  return lost + wrong > 0 || heldMax > memoryBytes ? 1 : 0;
}

async function sendAll(
  args: Arguments,
  names: readonly string[],
  ask: (model: string) => Promise<Answer>,
): Promise<Answer[]> {
  const number = (name: string) => numberOption(args, name, { min: 0, max: 1e9 })!;
  const random = randomFrom(number("seed"));
  const sent: Promise<Answer>[] = [];
  let model = names[0];
  for (let i = 0; i < number("requests"); i++) {
    if (random() < number("switch")) model = names[Math.floor(random() * names.length)];
    sent.push(ask(model));
    await new Promise((resolve) => setTimeout(resolve, exponentialMs(random, number("rate"))));
  }
  return await Promise.all(sent);
}

/** Null where there is no answer. */
async function askModel(url: string, model: string, tokens: number): Promise<Answer> {
  const startedAt = performance.now();
  const body = {
    model,
    prompt: "Once upon a time",
    max_tokens: tokens,
    temperature: 1,
    seed: 3,
    class: "batch",
  };
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = response.ok ? (await response.json()).choices[0].text : null;
  if (text === null) console.error(await response.text());
  return { model, text, ms: performance.now() - startedAt };
}

/** Looks at the memory again and again. */
class Watch {
  readonly #url: string;
  readonly #done: Promise<void>;
  #isOver = false;
  #heldMax = 0;
  #rssMax = 0;
  #loads = 0;

  constructor(url: string) {
    this.#url = url;
    this.#done = this.#look();
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      const text = await (await fetch(`${this.#url}/metrics`)).text();
      this.#heldMax = Math.max(this.#heldMax, Number(/^kumi:models_memory_bytes (\S+)$/m.exec(text)?.[1]));
      this.#rssMax = Math.max(this.#rssMax, Deno.memoryUsage().rss);
      this.#loads = text.matchAll(/^kumi:model_loads_total\S* (\d+)$/gm).reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
  }

  async end(): Promise<{ heldMax: number; rssMax: number; loads: number }> {
    this.#isOver = true;
    await this.#done;
    return { heldMax: this.#heldMax, rssMax: this.#rssMax, loads: this.#loads };
  }
}

if (import.meta.main) await runScript(COMMAND);
