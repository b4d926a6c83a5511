import { Acceptance } from "./acceptance.ts";
import { DecodeTimes } from "./decode_times.ts";
import { Repeats } from "./repeats.ts";
import type { Sequence } from "./sequence.ts";
import { attendedKv, type StepLoad, type StepTimes } from "./step_cost.ts";

/** Guesses that have to be computed, by a smaller model. */
export interface DraftSource {
  /** Ms that a token of a guess takes. */
  readonly msPerToken: number;
  /** Whether it can guess for a sequence with these tokens now; default: it always can. */
  canGuess?(id: number, tokens: readonly number[]): boolean;
  /** Guesses how the tokens of a sequence go on: up to `count` tokens. */
  guess(id: number, tokens: readonly number[], count: number): readonly number[];
  /** A sequence has ended. */
  forget(id: number): void;
}

/** What speculation depends on beside what the scheduler knows. All optional. */
export interface SpeculationOptions {
  /** Guesses beside those from what repeats itself. */
  readonly source?: DraftSource;
  /** How many of these tokens, from the first on, may come next in a sequence; default: all. */
  fits?(id: number, tokens: readonly number[]): number;
}

/** Room that a step has for guesses. */
export interface DraftRoom {
  readonly load: StepLoad;
  /** Tokens that may be added. */
  readonly tokens: number;
  /** Ms that the step may be predicted to take. */
  readonly limitMs: number;
  /** Ms between two steps. */
  readonly betweenMs: number;
  /** Makes room for up to so many tokens behind those of a sequence; gives for how many. */
  reserve(sequence: Sequence, tokens: number): number;
}

/** With more sequences than this their steps are full without guesses. */
export const SPECULATING_MAX = 2;
/** Most guessed tokens in a step. */
const DRAFT_MAX = 15;
/** Guesses less likely than this, with all before them, are not worth thinking about. */
const CHANCE_MIN = 0.02;
/** By so much must tokens come faster with guesses than without. */
const GAIN_MIN = 1.04;
/** Weight of a step's guesses against the next one's in what they kept of their promise. */
const PROMISE_MEMORY = 0.98;
/** The promise is believed as if so many guesses had kept it. */
const PROMISE_TRUST = 8;
/** Where computed guesses do not pay, a few are tried after so many tokens, and then ever more rarely. */
const TRIAL_FIRST = 32, TRIAL_LAST = 1024;
const TRIAL_TOKENS = 2;

/** What a sequence might go on with. */
interface Chain {
  readonly sequence: Sequence;
  /** Chance of each token if those before it are right. */
  readonly chances: readonly number[];
  /** The tokens; undefined: the source has to compute them. */
  readonly tokens?: readonly number[];
}

/** What is known of the guesses for one sequence. */
class Guesses {
  readonly repeats: Repeats;
  readonly acceptance: Acceptance;
  /** Of those that the source has computed. */
  readonly computed: Acceptance;
  /** Tokens of the sequence that were looked at. */
  known = 0;
  /** Whether the guess of the step under way is the source's. */
  isComputed = false;
  /** Tokens of that guess that were expected to be right. */
  promised = 0;
  /** Tokens until the source is tried though it does not pay, and for how long the next time. */
  trialIn = TRIAL_FIRST;
  trialEvery = TRIAL_FIRST;

  constructor(foretold: readonly number[], common: Acceptance, commonComputed: Acceptance) {
    this.repeats = new Repeats(foretold);
    this.acceptance = new Acceptance(common);
    this.computed = new Acceptance(commonComputed);
  }

  /** Looks at the tokens that are new, and learns from them whether guesses would have been right. */
  follow({ tokens, promptTokens }: Sequence): void {
    if (this.known === 0) {
      this.repeats.add(tokens.slice(0, promptTokens), true);
      this.known = promptTokens;
    }
    for (; this.known < tokens.length; this.known++) {
      const token = tokens[this.known], { next, length } = this.repeats;
      if (next !== undefined) this.acceptance.note(length, next === token);
      this.repeats.push(token);
      this.trialIn--;
    }
  }
}

