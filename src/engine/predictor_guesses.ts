/** Guesses of a model's own predictor, and which sequences it follows so that it can guess for them. @module */

import type { DraftSource, StepItem } from "../../scheduler/mod.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import { BLOCK_TOKENS, type SequenceSlice, sizeOf } from "../runner/batch.ts";
import { NO_STATE, OWN_STATE, STATE_PLACES, type StepPredictor } from "../runner/step_predictor.ts";
import { GuessTime } from "./guess_time.ts";

/** A sequence for which nobody has wanted a guess in so many tokens is not followed any more. */
const UNASKED_TOKENS = 256;
/** Most sequences that are passed over before one is followed again, where guesses do not pay. */
const REST_MAX = 64;
/** A sequence for which guesses were wanted more often than this by its tokens shows that they pay. */
const WANTED_SHARE = 0.1;
const NOTHING = { said: 0, asked: 0 };

/** What guessing depends on. */
export interface PredictorGuessesParts {
  readonly predictor: Pick<StepPredictor, "group" | "follow" | "keep" | "guess">;
  /** Blocks of the KV cache. */
  readonly blocks: number;
  /** Tokens that there are. */
  readonly vocab: number;
  /** How the tokens of a sequence are chosen; undefined where nobody wants guesses of it. */
  readonly samplingOf: (id: number) => SamplingParams | undefined;
  /** Whether blocks may come from elsewhere, filled by nobody here. Default: they do not. */
  readonly restoresBlocks?: boolean;
  /** A clock in ms that is never set; default: the system's. */
  readonly clock?: () => number;
}

/** A sequence that is followed. */
interface Trail {
  /** The place of its state among those that are kept. */
  readonly place: number;
  /** Where the state before the next token is: there, or none. */
  before: number;
  /** Tokens with keys and values of the predictor. */
  end: number;
  tables: StepItem["tables"];
  /** Tokens of its answer, of them those since a guess was wanted, and how often one was. */
  said: number;
  unasked: number;
  asked: number;
}

/** A slice of the step under way that is followed, whose first token is row `row` of the step. */
interface Step {
  readonly item: StepItem;
  readonly first: number;
  readonly count: number;
  readonly reachesEnd: boolean;
  readonly row: number;
  readonly trail: Trail;
}

/**
 * The predictor's layer has keys and values of every token before the one whose successor it guesses, so it has to follow a sequence
 * from its first token on; what others have left in shared blocks will do. With more requests than it follows nobody wants guesses:
 * then it costs nothing, and neither does it where guesses have not paid for a long time.
 */
export class PredictorGuesses implements DraftSource {
  readonly #parts: PredictorGuessesParts;
  readonly #clock: () => number;
  readonly #time = new GuessTime();
  /** Of each block, tokens from its first on that the predictor has keys and values of. */
  readonly #filled: Uint8Array;
  readonly #trails = new Map<number, Trail>();
  /** Sequences that are not followed although they could be. */
  readonly #passedOver = new Set<number>();
  readonly #places = Array.from({ length: STATE_PLACES }, (_, i) => i + 1);
  #step: Step[] = [];
  /** Sequences that are passed over from now on, and the next time. */
  #rest = 0;
  #nextRest = 1;

  constructor(parts: PredictorGuessesParts) {
    this.#parts = parts;
    this.#filled = new Uint8Array(parts.blocks);
    this.#clock = parts.clock ?? (() => performance.now());
  }

  get msPerToken(): number {
    return this.#time.msPerToken;
  }

