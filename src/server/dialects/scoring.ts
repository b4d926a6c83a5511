/** How near texts are to each other: by their vectors, or by what a model says that was trained to judge. @module */

import type { GenerationResult } from "../../client/generation.ts";
import { embeddingOf } from "../../client/embedding.ts";
import type { RerankPrompt } from "../../tokenizer/rerank_prompt.ts";
import { ApiError } from "../api_error.ts";
import type { Asked, Plan, Work } from "./dialect.ts";
import { type Urgency, urgencyOf } from "./urgency.ts";

/** A text, and another one that may answer it. */
export interface Pair {
  readonly query: string;
  readonly document: string;
}

/** What pairs ask of the engine, and what comes of it. */
export interface ScoringPlan extends Pick<Plan, "works" | "class"> {
  /** One for each pair: a cosine from −1 to 1, or a probability. */
  scores(results: readonly GenerationResult[]): number[];
  promptTokens(results: readonly GenerationResult[]): number;
}

/** Nothing else is ever chosen. */
const FORCING_BIAS = 100;

/** Throws an ApiError, 400, where the model can do neither. */
export async function planScores(
  pairs: readonly Pair[],
  urgency: Urgency,
  asked: Asked,
): Promise<ScoringPlan> {
  const { info } = asked.model;
  if (info.rerankPrompt !== undefined) return await planJudgements(pairs, info.rerankPrompt, urgency, asked);
  if (info.pooling === "mean" || info.pooling === "last") {
    return planCosines(pairs, info.pooling, urgency, asked);
  }
  throw new ApiError(
    400,
    `The model "${asked.modelName}" can score no texts: that takes a model for embeddings, whose file says how they are pooled ` +
      `(this one says "${info.pooling}"), or a reranker that answers yes or no`,
    { param: "model", code: "unsupported_model" },
  );
}

/** Each text is embedded once, however many pairs it is in. */
function planCosines(
  pairs: readonly Pair[],
  pooling: "mean" | "last",
  urgency: Urgency,
  asked: Asked,
): ScoringPlan {
  const options = urgencyOf(urgency, asked);
  const places = new Map<string, number>();
  for (const text of pairs.flatMap(({ query, document }) => [query, document])) {
    if (!places.has(text)) places.set(text, places.size);
  }
  const works = [...places.keys()].map((text): Work => ({
    kind: "embedding",
    prompt: { text },
    pooling,
    options,
  }));
  return {
    works,
    class: options.class,
    scores(results) {
      const vectors = results.map((result) => embeddingOf(result));
      return pairs.map(({ query, document }) =>
        dot(vectors[places.get(query)!], vectors[places.get(document)!])
      );
    },
    promptTokens: sumOfPrompts,
  };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}

function sumOfPrompts(results: readonly GenerationResult[]): number {
  return results.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
}

/**
 * The probability of yes against no. Each of the two is what a request is made to answer, so that its log-probability is told however
 * unlikely it is; the second one finds the prompt computed.
 */
async function planJudgements(
  pairs: readonly Pair[],
  prompt: RerankPrompt,
  urgency: Urgency,
  asked: Asked,
): Promise<ScoringPlan> {
  const options = urgencyOf(urgency, asked);
  const prompts = await Promise.all(pairs.map((pair) => judgingTokens(pair, prompt, asked)));
  const works = prompts.flatMap((tokens) =>
    [prompt.yes, prompt.no].map((token): Work => ({
      kind: "generating",
      prompt: { tokens },
      options: {
        ...options,
        temperature: 0,
        maxTokens: 1,
        logprobs: 0,
        endLogprob: true,
        logitBias: { [token]: FORCING_BIAS },
      },
    }))
  );
  return {
    works,
    class: options.class,
    scores: (results) =>
      pairs.map((_, i) => {
        const [yes, no] = [prompt.yes, prompt.no].map((token, j) => logprobOf(results[2 * i + j], token));
        return 1 / (1 + Math.exp(no - yes));
      }),
    promptTokens: (results) => sumOfPrompts(results.filter((_, i) => i % 2 === 0)),
  };
}

/** Throws an Error where another token was chosen: no file has such logits. */
function logprobOf({ logprobs, finishReason }: GenerationResult, token: number): number {
  if (finishReason === "deadline") {
    throw new DOMException("The score was not there by its deadline", "TimeoutError");
  }
  const told = logprobs?.[0];
  if (told?.id !== token) throw new Error(`token ${told?.id} was chosen where ${token} had to be`);
  return told.logprob;
}

/**
 * The prompt of a pair as one text, so that its tokens are those that the model was trained with. Where what a client wrote
 * has a control token's text in it, that is read as text, piece by piece.
 */
async function judgingTokens(pair: Pair, { template }: RerankPrompt, { model }: Asked): Promise<number[]> {
  const places: Readonly<Record<string, string>> = { "{query}": pair.query, "{document}": pair.document };
  const pieces = template.split(/(\{query\}|\{document\})/);
  const own = (piece: string) => Object.hasOwn(places, piece);
  const read = (text: string, parseSpecial: boolean) =>
    model.tokenize(text, { addSpecial: false, parseSpecial });
  const isPlain = await Promise.all(
    Object.values(places).map(async (text) => {
      const [as, plain] = await Promise.all([read(text, true), read(text, false)]);
      return as.length === plain.length && as.every((token, i) => token === plain[i]);
    }),
  );
  if (isPlain.every(Boolean)) return await read(pieces.map((piece) => places[piece] ?? piece).join(""), true);
  const tokens = await Promise.all(
    pieces.filter((piece) => piece !== "").map((piece) =>
      own(piece) ? read(places[piece], false) : read(piece, true)
    ),
  );
  return tokens.flat();
}
