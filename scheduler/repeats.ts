/** Stands between texts that do not continue each other; no token. */
const BORDER = -1;
/** Tokens that must be alike before a place counts as seen before. */
const LENGTH_MIN = 2;
/** Longer matches are not told apart. */
const LENGTH_MAX = 32;
/** Earlier places that are looked at, the latest first. */
const PLACES_MAX = 32;
/** More than there are tokens: two of them make one key. */
const KEY_BASE = 2 ** 24;

/**
 * Finds where the end of a sequence was seen before, in itself or in a text that was foretold, and what came there. The place is
 * followed token by token as long as it goes on alike. Adding a token takes about a microsecond, however long the sequence is.
 * Prompt lookup: Saxena 2023.
 */
export class Repeats {
  readonly #text: number[] = [];
  /** By pair of tokens, the place after its last occurrence. */
  readonly #latest = new Map<number, number>();
  /** By place, the one before it after the same pair; 0: none. */
  readonly #former: number[] = [0];
  /** Place of the guess for the next token; −1: there is none. */
  #at = -1;
  #length = 0;

  /** `foretold`: a text that the first new token may begin. */
  constructor(foretold: readonly number[] = []) {
    for (const token of foretold) this.#append(token);
    if (foretold.length > 0) this.#append(BORDER);
  }

  /** Tokens before the guess that are alike; 0 where a foretold text begins. */
  get length(): number {
    return this.#length;
  }

  /** What is guessed to come next; undefined: there is no guess. */
  get next(): number | undefined {
    const token = this.#text[this.#at];
    return token === undefined || token === BORDER ? undefined : token;
  }

  /** Adds what nobody guessed: a prompt. `begins`: what is foretold may come right behind it. */
  add(tokens: ArrayLike<number>, begins = false): void {
    for (let i = 0; i < tokens.length; i++) this.#append(tokens[i]);
    if (begins && this.#text.length > tokens.length) {
      this.#at = 0;
      this.#length = 0;
    } else {
      this.#find();
    }
  }

  /** Adds the next token. */
  push(token: number): void {
    const isRight = this.next === token;
    this.#append(token);
    if (isRight) {
      this.#at++;
      this.#length++;
    } else {
      this.#find();
    }
  }

  /** Up to `most` tokens that may come next. What repeats itself right before its end goes on repeating itself. */
  guess(most: number): number[] {
    const guess: number[] = [];
    if (this.#at < 0) return guess;
    for (let i = 0; i < most; i++) {
      const place = this.#at + i;
      const token = place < this.#text.length ? this.#text[place] : guess[place - this.#text.length];
      if (token === BORDER) break;
      guess.push(token);
    }
    return guess;
  }

  /** A place is found by later tokens: the guess for what follows a pair must not be what nobody knows yet. */
  #append(token: number): void {
    const text = this.#text;
    const before = text.at(-1);
    text.push(token);
    this.#former.push(0);
    if (before === undefined || before === BORDER || token === BORDER) return;
    const key = before * KEY_BASE + token;
    this.#former[text.length] = this.#latest.get(key) ?? 0;
    this.#latest.set(key, text.length);
  }

  /** The earlier place with the longest match, the latest of several. */
  #find(): void {
    this.#at = -1;
    this.#length = 0;
    let place = this.#former[this.#text.length];
    for (let i = 0; i < PLACES_MAX && place > 0 && this.#length < LENGTH_MAX; i++) {
      const length = this.#lengthAt(place);
      if (length > this.#length) {
        this.#at = place;
        this.#length = length;
      }
      place = this.#former[place];
    }
  }

  #lengthAt(place: number): number {
    const text = this.#text, end = text.length;
    let length = LENGTH_MIN;
    while (length < LENGTH_MAX && length < place && text[place - 1 - length] === text[end - 1 - length]) {
      if (text[place - 1 - length] === BORDER) break;
      length++;
    }
    return length;
  }
}
