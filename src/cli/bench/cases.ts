/**
 * Prefill and decode of a loaded model, timed. The tokens are arbitrary: time does not depend on them.
 * @module
 */

import { BLOCK_TOKENS, type SequenceSlice } from "../../runner/batch.ts";
import { soloTables } from "../../runner/kv_groups.ts";
import type { ModelRunner } from "../../runner/model_runner.ts";

/** One thing to time. `tokens`: prompt tokens for prefill, steps for decode. */
export interface BenchCase {
  readonly test: "prefill" | "decode";
  readonly tokens: number;
  /** Sequences computed together. */
  readonly batch: number;
  /** Tokens already in each sequence's cache. */
  readonly depth: number;
}

/** Positions that each sequence of the case needs. */
export function contextOf(bench: BenchCase): number {
  return bench.depth + bench.tokens;
}

/** KV tokens that the case needs in all, in whole blocks. */
export function kvTokensOf(bench: BenchCase): number {
  return Math.ceil(contextOf(bench) / BLOCK_TOKENS) * BLOCK_TOKENS * bench.batch;
}

/** All tokens of each sequence of the case. */
export function tokensOf(bench: BenchCase, vocab: number): Uint32Array[] {
  return Array.from(
    { length: bench.batch },
    (_, s) => Uint32Array.from({ length: contextOf(bench) }, (_, i) => (i * 7919 + s * 104729 + 11) % vocab),
  );
}

/** A sequence of a case, which has all its tokens and its own blocks. */
interface CaseSequence {
  readonly tokens: Uint32Array;
  slice(first: number, count: number): SequenceSlice;
}

function sequences(runner: ModelRunner, bench: BenchCase): CaseSequence[] {
  return tokensOf(bench, runner.hyperparameters.vocab).map((tokens, index) => ({
    tokens,
    slice(first, count) {
      const tables = soloTables(runner, contextOf(bench), { first, count }, index);
      return { tokens, first, count, tables, state: { read: index, write: index } };
    },
  }));
}

/**
 * A case made ready: the cache holds `depth` tokens of each sequence. `run()` gives the seconds that it took.
 */
export interface PreparedCase {
  run(): number;
}

/** Fills the caches to the case's depth. filled: so many tokens of each sequence are there from another case of one sequence. */
export function prepare(runner: ModelRunner, bench: BenchCase, filled = 0): PreparedCase {
  const all = sequences(runner, bench);
  const { batchTokensMax } = runner;
  for (const sequence of all) {
    for (let first = filled; first < bench.depth; first += batchTokensMax) {
      runner.forward([sequence.slice(first, Math.min(batchTokensMax, bench.depth - first))]);
    }
  }
  return {
    run() {
      const started = performance.now();
      if (bench.test === "prefill") prefill(runner, all, bench);
      else decode(runner, all, bench);
      return (performance.now() - started) / 1000;
    },
  };
}

/**
 * Cases of a runner one after the other. All have the same tokens, so what a case of one sequence leaves in the
 * cache is not computed again for the next one.
 */
export class CaseSeries {
  readonly #runner: ModelRunner;
  #filled = 0;

  constructor(runner: ModelRunner) {
    this.#runner = runner;
  }

  /** As {@linkcode prepare}. Only the case prepared last can be run. */
  prepare(bench: BenchCase): PreparedCase {
    // Where layers have windows of their own the places of a sequence depend on its length.
    const isKept = bench.batch === 1 && this.#runner.kvWindows.length === 1;
    const prepared = prepare(this.#runner, bench, isKept ? Math.min(this.#filled, bench.depth) : 0);
    this.#filled = bench.batch === 1 ? Math.max(this.#filled, contextOf(bench)) : 0;
    return prepared;
  }
}

/** Prompts one after the other in chunks of the largest step; logits of each prompt's last token. */
function prefill(runner: ModelRunner, all: readonly CaseSequence[], bench: BenchCase): void {
  const end = bench.depth + bench.tokens;
  for (const sequence of all) {
    for (let first = bench.depth; first < end; first += runner.batchTokensMax) {
      const count = Math.min(runner.batchTokensMax, end - first);
      runner.forward([sequence.slice(first, count)]);
      if (first + count === end) runner.logits([count - 1]);
    }
  }
}

/** One token of every sequence a step, with logits and a greedy choice, as a server does it. */
function decode(runner: ModelRunner, all: readonly CaseSequence[], bench: BenchCase): void {
  const rows = all.map((_, i) => i);
  const requests = all.map(({ tokens }) => ({ tokens, params: GREEDY }));
  for (let step = 0; step < bench.tokens; step++) {
    runner.forward(all.map((sequence) => sequence.slice(bench.depth + step, 1)));
    runner.logits(rows);
    runner.sample(requests);
  }
}

const GREEDY = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyTokens: 0,
  logitBias: [],
  seed: 0,
};
