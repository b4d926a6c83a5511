/**
 * Serves requests that are all there from the start, with continuous batching and chunked prefill.
 * @module
 */

import { BLOCK_TOKENS, type SequenceSlice } from "../../src/runner/batch.ts";
import type { ModelRunner } from "../../src/runner/model_runner.ts";
import { resolveSampling, type SamplingParams } from "../../src/protocol/sampling.ts";
import type { Request } from "./requests.ts";

/** What serving took and gave. */
export interface Served {
  /** Without the pauses. */
  readonly seconds: number;
  /** Generated tokens of each request. */
  readonly answers: readonly (readonly number[])[];
  readonly steps: number;
}

/** A request that has a place in the KV cache. */
interface Running {
  readonly index: number;
  readonly place: number;
  readonly tokens: number[];
  readonly end: number;
  computed: number;
}

/** KV tokens that `batch` requests of up to `context` tokens need. */
export function kvTokensFor(batch: number, context: number): number {
  return batch * Math.ceil(context / BLOCK_TOKENS) * BLOCK_TOKENS;
}

/**
 * Computes greedy answers. At most `batch` requests run at once; a step has one token of each that decodes
 * and, up to the runner's largest step, chunks of the prompts that wait. The runner's KV cache must hold
 * `batch` × `context` tokens. `pause` is awaited between steps and told the share of all tokens that are
 * computed; its time does not count.
 */
export async function serve(
  runner: ModelRunner,
  requests: readonly Request[],
  batch: number,
  context: number,
  pause?: (share: number) => Promise<void>,
): Promise<Served> {
  const blocks = Math.ceil(context / BLOCK_TOKENS);
  const params = resolveSampling({ temperature: 0, seed: 0 }, runner.hyperparameters.vocab);
  const answers: number[][] = requests.map(() => []);
  const places = Array.from({ length: batch }, (_, i) => i);
  let running: Running[] = [];
  const all = requests.reduce((sum, { prompt, answerTokens }) => sum + prompt.length + answerTokens - 1, 0);
  let next = 0, steps = 0, computed = 0, milliseconds = 0;
  while (next < requests.length || running.length > 0) {
    await pause?.(computed / all);
    const started = performance.now();
    while (next < requests.length && places.length > 0) {
      const { prompt, answerTokens } = requests[next];
      const tokens = Array.from(prompt);
      running.push({
        ...{ index: next, place: places.shift()!, tokens, end: tokens.length + answerTokens, computed: 0 },
      });
      next++;
    }
    const chosen = planStep(running, runner.batchTokensMax);
    step(runner, chosen, blocks, params, answers);
    computed += chosen.reduce((sum, { count }) => sum + count, 0);
    steps++;
    for (const { place, tokens, end } of running) if (tokens.length === end) places.push(place);
    running = running.filter(({ tokens, end }) => tokens.length < end);
    milliseconds += performance.now() - started;
  }
  return { seconds: milliseconds / 1000, answers, steps };
}

/** Computes the chosen tokens and chooses the next one of each sequence that has none left to compute. */
function step(
  runner: ModelRunner,
  chosen: readonly Chosen[],
  blocks: number,
  params: SamplingParams,
  answers: number[][],
): void {
  runner.forward(chosen.map(({ sequence, count }) => sliceOf(sequence, count, blocks)));
  const { sequences, rows } = takeComplete(chosen);
  if (rows.length === 0) return;
  runner.logits(rows);
  const sampled = runner.sample(sequences.map(({ tokens }) => ({ tokens, params })));
  sequences.forEach(({ tokens, index }, i) => {
    tokens.push(sampled[i].id);
    answers[index].push(sampled[i].id);
  });
}

interface Chosen {
  readonly sequence: Running;
  readonly count: number;
}

/**
 * Tokens of the next step: first those that decode, then prompts in their order as far as the step has room.
 */
function planStep(running: readonly Running[], tokensMax: number): Chosen[] {
  const left = ({ tokens, computed }: Running) => tokens.length - computed;
  let room = tokensMax;
  const chosen: Chosen[] = [];
  for (const sequence of running.toSorted((a, b) => Math.min(left(a), 2) - Math.min(left(b), 2))) {
    const count = Math.min(left(sequence), room);
    if (count === 0) break;
    chosen.push({ sequence, count });
    room -= count;
  }
  return chosen;
}

function sliceOf({ tokens, computed, place }: Running, count: number, blocks: number): SequenceSlice {
  const tables = [{ start: 0, runs: [{ first: place * blocks, length: blocks }] }];
  return { tokens, first: computed, count, tables };
}

/**
 * Counts the step's tokens as computed; gives the sequences whose next token can be chosen, and their rows.
 */
function takeComplete(chosen: readonly Chosen[]): { sequences: Running[]; rows: number[] } {
  const sequences: Running[] = [], rows: number[] = [];
  let row = 0;
  for (const { sequence, count } of chosen) {
    sequence.computed += count;
    row += count;
    if (sequence.computed < sequence.tokens.length) continue;
    sequences.push(sequence);
    rows.push(row - 1);
  }
  return { sequences, rows };
}
