/** Matches of at least so many tokens are counted together; the first ones are of texts that were foretold. */
const LENGTHS = [0, 2, 3, 4, 5, 7, 10, 16, 24] as const;
/** What is believed of guesses before any was seen, with the weight of so many. */
const PRIOR = [0.5, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.8] as const;
const PRIOR_WEIGHT = 8;
/** Weight of a guess against the next one, in all texts and in one. */
const MEMORY = 0.999, OWN_MEMORY = 0.98;
/** What is known of all texts counts in one as so many of its own guesses. */
const COMMON_WEIGHT = 6;

/** Right guesses and all guesses, older ones with less weight. */
class Counts {
  readonly #memory: number;
  readonly #right = LENGTHS.map(() => 0);
  readonly #all = LENGTHS.map(() => 0);

  constructor(memory: number) {
    this.#memory = memory;
  }

  note(bucket: number, isRight: boolean): void {
    this.#all[bucket] = this.#memory * this.#all[bucket] + 1;
    this.#right[bucket] = this.#memory * this.#right[bucket] + Number(isRight);
  }

  /** The share of right ones, if `share` is what so many others had. */
  share(bucket: number, share: number, others: number): number {
    return (this.#right[bucket] + share * others) / (this.#all[bucket] + others);
  }
}

/**
 * How often guesses are right, by the number of tokens that were alike before them. It learns from every token that is chosen,
 * whether or not a step computed the guess: so it costs nothing to find out that guessing does not pay, or that it pays again.
 */
export class Acceptance {
  readonly #common?: Acceptance;
  readonly #counts: Counts;

  /** `common`: what is known of all texts, for one of them. */
  constructor(common?: Acceptance) {
    this.#common = common;
    this.#counts = new Counts(common === undefined ? MEMORY : OWN_MEMORY);
  }

  /** Notes whether the guess behind `length` tokens that were alike was right. */
  note(length: number, isRight: boolean): void {
    this.#counts.note(bucketOf(length), isRight);
    this.#common?.note(length, isRight);
  }

  /** How likely a guess is right behind `length` tokens that are alike, from 0 to 1. */
  chance(length: number): number {
    const bucket = bucketOf(length);
    return this.#common === undefined
      ? this.#counts.share(bucket, PRIOR[bucket], PRIOR_WEIGHT)
      : this.#counts.share(bucket, this.#common.chance(length), COMMON_WEIGHT);
  }
}

function bucketOf(length: number): number {
  let bucket = LENGTHS.length - 1;
  while (bucket > 0 && LENGTHS[bucket] > length) bucket--;
  return bucket;
}