/**
 * Decides how far each step guesses ahead. Guesses are checked by computing them together with the token before them: the right
 * ones have been computed then, in a step that takes little longer than one token's. How many pay follows from how
 * often guesses were right and from how long steps take; often none does. Leviathan, Kalman and Matias 2023.
 */
export class Speculator {
  readonly #options: SpeculationOptions;
  readonly #times: DecodeTimes;
  readonly #acceptance = new Acceptance();
  readonly #computed = new Acceptance();
  readonly #guesses = new Map<number, Guesses>();
  /** Right tokens of guesses, and those that were expected. What is chosen for being likely is often less so than it seems. */
  #kept = PROMISE_TRUST;
  #promised = PROMISE_TRUST;

  constructor(model: StepTimes, options: SpeculationOptions = {}) {
    this.#times = new DecodeTimes(model);
    this.#options = options;
  }

  /** Guesses for sequences that a step computes to their ends, in their order; none where they would not pay. */
  propose(sequences: readonly Sequence[], room: DraftRoom): readonly (readonly number[])[] {
    const chains = sequences.map((sequence) => this.#chainOf(sequence));
    const lengths = this.#lengths(chains, room);
    return chains.map((chain, i) => this.#take(chain, lengths[i], room));
  }

  /** Learns from a step that only went on with answers. */
  observe(load: StepLoad, elapsedMs: number): void {
    this.#times.observe(load, elapsedMs);
  }

  /** Notes how many tokens of a sequence's guess were right. */
  settle({ id, draft }: Sequence, right: number): void {
    const guesses = this.#guesses.get(id);
    if (guesses === undefined || draft.length === 0) return;
    const forgotten = (1 - PROMISE_MEMORY) * PROMISE_TRUST;
    this.#kept = PROMISE_MEMORY * this.#kept + forgotten + right;
    this.#promised = PROMISE_MEMORY * this.#promised + forgotten + guesses.promised;
    if (!guesses.isComputed) return;
    guesses.isComputed = false;
    for (let i = 0; i < right; i++) guesses.computed.note(0, true);
    if (right < draft.length) guesses.computed.note(0, false);
  }

  /** Forgets a sequence that has ended. */
  forget(id: number): void {
    if (this.#guesses.delete(id)) this.#options.source?.forget(id);
  }

  #chainOf(sequence: Sequence): Chain {
    const most = Math.min(DRAFT_MAX, sequence.tokensMax - sequence.tokens.length - 1);
    if (!sequence.speculates || most < 1) return { sequence, chances: [], tokens: [] };
    const guesses = this.#guessesOf(sequence);
    guesses.follow(sequence);
    guesses.isComputed = false;
    const { repeats, acceptance, computed } = guesses;
    const guess = repeats.guess(most);
    const chances = falling(guess.length, (i) => acceptance.chance(repeats.length + i));
    const chance = computed.chance(0), { source } = this.#options;
    if (source !== undefined && chance > (chances[0] ?? 0)) {
      const canGuess = source.canGuess?.(sequence.id, sequence.tokens) ?? true;
      if (canGuess) return { sequence, chances: falling(most, () => chance) };
    }
    const tokens = guess.slice(0, chances.length);
    const fitting = this.#options.fits?.(sequence.id, tokens) ?? tokens.length;
    return { sequence, chances: chances.slice(0, fitting), tokens: tokens.slice(0, fitting) };
  }

  #guessesOf({ id, foretold }: Sequence): Guesses {
    let guesses = this.#guesses.get(id);
    if (guesses === undefined) {
      guesses = new Guesses(foretold, this.#acceptance, this.#computed);
      this.#guesses.set(id, guesses);
    }
    return guesses;
  }

  /**
   * Lengths of the guesses with which most tokens are expected in a time. The likeliest token is always the next to be added, so
   * that for each number of tokens there is one choice, and the best number is found by trying all.
   */
  #lengths(
    chains: readonly Chain[],
    { load, tokens: room, limitMs, betweenMs }: Omit<DraftRoom, "reserve">,
  ): number[] {
    const lengths = chains.map(() => 0);
    const reached = chains.map(() => 1);
    const msPerToken = this.#options.source?.msPerToken ?? 0;
    let expected = chains.length, draftMs = 0;
    let { tokens, kv } = load;
    const belief = Math.min(1, this.#kept / this.#promised);
    let best = GAIN_MIN * expected / (betweenMs + this.#times.predict(load));
    let chosen = [...lengths];
    for (let added = 0; added < Math.min(room, DRAFT_MAX); added++) {
      let next = -1, chance = 0;
      for (const [i, { chances }] of chains.entries()) {
        const reach = reached[i] * (chances[lengths[i]] ?? 0);
        if (reach > chance) [next, chance] = [i, reach];
      }
      if (next < 0) break;
      const { sequence, tokens: known } = chains[next];
      reached[next] = chance;
      kv += attendedKv(sequence.tokens.length + lengths[next]++, 1);
      tokens++;
      expected += belief * chance;
      if (known === undefined) draftMs += msPerToken;
      const ms = this.#times.predict({ tokens, kv }) + draftMs;
      if (ms > limitMs) break;
      if (expected / (betweenMs + ms) <= best) continue;
      best = expected / (betweenMs + ms);
      chosen = [...lengths];
    }
    let left = room - chosen.reduce((sum, length) => sum + length, 0);
    return chosen.map((length, i) => {
      const guesses = this.#orTrial(chains[i], length, left);
      left -= guesses - length;
      return guesses;
    });
  }

  /**
   * Now and then a guess of the source that does not seem to pay: what it is worth shows only when it guesses. `left`: tokens
   * that the step still has room for.
   */
  #orTrial({ sequence, tokens, chances }: Chain, length: number, left: number): number {
    if (tokens !== undefined) return length;
    const guesses = this.#guessesOf(sequence);
    if (length > 0) {
      guesses.trialIn = guesses.trialEvery = TRIAL_FIRST;
      return length;
    }
    if (guesses.trialIn > 0 || left < 1) return 0;
    guesses.trialEvery = Math.min(2 * guesses.trialEvery, TRIAL_LAST);
    guesses.trialIn = guesses.trialEvery;
    return Math.min(TRIAL_TOKENS, left, chances.length);
  }

  #take({ sequence, tokens, chances }: Chain, wanted: number, room: DraftRoom): readonly number[] {
    const length = wanted === 0 ? 0 : room.reserve(sequence, wanted);
    if (length === 0) return [];
    const guesses = this.#guessesOf(sequence);
    guesses.promised = promiseOf(chances.slice(0, length));
    if (tokens !== undefined) return tokens.slice(0, length);
    const { source, fits } = this.#options;
    const guess = source!.guess(sequence.id, sequence.tokens, length).slice(0, length);
    guesses.isComputed = guess.length > 0;
    return guess.slice(0, fits?.(sequence.id, guess) ?? guess.length);
  }
}

/** Tokens that are expected to be right. */
function promiseOf(chances: readonly number[]): number {
  let all = 1, promise = 0;
  for (const chance of chances) promise += all *= chance;
  return promise;
}

/** Chances of up to `count` tokens, as long as all of them together are not too unlikely. */
function falling(count: number, chanceAt: (i: number) => number): number[] {
  const chances: number[] = [];
  let all = 1;
  for (let i = 0; i < count; i++) {
    const chance = chanceAt(i);
    all *= chance;
    if (all < CHANCE_MIN) break;
    chances.push(chance);
  }
  return chances;
}
