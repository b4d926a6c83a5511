/**
 * How much sooner answers come when the next tokens are guessed and checked together, by kind of work; whether all of them
 * are the same, token by token; and how many guesses were right. Each prompt is answered with and
 * without, in turns that change from prompt to prompt; what counts is the time from the first token to the last.
 * @module
 */

import { parseArgs } from "@std/cli";
import { cpuUsage } from "node:process";
import { type GenerationResult, loadModel, type Model } from "../mod.ts";
import { renderTable } from "../src/cli/table.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { promptKinds, type SpeculationPrompt } from "./support/speculation_prompts.ts";

const USAGE =
  `usage: deno task run bench/speculation.ts MODEL [--draft MODEL] [--kinds "chat,free story"] [--prompts 50]
       [--tokens 96] [--threads N] [--json FILE]`;

const { _: [path], help, ...args } = parseArgs(Deno.args, {
  string: ["draft", "kinds", "prompts", "tokens", "threads", "json"],
  boolean: ["help"],
  default: { prompts: "50", tokens: "96" },
});
if (help) {
  console.log(USAGE);
  Deno.exit();
}
if (path === undefined) {
  console.error(`give a model\n${USAGE}`);
  Deno.exit(2);
}
const kinds = promptKinds();
const chosen = args.kinds?.split(",").map((name) => name.trim()) ?? Object.keys(kinds);
const unknown = chosen.find((name) => !Object.hasOwn(kinds, name));
if (unknown !== undefined) {
  throw new RangeError(`There is no kind "${unknown}"; there are: ${Object.keys(kinds).join(", ")}`);
}
const prompts = Number(args.prompts), maxTokens = Number(args.tokens);

await using model = await loadModel(String(path), {
  draft: args.draft,
  threads: args.threads === undefined ? undefined : Number(args.threads),
});

interface Run {
  readonly ids: number[];
  readonly result: GenerationResult;
  /** From the first token to the last. */
  readonly ms: number;
  /** Of this process, in that time: less disturbed where others have the cores, too. */
  readonly processorMs: number;
}

function processorMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

async function answer(
  { text, isChat, options }: SpeculationPrompt,
  i: number,
  speculation: boolean,
): Promise<Run> {
  const ids: number[] = [], times: number[] = [], processor: number[] = [];
  const all = {
    ...options,
    maxTokens,
    seed: i,
    speculation,
    onTokens: (tokens: readonly number[]) => {
      ids.push(...tokens);
      times.push(performance.now());
      processor.push(processorMs());
    },
  };
  const generation = isChat ? model.chat([{ role: "user", content: text }], all) : model.generate(text, all);
  const result = await generation.result;
  const between = (all: readonly number[]) => (all.at(-1) ?? 0) - (all[0] ?? 0);
  return { ids, result, ms: between(times), processorMs: between(processor) };
}

/** Steps so far, tokens that were guessed in them, and those that were right. */
async function countsOf(of: Model): Promise<{ steps: number; drafted: number; accepted: number }> {
  const { workers } = await of.stats();
  return workers.reduce(
    (sum, { steps, draftTokens, acceptedTokens }) => ({
      steps: sum.steps + steps,
      drafted: sum.drafted + draftTokens,
      accepted: sum.accepted + acceptedTokens,
    }),
    { steps: 0, drafted: 0, accepted: 0 },
  );
}

/** What a kind of work came to. */
interface KindResult {
  readonly kind: string;
  readonly prompts: number;
  readonly tokens: number;
  /** Tokens after the first, a second, without guesses and with: medians over the prompts, as the speed-up is. */
  readonly plain: number;
  readonly guessing: number;
  readonly speedUp: number;
  /** Of each prompt with more than one token. */
  readonly speedUps: readonly number[];
  /** The same of processor time. */
  readonly processorSpeedUp: number;
  /** Steps without guesses and with, prompts included. */
  readonly steps: { readonly plain: number; readonly guessing: number };
  /** Guesses that were right, and how many tokens of a hundred were guessed. */
  readonly acceptance: number | null;
  readonly acceptedShare: number;
  /** Prompts whose answers were not the same. */
  readonly different: number[];
}

const median = (values: readonly number[]) => quantile(ascending(values), 0.5);

async function measure(kind: string): Promise<KindResult> {
  let tokens = 0;
  const speeds = { plain: [] as number[], guessing: [] as number[] };
  const processorGains: number[] = [];
  const steps = { plain: 0, guessing: 0 };
  const different: number[] = [];
  const before = await countsOf(model);
  for (let i = 0; i < prompts; i++) {
    const prompt = kinds[kind](i);
    const order = i % 2 === 0 ? [false, true] : [true, false];
    const runs: Run[] = [];
    for (const speculation of order) {
      const began = (await countsOf(model)).steps;
      runs.push(await answer(prompt, i, speculation));
      steps[speculation ? "guessing" : "plain"] += (await countsOf(model)).steps - began;
    }
    const [plain, guessing] = order[0] ? [runs[1], runs[0]] : runs;
    tokens += plain.ids.length;
    const later = plain.ids.length - 1;
    if (later > 0) {
      speeds.plain.push(later * 1000 / plain.ms);
      speeds.guessing.push(later * 1000 / guessing.ms);
      processorGains.push(plain.processorMs / guessing.processorMs);
    }
    const shown = ({ ids, result: { text, finishReason } }: Run) =>
      JSON.stringify({ ids, text, finishReason });
    if (shown(plain) !== shown(guessing)) different.push(i);
  }
  const after = await countsOf(model);
  const speedUps = speeds.plain.map((plain, i) => speeds.guessing[i] / plain);
  const drafted = after.drafted - before.drafted, accepted = after.accepted - before.accepted;
  return {
    kind,
    prompts,
    tokens,
    plain: median(speeds.plain),
    guessing: median(speeds.guessing),
    speedUp: median(speedUps),
    speedUps,
    processorSpeedUp: median(processorGains),
    steps,
    acceptance: drafted === 0 ? null : accepted / drafted,
    acceptedShare: accepted / tokens,
    different,
  };
}

// The first steps of a process measure how long steps take.
for (const speculation of [false, true]) await answer(kinds[chosen[0]](1000), 1000, speculation);
const results: KindResult[] = [];
for (const kind of chosen) results.push(await measure(kind));
const percent = (share: number | null) => share === null ? "–" : `${(100 * share).toFixed(0)} %`;
console.log(renderTable(
  [
    ...["", "prompts", "tokens", "tokens/s", "with guesses", "", "by processor time", "steps"],
    ...["guesses right", "of the tokens", "different"],
  ],
  results.map((each) => [
    each.kind,
    `${each.prompts}`,
    `${each.tokens}`,
    each.plain.toFixed(1),
    each.guessing.toFixed(1),
    `${each.speedUp.toFixed(2)}×`,
    `${each.processorSpeedUp.toFixed(2)}×`,
    percent(each.steps.guessing / each.steps.plain),
    percent(each.acceptance),
    percent(each.acceptedShare),
    `${each.different.length}`,
  ]),
));
if (args.json !== undefined) await Deno.writeTextFile(args.json, JSON.stringify(results, null, 2));
if (results.some(({ different }) => different.length > 0)) Deno.exit(1);
