/** The pillars that an engine has beside its arithmetic, each off and on, in turns. @module */

import { loadModel, type LoadOptions, type Model } from "../../mod.ts";
import { latenciesOf, LoadGenerator, type RequestKind } from "../mixed/load.ts";
import { randomFrom } from "../../src/loadtest/random.ts";
import { type ClaimResult, median } from "./result.ts";

/** What all measurements share. */
export interface ServingOptions {
  readonly path: string;
  readonly model: string;
  readonly rounds: number;
  readonly about: Pick<ClaimResult, "processor" | "date">;
}

/** A condition of a pillar: how the model is loaded, and how it is measured. */
interface Setup {
  readonly name: string;
  readonly load: LoadOptions;
  measure(model: Model, round: number): Promise<number>;
}

const CONTEXT = 2048;
const SHORT: RequestKind = { name: "short", class: "interactive", promptTokens: 64, answerTokens: 64 };
const LONG: RequestKind = { name: "long", class: "interactive", promptTokens: 1024, answerTokens: 64 };
const KINDS = [{ kind: SHORT, requests: 16, alone: 4 }, { kind: LONG, requests: 8, alone: 2 }];
const BASE: LoadOptions = { contextLength: CONTEXT, kvTokens: 32_768, speculation: "off" };

/** Loads all conditions, then measures each in each round. Models that wait take no processor time. */
async function compare(
  pillar: string,
  load: string,
  unit: string,
  setups: readonly Setup[],
  { path, model, rounds, about }: ServingOptions,
): Promise<ClaimResult> {
  await using stack = new AsyncDisposableStack();
  const models: Model[] = [];
  for (const { load } of setups) models.push(stack.use(await loadModel(path, { ...BASE, ...load })));
  // Warms code and memory.
  for (const each of models) {
    await each.generate([1, 2, 3], { maxTokens: 8, ignoreEnd: true }).result;
  }
  const values: number[][] = setups.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, setup] of setups.entries()) values[i].push(await setup.measure(models[i], round));
  }
  const conditions = setups.map(({ name }, i) => ({ name, values: values[i] }));
  return { pillar, model, load, unit, conditions, ...about };
}

/** Requests a second when so many are there at once. */
function throughput(kind: RequestKind, requests: number): Setup["measure"] {
  return async (model, round) => {
    const generator = new LoadGenerator(model, 100 + round);
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: requests }, () => generator.send(kind)));
    return requests / (performance.now() - startedAt) * 1000;
  };
}

function describe({ promptTokens, answerTokens }: RequestKind): string {
  return `${promptTokens.toLocaleString("en")} in, ${answerTokens} out`;
}

/** One request at a time, and all that the machine computes together. */
export async function batching(options: ServingOptions): Promise<ClaimResult[]> {
  const results = [];
  for (const { kind, requests, alone } of KINDS) {
    results.push(
      await compare("batching", describe(kind), "requests/s", [
        { name: "one at a time", load: { sequencesMax: 1 }, measure: throughput(kind, alone) },
        { name: `${requests} together`, load: { sequencesMax: 32 }, measure: throughput(kind, requests) },
      ], options),
    );
  }
  return results;
}

/** So many requests of the longest kind would fit, if each reserved its place. */
const RESERVED = 4;

/** Memory for four requests of the longest kind: given as tokens come, or reserved. */
export async function dynamicKv(options: ServingOptions): Promise<ClaimResult[]> {
  const results = [];
  for (const { kind, requests } of KINDS) {
    const kvTokens = RESERVED * CONTEXT;
    results.push(
      await compare("KV cache on demand", describe(kind), "requests/s", [
        {
          name: `the longest reserved: ${RESERVED} at once`,
          load: { kvTokens, sequencesMax: RESERVED },
          measure: throughput(kind, requests),
        },
        { name: "as tokens come", load: { kvTokens, sequencesMax: 32 }, measure: throughput(kind, requests) },
      ], options),
    );
  }
  return results;
}

/** One thread, two in one worker, two workers. */
export async function workers(options: ServingOptions): Promise<ClaimResult[]> {
  const results = [];
  for (const { kind, requests } of KINDS) {
    const measure = throughput(kind, requests);
    results.push(
      await compare("workers and threads", describe(kind), "requests/s", [
        { name: "one thread", load: { workers: 1, threads: 1 }, measure },
        { name: "one worker, two threads", load: { workers: 1, threads: 2 }, measure },
        { name: "two workers, one thread each", load: { workers: 2, threads: 1 }, measure },
      ], options),
    );
  }
  return results;
}

