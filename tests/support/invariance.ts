/**
 * The same requests through engines of every kind: alone, in batches, in small chunks, with and without the
 * prefix cache, with too little KV cache, by several threads and workers. Every way must give every request
 * the same tokens, and the same log-probabilities to the bit.
 */
import { type ChatMessage, type EngineStats, loadModel, type LoadOptions, type Model } from "../../mod.ts";
import type { GrammarSource } from "../../src/grammar/mod.ts";
import { numbersFrom } from "./numbers.ts";

/** A request of the experiment. */
interface Trial {
  readonly messages: ChatMessage[];
  readonly seed: number;
  readonly maxTokens: number;
  readonly ignoreEnd: boolean;
  readonly wantsLogprobs: boolean;
  /** What the answer must be. */
  readonly grammar?: GrammarSource;
}

/** A way to compute all requests. */
export interface Manner {
  readonly name: string;
  readonly load: LoadOptions;
  /** Requests in flight at once; default all. */
  readonly inFlight?: number;
  /** Whether classes, tenants and priorities differ. */
  readonly isMixed?: boolean;
}

/** What a manner took. */
export interface MannerReport {
  readonly name: string;
  /** Requests whose answer differs from the first manner's. */
  readonly different: number[];
  readonly tokens: number;
  readonly cachedTokens: number;
  readonly preemptions: number;
  /** Tokens computed beyond those that had to be, as a share of these. */
  readonly recomputed: number;
  readonly seconds: number;
}

const TOPICS = ["a KV cache", "batching", "a token", "a CPU", "a scheduler"];
const HISTORY: ChatMessage[] = [
  { role: "user", content: "Hello!" },
  { role: "assistant", content: "Hello! How can I help you?" },
  { role: "user", content: "What is a KV cache?" },
  { role: "assistant", content: "A KV cache keeps the keys and values of earlier tokens." },
];

/** Every fourth answer has one of these forms; several in flight have the same. */
const GRAMMARS: readonly GrammarSource[] = [
  {
    kind: "schema",
    schema: {
      type: "object",
      properties: { number: { type: "integer" }, why: { type: "string", maxLength: 30 } },
      required: ["number"],
      additionalProperties: false,
    },
  },
  { kind: "schema", schema: { type: "object" } },
  { kind: "regex", pattern: "[A-Z][a-z ]{3,60}\\." },
];

function createTrials(count: number, seed: number): Trial[] {
  const next = numbersFrom(seed);
  return Array.from({ length: count }, () => {
    const content = [
      () => `What is ${next(50)} + ${next(50)}?`,
      () => `What is ${TOPICS[next(TOPICS.length)]}?`,
      () => "Tell me a very short story.",
      () => `Write a JSON object with the number ${next(100)}.`,
    ][next(4)]();
    const history = HISTORY.slice(0, 2 * next(HISTORY.length / 2 + 1));
    return {
      messages: [...history, { role: "user", content }],
      seed: next(2 ** 31),
      maxTokens: 4 + next(100),
      ignoreEnd: next(2) === 0,
      wantsLogprobs: next(4) === 0,
      grammar: GRAMMARS[next(4 * GRAMMARS.length)],
    };
  });
}

/** The first way: nothing else runs, nothing is known. */
const ALONE: Manner = {
  name: "alone",
  load: { sequencesMax: 1, threads: 1, prefixCache: false, speculation: "off", contextLength: 256 },
  inFlight: 1,
};

/**
 * The other ways; `tokens`: what all requests need together, of which the smallest cache holds a tenth, and
 * 640 at most.
 */