  /** The slices of a step, with where the predictor finds the states of those that it follows; of `requests` that there are in all. */
  follow(items: readonly StepItem[], requests: number): SequenceSlice[] {
    if (requests > STATE_PLACES) { for (const id of [...this.#trails.keys()]) this.#leave(id); }
    this.#step = [];
    let row = 0;
    return items.map((item) => {
      const trail = requests > STATE_PLACES ? undefined : this.#trailOf(item);
      this.#forgetFrom(item);
      const { tokens, first, count, draft, tables, state, reachesEnd } = item;
      if (trail !== undefined) this.#step.push({ item, first, count, reachesEnd, row, trail });
      row += sizeOf(item);
      return { tokens, first, count, draft, tables, state, before: trail?.before };
    });
  }

  /** The step is over: its items say how far they have come. Until the next one its states are where it left them. */
  settle(): void {
    for (const { item, first, count, reachesEnd, row, trail } of this.#step) {
      if (this.#trails.get(item.id) !== trail) continue;
      const done = item.first - first;
      // Nothing was computed that stays: the next step begins where this one did.
      if (done <= 0) continue;
      this.#parts.predictor.keep(row + done - 1, trail.place);
      trail.before = trail.place;
      trail.end = item.first;
      this.#fill(item, first);
      if (!reachesEnd) continue;
      trail.said += 1 + done - count;
      trail.unasked += 1 + done - count;
      if (trail.unasked > UNASKED_TOKENS) this.#tire(item.id);
    }
    this.#step = [];
  }

  canGuess(id: number, tokens: readonly number[]): boolean {
    return this.#trails.get(id)?.end === tokens.length - 1;
  }

  guess(id: number, tokens: readonly number[], count: number): readonly number[] {
    const trail = this.#trails.get(id), params = this.#parts.samplingOf(id);
    if (trail === undefined || params === undefined || !this.canGuess(id, tokens)) return [];
    const at = tokens.length - 1;
    trail.unasked = 0;
    trail.asked++;
    const { predictor, vocab } = this.#parts, { tables } = trail;
    const most = Math.min(count, Math.min(...tables.map(({ end }) => end)) * BLOCK_TOKENS - at);
    const startedAt = this.#clock();
    const known = [...tokens];
    for (let before = trail.before; known.length - tokens.length < most; before = OWN_STATE) {
      const first = known.length - 1;
      const next = predictor.guess({ tokens: known, first, count: 1, tables, before }, {
        params: { ...params, logprobs: undefined },
        tokens: known,
      });
      if (next >= vocab) break;
      known.push(next);
    }
    const guess = known.slice(tokens.length);
    if (guess.length > 0) this.#time.note(this.#clock() - startedAt, guess.length);
    return guess;
  }

  forget(id: number): void {
    const { said, asked } = this.#trails.get(id) ?? NOTHING;
    if (asked > WANTED_SHARE * said) this.#nextRest = 1;
    this.#leave(id);
    this.#passedOver.delete(id);
  }

  /** What is followed of a sequence whose tokens from `first` on are computed next; undefined: nothing. */
  #trailOf(item: StepItem): Trail | undefined {
    const { id, first, tables } = item;
    const known = this.#trails.get(id);
    if (known?.end === first) {
      known.tables = tables;
      return known;
    }
    this.#leave(id);
    if (this.#parts.samplingOf(id) === undefined || this.#passesOver(id) || !this.#isFilled(item)) {
      return undefined;
    }
    const place = this.#places.pop();
    if (place === undefined) return undefined;
    const trail = { place, before: NO_STATE, end: first, tables, said: 0, unasked: 0, asked: 0 };
    this.#trails.set(id, trail);
    return trail;
  }

  #passesOver(id: number): boolean {
    if (this.#passedOver.has(id)) return true;
    if (this.#rest === 0) return false;
    this.#rest--;
    this.#passedOver.add(id);
    return true;
  }

  /** Nobody wants its guesses. */
  #tire(id: number): void {
    this.#leave(id);
    this.#passedOver.add(id);
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(2 * this.#nextRest, REST_MAX);
  }

  #leave(id: number): void {
    const trail = this.#trails.get(id);
    if (trail === undefined) return;
    this.#trails.delete(id);
    this.#places.push(trail.place);
  }

  /** Whether there are keys and values of all tokens before `first`. */
  #isFilled({ first, tables }: StepItem): boolean {
    if (first > 0 && this.#parts.restoresBlocks === true) return false;
    for (const [block, from] of blocksOf(tables[this.#parts.predictor.group], 0, first)) {
      if (block === undefined || this.#filled[block] < Math.min(BLOCK_TOKENS, first - from)) return false;
    }
    return true;
  }

  /** What is computed now is another's from here on. */
  #forgetFrom(item: StepItem): void {
    const { first, tables } = item, end = first + sizeOf(item);
    for (const [block, from] of blocksOf(tables[this.#parts.predictor.group], first, end)) {
      if (block !== undefined) this.#filled[block] = Math.min(this.#filled[block], Math.max(0, first - from));
    }
  }

  #fill({ first: end, tables }: StepItem, first: number): void {
    for (const [block, from] of blocksOf(tables[this.#parts.predictor.group], first, end)) {
      if (block !== undefined) this.#filled[block] = Math.min(BLOCK_TOKENS, end - from);
    }
  }
}

/** The blocks of positions `first` to `end` − 1, and of each the position that it begins with. */
function* blocksOf(
  table: StepItem["tables"][number],
  first: number,
  end: number,
): Generator<[block: number | undefined, from: number]> {
  for (let place = Math.floor(first / BLOCK_TOKENS); place * BLOCK_TOKENS < end; place++) {
    yield [table.blockAt(place), place * BLOCK_TOKENS];
  }
}
