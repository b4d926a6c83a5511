/** Answers that must follow a grammar: which tokens may come next, sequence by sequence. @module */

import type { Kernels } from "../ffi/context.ts";
import { type Grammar, TokenTable, type Vocabulary } from "../ffi/grammars.ts";
import { CONTROL_BYTE } from "../grammar/expression.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Grammars that are kept for the next request with the same. */
const GRAMMARS_KEPT = 32;
/** Tokens of which the bytes are found in some 5 ms. */
const PREPARED_TOKENS = 2000;

/** What an answer must still be. */
export interface Constraint extends Disposable {
  /** What sampling is told: the grammar's number in the library, and the state that the tokens so far lead to. */
  readonly state: { readonly grammar: number; readonly state: number };
  /** Whether the answer may end here. */
  readonly mayEnd: boolean;
  /** Whether it is whole: nothing may follow. */
  readonly isEnd: boolean;
  /** The one token that may come next; undefined where there is a choice. */
  readonly only: number | undefined;
  /** So many of these tokens, from the first on, may come next. */
  fits(tokens: readonly number[]): number;
  /** The tokens of the shortest way to where the answer may end, if they are `most` or fewer. */
  closing(most: number): readonly number[] | undefined;
  /** Whether there would be such a way behind a token. */
  closesBehind(token: number, most: number): boolean;
  /** Takes the answer's next token. Throws an Error for one that may not come, which sampling never gives. */
  accept(token: number): void;
}

/** Gives answers their constraints. */
export interface ConstraintSource {
  /** `words`: a compiled grammar; `entry`: bytes with which its texts begin before the answer does. Throws where it is none. */
  open(words: Uint32Array<ArrayBuffer>, entry?: Uint8Array): Constraint;
}

interface Shared {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly grammar: Grammar;
  users: number;
  /** How often its states have been forgotten. */
  epoch: number;
}

/** The constraints of one model. Requests with the same grammar share what it has found about their texts. */
export class Constraints implements ConstraintSource {
  readonly #kernels: Kernels;
  readonly #tokenizer: Tokenizer;
  #vocabulary?: Vocabulary;
  /** Of its tokens, until it is made. */
  #table?: TokenTable;
  /** By a hash of the words, in the order of their last use. */
  readonly #known = new Map<string, Shared>();

  constructor(kernels: Kernels, tokenizer: Tokenizer) {
    this.#kernels = kernels;
    this.#tokenizer = tokenizer;
  }

  open(words: Uint32Array<ArrayBuffer>, entry = new Uint8Array()): Constraint {
    const key = hashOf(words);
    let shared = this.#known.get(key);
    // Two grammars of one hash do not share: the second one is made for itself.
    if (shared === undefined || !sameWords(shared.words, words)) {
      const grammar = this.#kernels.createGrammar(this.#words, words, [...this.#tokenizer.eogIds]);
      shared = { words, grammar, users: 0, epoch: 0 };
      if (this.#known.has(key)) {
        return new Following(shared, entry, (own) => own.grammar[Symbol.dispose]());
      }
    }
    this.#known.delete(key);
    this.#known.set(key, shared);
    shared.users++;
    const following = new Following(shared, entry, (own) => {
      own.users--;
      this.#forget();
    });
    this.#forget();
    return following;
  }

  /**
   * Does some ms of the work that has to be done before the first grammar, so that it need not be done when others have answers
   * under way. Returns whether there is no more.
   */
  prepare(): boolean {
    if (this.#vocabulary !== undefined) return true;
    const tokenizer = this.#tokenizer, count = tokenizer.vocabSize;
    const table = this.#table ??= new TokenTable(count);
    const end = Math.min(count, table.count + PREPARED_TOKENS);
    while (table.count < end) table.add(tokenForm(tokenizer, table.count));
    if (end < count) return false;
    this.#vocabulary = this.#kernels.createVocabulary(table);
    this.#table = undefined;
    return true;
  }

  get #words(): Vocabulary {
    while (!this.prepare());
    return this.#vocabulary!;
  }