function createManners(tokens: number): Manner[] {
  const small = { contextLength: 256, kvTokens: Math.max(256, Math.min(640, Math.floor(tokens / 10))) };
  return [
    {
      name: "32 at once, 2 threads",
      load: { sequencesMax: 32, threads: 2, contextLength: 256, kvTokens: 16_384 },
    },
    {
      name: "chunks of 16, 5 at once",
      load: { sequencesMax: 5, threads: 1, batchTokensMax: 16, contextLength: 256 },
    },
    { name: "little KV cache", load: { sequencesMax: 32, threads: 2, ...small } },
    {
      name: "… without prefix cache",
      load: { sequencesMax: 32, threads: 1, prefixCache: false, ...small },
    },
    { name: "… with classes", load: { sequencesMax: 32, threads: 2, ...small }, isMixed: true },
    {
      name: "2 workers, classes, tenants",
      load: {
        workers: 2,
        threads: 1,
        sequencesMax: 16,
        batchTokensMax: 64,
        contextLength: 256,
        kvTokens: 4096,
      },
      isMixed: true,
    },
    { name: "2 at once, with guesses", load: { threads: 2, contextLength: 256 }, inFlight: 2 },
    { name: "9 in flight, 2 workers", load: { workers: 2, threads: 1, contextLength: 256 }, inFlight: 9 },
  ];
}

/** Runs `count` requests in every manner. `note` is told what goes on. */
export async function measureInvariance(
  count: number,
  seed: number,
  note: (text: string) => void = () => {},
): Promise<MannerReport[]> {
  const trials = createTrials(count, seed);
  const reports: MannerReport[] = [];
  let expected: string[] | null = null;
  let needed = 0;
  const manners = [ALONE];
  for (const manner of manners) {
    note(`${manner.name} …`);
    const startedAt = performance.now();
    await using model = await loadModel("demo", manner.load);
    const answers = await runAll(model, trials, manner, seed);
    const seconds = (performance.now() - startedAt) / 1000;
    const { workers } = await model.stats();
    const total = (pick: (stats: EngineStats) => number) =>
      workers.reduce((sum, each) => sum + pick(each), 0);
    const texts = answers.map(({ outcome }) => outcome);
    if (expected === null) {
      expected = texts;
      needed = total(tokensOf);
      manners.push(...createManners(needed));
    }
    const different = texts.flatMap((text, i) => text === expected![i] ? [] : [i]);
    const cachedTokens = total((stats) => stats.cachedTokens);
    reports.push({
      name: manner.name,
      different,
      tokens: answers.reduce((sum, each) => sum + each.tokens, 0),
      cachedTokens,
      preemptions: total((stats) => stats.preemptions),
      recomputed: Math.max(0, (total(tokensOf) + cachedTokens - needed) / needed),
      seconds,
    });
  }
  return reports;
}

/** Tokens that were computed, without guesses that were wrong. */
function tokensOf({ computedTokens, draftTokens, acceptedTokens }: EngineStats): number {
  return computedTokens - draftTokens + acceptedTokens;
}

interface AnswerRecord {
  /** All that must not differ. */
  readonly outcome: string;
  readonly tokens: number;
}

async function runAll(
  model: Model,
  trials: readonly Trial[],
  { inFlight = trials.length, isMixed = false }: Manner,
  seed: number,
): Promise<AnswerRecord[]> {
  const answers: AnswerRecord[] = [];
  const next = numbersFrom(seed + inFlight);
  const order = trials.map((_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = next(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  // Bulk requests first, and the urgent ones when bulk work is under way: then somebody has to give way.
  const classes = trials.map(() => isMixed && next(2) === 0 ? "batch" : "interactive");
  if (isMixed) order.sort((a, b) => Number(classes[a] > classes[b]) - Number(classes[a] < classes[b]));
  const underWay = Promise.withResolvers<void>();
  let at = 0;
  const lane = async () => {
    while (at < order.length) {
      const index = order[at++];
      const { messages, wantsLogprobs, seed, maxTokens, ignoreEnd, grammar } = trials[index];
      if (isMixed && classes[index] === "interactive") await underWay.promise;
      const ids: number[] = [];
      const { text, finishReason, usage, logprobs } = await model.chat(messages, {
        seed,
        maxTokens,
        ignoreEnd,
        temperature: 0.9,
        grammar,
        logprobs: wantsLogprobs ? 3 : undefined,
        class: classes[index],
        tenant: isMixed ? `tenant ${next(3)}` : undefined,
        priority: isMixed ? next(5) : undefined,
        onTokens: (tokens) => {
          ids.push(...tokens);
          underWay.resolve();
        },
      }).result;
      const outcome = JSON.stringify({ text, finishReason, ids, logprobs });
      answers[index] = { outcome, tokens: usage.completionTokens };
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return answers;
}
