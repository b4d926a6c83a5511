/** A smaller model that guesses how answers go on. @module */

import {
  type BlockAllocator,
  type DraftSource,
  KvLedger,
  PrefixCache,
  Sequence,
  SPECULATING_MAX,
} from "../../scheduler/mod.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import type { ModelRunner } from "../runner/model_runner.ts";
import { GuessTime } from "./guess_time.ts";

/** A catch-up longer than this says nothing of the time that a guess takes. */
const USUAL_TOKENS = 20;

/** A loaded model that guesses for another one. */
export interface DraftParts {
  readonly runner: Pick<
    ModelRunner,
    "forward" | "logits" | "sample" | "batchTokensMax" | "contextLength" | "kvWindows"
  >;
  /** Hands out the blocks of its KV cache. */
  readonly allocator: BlockAllocator;
  /** A clock in ms that is never set; default: the system's. */
  readonly clock?: () => number;
}

/** What a draft model is made of. */
export interface DraftModelParts extends DraftParts {
  /** How the tokens of a sequence are chosen: its guesses are chosen alike. */
  readonly samplingOf: (id: number) => SamplingParams | undefined;
  /** Tokens that the model that answers has. */
  readonly vocab: number;
}

/**
 * Computes the tokens of a sequence that it does not know yet, and goes on with as many as are asked for. It draws with the sequence's
 * own seed and at the same positions as the model that answers, so that where both find the same likely they choose the same.
 */
export class DraftModel implements DraftSource {
  readonly #parts: DraftModelParts;
  readonly #clock: () => number;
  readonly #ledger: KvLedger;
  /** By id, in the order of their last use. */
  readonly #known = new Map<number, Known>();
  readonly #time = new GuessTime();

  constructor(parts: DraftModelParts) {
    const { runner, allocator } = parts;
    const windows = runner.kvWindows;
    const cache = new PrefixCache(allocator, { blockTokens: BLOCK_TOKENS, blocksMax: 0, windows });
    this.#parts = parts;
    this.#clock = parts.clock ?? (() => performance.now());
    this.#ledger = new KvLedger(allocator, cache, {
      blockTokens: BLOCK_TOKENS,
      stepTokensMax: runner.batchTokensMax,
      windows,
    });
  }

  get msPerToken(): number {
    return this.#time.msPerToken;
  }

  guess(id: number, tokens: readonly number[], count: number): readonly number[] {
    const params = this.#parts.samplingOf(id);
    const most = Math.min(count, this.#parts.runner.contextLength - tokens.length);
    if (params === undefined || most < 1) return [];
    const known = this.#use(id);
    const startedAt = this.#clock();
    const caughtUp = known.rewind(tokens);
    // What comes is never shorter than this: guesses are only thrown away behind it.
    this.#ledger.pass(known.sequence);
    const guess: number[] = [];
    while (guess.length < most) {
      const next = this.#extend(known, guess.length === 0 ? tokens : [...tokens, ...guess], params);
      if (next === null) break;
      guess.push(next);
    }
    if (guess.length > 0 && caughtUp <= USUAL_TOKENS) {
      this.#time.note(this.#clock() - startedAt, guess.length);
    }
    return guess;
  }

  forget(id: number): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    this.#known.delete(id);
    this.#ledger.release(known.sequence);
  }

  #use(id: number): Known {
    const known = this.#known.get(id) ?? new Known(id, this.#ledger.groups);
    this.#known.delete(id);
    this.#known.set(id, known);
    for (const other of this.#known.keys()) {
      if (this.#known.size <= SPECULATING_MAX) break;
      this.forget(other);
    }
    return known;
  }

  /** Computes what is missing of these tokens and chooses the next one; null where there is no room. */
  #extend({ sequence }: Known, tokens: readonly number[], params: SamplingParams): number | null {
    const { runner, vocab } = this.#parts;
    let count = 0;
    while (sequence.first < tokens.length) {
      count = Math.min(runner.batchTokensMax, tokens.length - sequence.first);
      const end = sequence.first + count;
      if (!this.#ledger.reserve(sequence, end)) return null;
      const { first, tables } = sequence;
      runner.forward([{ tokens, first, count, tables }]);
      sequence.tokens.push(...tokens.slice(first, end));
      sequence.first = end;
      if (end < tokens.length) this.#ledger.pass(sequence);
    }
    runner.logits([count - 1]);
    const [{ id }] = runner.sample([{ params: { ...params, logprobs: undefined }, tokens }]);
    return id < vocab ? id : null;
  }
}

/** What the draft model has computed of a sequence. */
class Known {
  readonly sequence: Sequence;

  constructor(id: number, groups: number) {
    const request = { id, class: "", tokens: [], maxTokens: Infinity, sharesPrefix: false };
    this.sequence = new Sequence(request, { classIndex: 0, groups, order: 0, now: 0 });
  }

  /** Goes back to where these tokens are known, the last one apart. Returns how many are missing. */
  rewind(tokens: readonly number[]): number {
    const { sequence } = this;
    const end = Math.min(sequence.first, tokens.length - 1);
    let first = end;
    // Only the end can differ: what was guessed and did not come.
    for (let i = end - 1; i >= Math.max(0, end - USUAL_TOKENS); i--) {
      if (sequence.tokens[i] !== tokens[i]) first = i;
    }
    sequence.first = sequence.tokens.length = first;
    return tokens.length - first;
  }
}
