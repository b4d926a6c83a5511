/** Answers with receipts that had no easy time: preempted, replayed after a death, guessed ahead. @module */

import { type GenerationResult, Model } from "../../mod.ts";
import { EngineClient } from "../../src/client/client.ts";
import { WorkerTransport } from "../../src/client/transport.ts";
import type { Receipt } from "../../src/protocol/receipts/receipt.ts";
import { ModelFiles } from "../../src/safetensors/model_hash.ts";

/** What an audit keeps of an answer. */
export interface TriedAnswer {
  readonly receipt: Receipt;
  readonly request: Record<string, unknown>;
  readonly text: string;
}

/** Answers, and what happened to them, as their engines counted it. */
export interface Tried {
  readonly answers: readonly TriedAnswer[];
  /** Of workers. */
  readonly deaths: number;
  /** Times that a sequence gave its KV blocks up and was computed again. */
  readonly preemptions: number;
  /** Tokens that were guessed right. */
  readonly guessed: number;
}

export interface TriedOptions {
  /** Path of the model. */
  readonly path: string;
  /** Answers of each kind. */
  readonly preempted: number;
  readonly replayed: number;
  readonly guessed: number;
  readonly threads: number;
}

const CONTEXT = 256;
const SEQUENCES = 16;
/** Room for all sequences, and for a few of them. */
const KV_ROOMY = SEQUENCES * CONTEXT, KV_TIGHT = CONTEXT;
/** Urgent requests that come at a time while others are computed. */
const WAVE = 4;
const POLL_MS = 2;
/** Steps after which workers die. */
const DEATHS = [40, 90, 150];

const TOPICS = [
  "a KV cache",
  "a batch",
  "the sea",
  "seven cats",
  "an old king",
  "rain",
  "a train to the north",
  "17 + 25",
];

/** The bodies of requests of all kinds, each with a prompt of its own. */
function requestOf(i: number): Record<string, unknown> {
  const content = `${i % 3 === 0 ? "Tell me a story about" : "What is"} ${TOPICS[i % TOPICS.length]}? (${i})`;
  const shared = { max_tokens: 8 + i % 41, temperature: [0, 0.7, 1, 1.3][i % 4], ignore_eos: i % 2 === 0 };
  if (i % 5 === 0) return { ...shared, prompt: content, top_k: 20 + i % 7, frequency_penalty: 0.3 };
  return { ...shared, messages: [{ role: "user", content }], top_p: 0.9, logit_bias: { [100 + i]: -2 } };
}

function ask(
  model: Model,
  request: Record<string, unknown>,
  more: { seed?: number; prediction?: string; class?: string } = {},
): Promise<GenerationResult> {
  const { messages, prompt } = request as { messages?: { role: string; content: string }[]; prompt?: string };
  const options = {
    maxTokens: request.max_tokens as number,
    temperature: request.temperature as number,
    ignoreEnd: request.ignore_eos as boolean,
    topK: request.top_k as number | undefined,
    topP: request.top_p as number | undefined,
    frequencyPenalty: request.frequency_penalty as number | undefined,
    logitBias: request.logit_bias as Record<number, number> | undefined,
    receipt: true,
    ...more,
  };
  return messages === undefined
    ? model.generate(prompt!, options).result
    : model.chat(messages, options).result;
}

function kept(request: Record<string, unknown>, { receipt, text }: GenerationResult): TriedAnswer {
  return { receipt: receipt!, request, text };
}

/** A model with so much KV cache, whose first workers die after so many steps. */
async function startModel(
  { path, threads }: TriedOptions,
  kvTokens: number,
  deaths: readonly number[],
): Promise<Model> {
  let starts = 0;
  const create = () => {
    const steps = deaths[starts++];
    const mortal = new URL(`./mortal_worker.ts?steps=${steps}`, import.meta.url);
    return new WorkerTransport(steps === undefined ? undefined : mortal);
  };
  const files = await ModelFiles.look(path);
  const engine = { threads, contextLength: CONTEXT, kvTokens, sequencesMax: SEQUENCES };
  return new Model(await EngineClient.start(create, { path, engine, workers: [{}] }), { files });
}

/** Half of the requests are urgent, and come when the others are being computed: these lose their KV blocks to them. */
async function computeTight(
  model: Model,
  requests: readonly Record<string, unknown>[],
): Promise<TriedAnswer[]> {
  const compute = async (request: Record<string, unknown>, name: string) =>
    kept(request, await ask(model, request, { class: name }));
  const patient = Promise.all(requests.filter((_, i) => i % 2 === 0).map((each) => compute(each, "batch")));
  while ((await model.stats()).workers[0].generatedTokens === 0) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const urgent = requests.filter((_, i) => i % 2 === 1);
  const answers: TriedAnswer[] = [];
  for (let i = 0; i < urgent.length; i += WAVE) {
    const wave = urgent.slice(i, i + WAVE).map((each) => compute(each, "interactive"));
    answers.push(...await Promise.all(wave));
  }
  return [...answers, ...await patient];
}

/** Computes the answers. A death ends a worker's counting, so that each kind has a model of its own. */
export async function triedAnswers(options: TriedOptions): Promise<Tried> {
  const { preempted, replayed, guessed } = options;
  const all = Array.from({ length: preempted + replayed + guessed }, (_, i) => requestOf(i));
  const together = (model: Model, requests: typeof all) =>
    Promise.all(requests.map(async (request) => kept(request, await ask(model, request))));
  await using tight = await startModel(options, KV_TIGHT, []);
  const answers = await computeTight(tight, all.slice(0, preempted));
  const { preemptions } = (await tight.stats()).workers[0];
  await using mortal = await startModel(options, KV_ROOMY, DEATHS);
  answers.push(...await together(mortal, all.slice(preempted, preempted + replayed)));
  // One at a time their next tokens are guessed: here from what they will be.
  const before = (await mortal.stats()).workers[0].acceptedTokens;
  for (const request of all.slice(preempted + replayed)) {
    const { seed, text } = await ask(mortal, request);
    answers.push(kept(request, await ask(mortal, request, { seed, prediction: text })));
  }
  const { restarts, workers } = await mortal.stats();
  return { answers, deaths: restarts, preemptions, guessed: workers[0].acceptedTokens - before };
}
