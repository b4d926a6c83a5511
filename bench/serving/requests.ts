/** The requests of the serving benchmark: the same at every run. @module */

/** One request: its prompt, and how many tokens to generate. */
export interface Request {
  readonly prompt: Uint32Array;
  readonly answerTokens: number;
}

/** How requests look. */
export interface RequestShape {
  /** Mean length of the prompts in tokens; they are spread evenly over ± an eighth of it. */
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly vocab: number;
}

/** Longest prompt and answer together that a shape gives. */
export function contextOf({ promptTokens, answerTokens }: RequestShape): number {
  return promptTokens + Math.floor(promptTokens / 8) + answerTokens;
}

/** `count` requests with prompts of random tokens; the first n of them are the same for every count. */
export function makeRequests(count: number, shape: RequestShape): Request[] {
  const { promptTokens, answerTokens, vocab } = shape;
  let state = 20240229;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
  const spread = Math.floor(promptTokens / 8);
  return Array.from({ length: count }, () => {
    const length = promptTokens - spread + below(2 * spread + 1);
    return { prompt: Uint32Array.from({ length }, () => below(vocab)), answerTokens };
  });
}