  /** Lets go of the grammars that nobody follows and that were used longest ago. */
  #forget(): void {
    for (const [key, { users, grammar }] of this.#known) {
      if (this.#known.size <= GRAMMARS_KEPT) return;
      if (users > 0) continue;
      this.#known.delete(key);
      grammar[Symbol.dispose]();
    }
  }
}

class Following implements Constraint {
  readonly #shared: Shared;
  readonly #release: (shared: Shared) => void;
  readonly #entry: Uint8Array;
  readonly #tokens: number[] = [];
  #state: number;
  #epoch: number;
  #isOpen = true;

  constructor(shared: Shared, entry: Uint8Array, release: (shared: Shared) => void) {
    this.#shared = shared;
    this.#entry = entry;
    this.#release = release;
    this.#state = this.#begin();
    this.#epoch = shared.epoch;
  }

  get state(): { grammar: number; state: number } {
    this.#catchUp();
    return { grammar: this.#shared.grammar.id, state: this.#state };
  }

  get mayEnd(): boolean {
    this.#catchUp();
    return this.#shared.grammar.info(this.#state).mayEnd;
  }

  get isEnd(): boolean {
    this.#catchUp();
    return this.#shared.grammar.info(this.#state).isEnd;
  }

  get only(): number | undefined {
    this.#catchUp();
    return this.#shared.grammar.only(this.#state);
  }

  fits(tokens: readonly number[]): number {
    this.#catchUp();
    let at: number | undefined = this.#state;
    for (const [i, token] of tokens.entries()) {
      at = this.#shared.grammar.accept(at, token).state;
      if (at === undefined) return i;
    }
    return tokens.length;
  }

  closing(most: number): readonly number[] | undefined {
    this.#catchUp();
    return this.#shared.grammar.closing(this.#state, most);
  }

  closesBehind(token: number, most: number): boolean {
    this.#catchUp();
    const { grammar } = this.#shared;
    const { state } = grammar.accept(this.#state, token);
    return state !== undefined && grammar.closing(state, most) !== undefined;
  }

  accept(token: number): void {
    this.#catchUp();
    const { state, full } = this.#shared.grammar.accept(this.#state, token);
    if (state === undefined) throw new Error(`Token ${token} does not follow the answer's grammar`);
    this.#state = state;
    this.#tokens.push(token);
    // Everybody's states end with the next start; each finds its own again by its tokens.
    if (full) this.#shared.epoch++;
  }

  /** States end when a grammar has found too many: the tokens lead to the same one again. */
  #catchUp(): void {
    if (this.#epoch === this.#shared.epoch) return;
    const { grammar } = this.#shared;
    this.#epoch = this.#shared.epoch;
    this.#state = this.#tokens.reduce((at, token) => grammar.accept(at, token).state!, this.#begin());
  }

  #begin(): number {
    const { grammar } = this.#shared;
    const state = grammar.acceptBytes(grammar.start(), this.#entry);
    if (state === undefined) throw new Error("The grammar does not begin where the answer does");
    return state;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#release(this.#shared);
  }
}

/**
 * What a token is to a grammar: its bytes; of a control token its text behind a byte that no text has, so that only a grammar that
 * means it allows it. A token that ends answers is none.
 */
export function tokenForm(tokenizer: Tokenizer, id: number): Uint8Array {
  if (tokenizer.eogIds.has(id)) return new Uint8Array(0);
  const bytes = tokenizer.makeTokenBytes(id);
  // Single bytes may be tokens, too: this one means a control token, and none is to be spelled.
  if (bytes.includes(CONTROL_BYTE)) return new Uint8Array(0);
  return tokenizer.isControl(id) ? Uint8Array.of(CONTROL_BYTE, ...bytes) : bytes;
}

/** FNV-1a, twice: two grammars rarely have one. */
function hashOf(words: Uint32Array): string {
  let a = 0x811c9dc5, b = 0x01234567;
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ word, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return `${words.length}:${a >>> 0}:${b >>> 0}`;
}

function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  return a === b || a.length === b.length && a.every((word, i) => word === b[i]);
}
