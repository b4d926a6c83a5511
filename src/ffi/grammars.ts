/** Vocabularies and grammars: which tokens an answer may go on with. @module */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";
import { NativeObject, type Owner, u32 } from "./objects.ts";
import { limits, structs } from "./symbols.ts";

const word = new Uint32Array(1);
const wordBuffer = asBuffer(word);
const INFO = structs.GrammarState;
const infoWords = new Uint32Array(INFO.bytes / 4);
const infoBuffer = asBuffer(infoWords);

/** What is known of a place in a text that follows a grammar. */
export interface GrammarState {
  /** Whether the text may end here. */
  readonly mayEnd: boolean;
  /** Whether nothing may follow. */
  readonly isEnd: boolean;
  /** Memory that the grammar takes for all that it has met, in bytes. */
  readonly bytes: number;
}

/** The bytes of a model's tokens. */
export class Vocabulary extends NativeObject {
  readonly tokens: number;

  constructor(owner: Owner, id: number, tokens: number) {
    super(owner, id);
    this.tokens = tokens;
  }
}

/** A compiled grammar over a vocabulary. States are numbers that only it understands. */
export class Grammar extends NativeObject {
  readonly #tokens: number;

  constructor(owner: Owner, id: number, tokens: number) {
    super(owner, id);
    this.#tokens = tokens;
  }

  get #native(): KernelSymbols {
    const native = this.owner.symbols();
    if (native === undefined) throw new Error("Cannot use a grammar: the kernels were closed");
    return native;
  }

  /**
   * The state before any text. When much has been met all older states end with this call: who has one begins anew with it.
   */
  start(): number {
    check(this.#native.kumi_grammar_start(this.id, wordBuffer), "start grammar");
    return word[0];
  }

  /**
   * The state behind a token, undefined where it cannot follow; `full` says that it is time to call `start`, which bounds
   * the memory. Throws a KernelError for a state that ended.
   */
  accept(state: number, token: number): { state?: number; full: boolean } {
    const status = this.#native.kumi_grammar_accept(
      this.id,
      u32(state, "state"),
      u32(token, "token"),
      wordBuffer,
    );
    if (status < 0) check(status, "accept", { state, token });
    return { state: word[0] === limits.grammarStateNone ? undefined : word[0], full: status === 1 };
  }

  /** As `accept`, for any bytes. */
  acceptBytes(state: number, bytes: Uint8Array): number | undefined {
    if (bytes.length === 0) return state;
    const buffer = bytes as Uint8Array<ArrayBuffer>;
    const status = this.#native.kumi_grammar_accept_bytes(
      this.id,
      u32(state, "state"),
      buffer,
      bytes.length,
      wordBuffer,
    );
    check(status, "accept bytes", { state, bytes: bytes.length });
    return word[0] === limits.grammarStateNone ? undefined : word[0];
  }

  /** What is known of a state. */
  info(state: number): GrammarState {
    check(
      this.#native.kumi_grammar_info(this.id, u32(state, "state"), infoBuffer, INFO.bytes),
      "read grammar",
    );
    const { mayEnd, isEnd, bytes } = INFO.fields;
    return {
      mayEnd: infoWords[mayEnd.offset / 4] === 1,
      isEnd: infoWords[isEnd.offset / 4] === 1,
      bytes: infoWords[bytes.offset / 4],
    };
  }

  /** The bytes that must follow, as far as there is one way only; `most` at most. */
  forced(state: number, most = 256): Uint8Array {
    const bytes = new Uint8Array(most);
    const status = this.#native.kumi_grammar_forced(this.id, u32(state, "state"), bytes, most);
    if (status < 0) check(status, "force", { state });
    return bytes.subarray(0, status);
  }

  /** The one token that may follow; undefined where there are several, or none. */
  only(state: number): number | undefined {
    check(this.#native.kumi_grammar_only(this.id, u32(state, "state"), wordBuffer), "look ahead", { state });
    return word[0] === limits.grammarStateNone ? undefined : word[0];
  }

  /**
   * The fewest tokens known that make a text whole, empty where it may end as it is; undefined where they are more than `most`, or
   * none do.
   */
  closing(state: number, most: number): number[] | undefined {
    const room = new Uint32Array(Math.max(1, Math.min(most, limits.grammarClosingMax - 1)));
    const status = this.#native.kumi_grammar_closing(
      this.id,
      u32(state, "state"),
      asBuffer(room),
      room.byteLength,
    );
    if (status < 0) check(status, "close", { state });
    return status > most || status === limits.grammarClosingMax ? undefined : [...room.subarray(0, status)];
  }

  /** A bit for each token that may follow. */
  mask(state: number): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(this.#tokens / 64) * 2);
    check(
      this.#native.kumi_grammar_mask(this.id, u32(state, "state"), asBuffer(words), words.byteLength),
      "make a mask",
      { state },
    );
    return words;
  }
}

/** The bytes of a vocabulary's tokens, one after another; empty for those that are no text. */
export class TokenTable {
  #bytes = new Uint8Array(1024);
  readonly #starts: Uint32Array<ArrayBuffer>;
  #count = 0;

  /** For so many tokens. */
  constructor(tokens: number) {
    this.#starts = new Uint32Array(tokens + 1);
  }

  /** The table of a list. */
  static of(tokens: readonly Uint8Array[]): TokenTable {
    const table = new TokenTable(tokens.length);
    for (const token of tokens) table.add(token);
    return table;
  }

  /** How many tokens it has. */
  get count(): number {
    return this.#count;
  }

  /** Adds the next token. */
  add(token: Uint8Array): void {
    const at = this.#starts[this.#count], end = at + token.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#bytes.set(token, at);
    this.#starts[++this.#count] = end;
  }

  /** All bytes, of which there is one at least, and where each token's begin. */
  get parts(): { bytes: Uint8Array<ArrayBuffer>; length: number; starts: Uint32Array<ArrayBuffer> } {
    return { bytes: this.#bytes, length: this.#starts[this.#count], starts: this.#starts };
  }
}

export function createVocabulary(native: KernelSymbols, owner: Owner, tokens: TokenTable): Vocabulary {
  const { bytes, length, starts } = tokens.parts;
  check(
    native.kumi_vocabulary_create(
      owner.id,
      bytes,
      length,
      asBuffer(starts),
      starts.byteLength,
      wordBuffer,
    ),
    "create vocabulary",
    { tokens: tokens.count },
  );
  return new Vocabulary(owner, word[0], tokens.count);
}

/** `words`: from `compileRules`. `ends`: the tokens that end an answer. */
export function createGrammar(
  native: KernelSymbols,
  owner: Owner,
  vocabulary: Vocabulary,
  words: Uint32Array<ArrayBuffer>,
  ends: readonly number[],
): Grammar {
  const endWords = Uint32Array.from(ends.length === 0 ? [0] : ends);
  const status = native.kumi_grammar_create(
    owner.id,
    vocabulary.id,
    asBuffer(words),
    words.byteLength,
    asBuffer(endWords),
    ends.length * 4,
    wordBuffer,
  );
  check(status, "create grammar", { words: words.length });
  return new Grammar(owner, word[0], vocabulary.tokens);
}