const BULK: RequestKind = { name: "bulk", class: "batch", promptTokens: 512, answerTokens: 64 };
const URGENT: RequestKind = { name: "urgent", class: "interactive", promptTokens: 64, answerTokens: 16 };
const BULK_REQUESTS = 12, URGENT_REQUESTS = 6;

/** How soon urgent requests have their first token beside bulk work. More is better: so it is one over the time. */
export async function latencyClasses(options: ServingOptions): Promise<ClaimResult[]> {
  const measure = (bulk: RequestKind): Setup["measure"] => async (model, round) => {
    const generator = new LoadGenerator(model, 200 + round);
    const running = Array.from({ length: BULK_REQUESTS }, () => generator.send(bulk));
    // One after the other, while there is bulk work.
    for (let i = 0; i < URGENT_REQUESTS; i++) await generator.send(URGENT);
    const { ttft } = latenciesOf(generator.traces, URGENT.name);
    await generator.stop();
    await Promise.allSettled(running);
    return 1000 / median(ttft);
  };
  const load = `urgent: ${describe(URGENT)}; bulk: ${describe(BULK)}`;
  return [
    await compare("latency classes", load, "1/s: one over the median TTFT of urgent ones", [
      { name: "all in one class", load: {}, measure: measure({ ...BULK, class: "interactive" }) },
      { name: "classes", load: {}, measure: measure(BULK) },
    ], options),
  ];
}

const PREFIX_TOKENS = 512, OWN_TOKENS = 64, PREFIX_ANSWER = 32, PREFIX_REQUESTS = 12;

/** Prompts that begin alike. */
export async function prefixSharing(options: ServingOptions): Promise<ClaimResult[]> {
  const measure: Setup["measure"] = async (model, round) => {
    const random = randomFrom(300 + round);
    const tokens = (count: number) =>
      Array.from({ length: count }, () => Math.floor(random() * model.info.vocab));
    const prefix = tokens(PREFIX_TOKENS);
    const ask = (own: number[]) =>
      model.generate([...prefix, ...own], { maxTokens: PREFIX_ANSWER, ignoreEnd: true, temperature: 0 })
        .result;
    // Someone has asked before.
    await ask(tokens(OWN_TOKENS));
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: PREFIX_REQUESTS }, () => ask(tokens(OWN_TOKENS))));
    return PREFIX_REQUESTS / (performance.now() - startedAt) * 1000;
  };
  const load = `${PREFIX_TOKENS} in common and ${OWN_TOKENS} own in, ${PREFIX_ANSWER} out`;
  return [
    await compare("prefix sharing", load, "requests/s", [
      { name: "every prompt computed", load: { prefixCache: false }, measure },
      { name: "shared", load: { prefixCache: true }, measure },
    ], options),
  ];
}

/**
 * What the published factor may be made of: requests one at a time with weights in BF16, as frameworks compute them
 * on AVX2 and with what the machine has; then quantised; then with all that is here. Every condition answers the
 * same kind of request; weights are random.
 */
export async function together(
  { bf16, ...options }: ServingOptions & { readonly bf16: string; readonly plain: string | null },
): Promise<ClaimResult[]> {
  const results = [];
  for (const { kind, requests, alone } of KINDS) {
    const few = throughput(kind, Math.max(1, alone >> 1));
    const conditions: (Setup & { readonly path: string })[] = [
      {
        name: "BF16, AVX2, one at a time",
        path: bf16,
        load: { sequencesMax: 1, isa: "x86_64_v3" },
        measure: few,
      },
      { name: "BF16, best instructions, one at a time", path: bf16, load: { sequencesMax: 1 }, measure: few },
      ...options.plain === null ? [] : [{
        name: "quantised, SIMD off, one at a time",
        path: options.path,
        load: { sequencesMax: 1, libraryPath: options.plain },
        measure: throughput(kind, 1),
      }],
      { name: "quantised, one at a time", path: options.path, load: { sequencesMax: 1 }, measure: few },
      { name: "quantised, together", path: options.path, load: {}, measure: throughput(kind, requests) },
    ];
    const values: Record<string, number[]> = {};
    // One model in memory at a time: three of them are large.
    for (let round = 0; round < Math.min(2, options.rounds); round++) {
      for (const setup of conditions) {
        const { conditions: [one] } = await compare("", "", "", [setup], {
          ...options,
          path: setup.path,
          rounds: 1,
        });
        (values[setup.name] ??= []).push(...one.values);
      }
    }
    results.push({
      pillar: "all together",
      model: options.model,
      load: describe(kind),
      unit: "requests/s",
      conditions: conditions.map(({ name }) => ({ name, values: values[name] })),
      ...options.about,
    });
  }
  return results;
}
