import type { StepItem } from "../../scheduler/mod.ts";
import type { ScoredToken } from "../runner/model_runner.ts";
import { GREEDY, type SampledToken, type SampleRequest } from "../runner/sample_batch.ts";

/** What scores tokens: the runner, after a step. */
interface Scoring {
  readonly logitsRowsMax: number;
  logits(indices: ArrayLike<number>): void;
  score(targets: Uint32Array): ScoredToken[];
  sample(requests: readonly SampleRequest[]): SampledToken[];
}

/** A token of a prompt in the logits of the token before it. */
export interface PromptScore {
  readonly id: number;
  readonly logprob: number;
  readonly rank: number;
  readonly top: SampledToken["top"];
}

/** A row of a step's hidden states, whose logits score a token. */
export interface ScoredRow {
  readonly row: number;
  readonly target: number;
  readonly top: number;
  readonly scorer: PromptScorer;
}

/**
 * The tokens of one prompt that are still to be scored, in order. Each comes once, with the same bits,
 * however the prompt is cut into steps: what is computed again after its KV blocks were lost is passed over.
 */
export class PromptScorer {
  readonly #tokens: readonly number[];
  readonly #top: number;
  /** Tokens that have their score; the first needs none. */
  #done: number;
  #scores: PromptScore[] = [];
  #isBroken = false;

  /** `top`: alternatives to each token. `done`: tokens that were scored by another worker. */
  constructor(tokens: readonly number[], top: number, done = 0) {
    this.#tokens = tokens;
    this.#top = top;
    this.#done = Math.max(1, done);
  }

  /** The rows of a slice that are wanted; the slice's first token is row `start` of the step. */
  rows({ first, count }: Pick<StepItem, "first" | "count">, start: number): ScoredRow[] {
    const rows: ScoredRow[] = [];
    for (; this.#done < Math.min(first + count + 1, this.#tokens.length); this.#done++) {
      const row = start + this.#done - 1 - first;
      // The blocks of known prefixes are never used here, so the token before has been computed in this step
      // or a former one.
      if (row < start) throw new Error(`Token ${this.#done} of the prompt was computed without being scored`);
      rows.push({ row, target: this.#tokens[this.#done], top: this.#top, scorer: this });
    }
    return rows;
  }

  /** Throws an Error where the logits were not numbers. */
  check(): void {
    if (this.#isBroken) throw new Error("The model's logits are not numbers: its file may be damaged");
  }

  /** `isBroken`: the row that this comes from has no number. */
  add(score: PromptScore, isBroken: boolean): void {
    this.#scores.push(score);
    this.#isBroken ||= isBroken;
  }

  /** What is new since the last call. */
  take(): PromptScore[] {
    const scores = this.#scores;
    this.#scores = [];
    return scores;
  }
}

/**
 * Computes the scores of a step's rows, as many at a time as there is room for logits, and gives each to its
 * scorer. A score depends on its row alone.
 */
export function scoreRows(runner: Scoring, rows: readonly ScoredRow[]): void {
  for (let from = 0; from < rows.length; from += runner.logitsRowsMax) {
    const part = rows.slice(from, from + runner.logitsRowsMax);
    runner.logits(part.map(({ row }) => row));
    const scored = runner.score(Uint32Array.from(part, ({ target }) => target));
    const requests = part.map(({ top }) => ({ params: { ...GREEDY, logprobs: top }, tokens: [] }));
    const likeliest = part.some(({ top }) => top > 0) ? runner.sample(requests) : null;
    part.forEach(({ target, scorer }, i) => {
      const { logprob, rank, bestLogprob } = scored[i];
      const top = likeliest?.[i].top ?? [];
      scorer.add({ id: target, logprob, rank, top }, bestLogprob === -Infinity);
    });
  }
}
