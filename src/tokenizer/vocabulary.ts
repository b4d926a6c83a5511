/**
 * The vocabulary of a GGUF file: texts, kinds and scores of all tokens, and which of them are special.
 *
 * Kinds follow llama.cpp's token types. Two rules are stricter, so that text from users can never become a
 * token that steers the model: tokens that look like markers (`<|…|>`, and the well-known ends of a turn)
 * count as control tokens whatever the file says, and `lookup` knows no control, unknown or byte token, so
 * that no chain of merges can end in one.
 */

import { GAP_BYTES, type TextArray } from "../gguf/text_array.ts";
import { TokenizerError } from "./error.ts";
import { readStrips, type Strips } from "./strips.ts";
import { TextIndex } from "./text_index.ts";
import { type Metadata, readBoolean, readNumbers, readTexts, readTokenId } from "./metadata.ts";

const encoder = new TextEncoder();

/** What a token is: the values of `tokenizer.ggml.token_type`. */
export const TokenKind = {
  undefined: 0,
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** Bounds on what a file may declare; the largest vocabularies in use have about 262,000 tokens. */
export const VOCABULARY_LIMITS = { tokensMax: 1 << 21, tokenCharsMax: 1 << 16 } as const;

/** Ends of generation known by their text, as llama.cpp lists them. */
const END_TEXTS = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<｜end▁of▁sentence｜>",
]);

/**
 * Markers that shape a conversation in templates and that some files declare as plain or user-defined tokens.
 */
const MARKER_TEXTS = new Set(["<start_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>"]);

/** By byte: 1 where one of all those begins with it. */
const MARKER_STARTS = new Uint8Array(256);
for (const byte of encoder.encode("<[_")) MARKER_STARTS[byte] = 1;

/** `<|…|>` and its full-width twin: the shape that only control tokens have. */
const MARKER_SHAPE = /^<[|｜][^\s<>]*[|｜]>$/u;

/**
 * Any text that reads as a marker; tells whether a bos/eos/eot id of the file may be made a control token.
 */
const SPECIAL_LOOK = /^\s*(<[^<>\s]+>|\[[A-Z_/]+\])\s*$/u;

/** Token ids with a role. */
export interface SpecialIds {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly eot: number | undefined;
  readonly eom: number | undefined;
  readonly unknown: number | undefined;
  readonly padding: number | undefined;
}

/** Texts, kinds and roles of a model's tokens. Immutable once built. */
export class Vocabulary {
  /** Token texts as stored: byte-level BPE texts in the printable alphabet, SPM texts with ▁ for a space. */
  readonly texts: TextArray;
  readonly kinds: Uint8Array;
  /** Larger is merged first (SPM); zeros when the file has none. */
  readonly scores: Float32Array;
  readonly special: SpecialIds;
  /** Tokens that end a generation. */
  readonly endIds: ReadonlySet<number>;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Tokens that take the white space before them, or behind them, with them. */
  readonly strips: Strips;
  /** All texts, those of control tokens too. */
  readonly index: TextIndex;
  /** A text that is looked up. */
  #bytes = new Uint8Array(64);
  /** What the index cannot tell: made when it is asked for. */
  #textIds: Map<string, number> | undefined;

  private constructor(metadata: Metadata, defaults: { addBos: boolean; ids: Partial<SpecialIds> }) {
    this.texts = readVocabulary(metadata);
    const size = this.texts.length;
    this.kinds = readKinds(metadata, size);
    const scores = readNumbers(metadata, "scores", size);
    this.scores = scores === undefined ? new Float32Array(size) : new Float32Array(scores);
    this.special = readSpecialIds(metadata, size, defaults.ids);
    markControlTokens(this.texts, this.kinds, this.special, metadata.has("tokenizer.ggml.token_type"));
    this.endIds = findEnds(this.texts, this.kinds, this.special);
    this.addBos = readBoolean(metadata, "add_bos_token") ??
      (defaults.addBos && this.special.bos !== undefined);
    this.addEos = readBoolean(metadata, "add_eos_token") ?? false;
    if (this.addBos && this.special.bos === undefined) {
      throw new TokenizerError("tokenizer.ggml.add_bos_token is true, but bos_token_id is not set");
    }
    if (this.addEos && this.special.eos === undefined) {
      throw new TokenizerError("tokenizer.ggml.add_eos_token is true, but eos_token_id is not set");
    }
    this.strips = readStrips(metadata, this.texts, (id) => this.isSpecial(id));
    this.index = new TextIndex(this.texts);
  }

  /**
   * Reads and checks the vocabulary. `defaults` holds what the tokenizer's kind implies when the file is
   * silent.
   */
  static read(metadata: Metadata, defaults: { addBos: boolean; ids: Partial<SpecialIds> }): Vocabulary {
    return new Vocabulary(metadata, defaults);
  }

  get size(): number {
    return this.texts.length;
  }

  /**
   * Id of the token with this text that plain text may become: never a control, unknown or byte token. Of
   * tokens with the same text the first one counts; the others can still be decoded.
   */
  lookup(text: string): number | undefined {
    const found = this.#find(text);
    if (found === undefined || text === "") return undefined;
    if (found.isSame && this.isText(found.id)) return found.id;
    // The first of equal texts is none that text may become, or other texts have the same hash.
    return (this.#textIds ??= this.#mapTexts()).get(text);
  }

  /** Id of the first token with this text, whatever its kind. */
  idOf(text: string): number | undefined {
    const found = this.#find(text);
    if (found === undefined || found.isSame) return found?.id;
    const id = this.texts.strings().indexOf(text);
    return id < 0 ? undefined : id;
  }

  /** True for tokens that only a template or the engine may write. */
  isControl(id: number): boolean {
    const kind = this.kinds[id];
    return kind === TokenKind.control || kind === TokenKind.unknown;
  }

  /** True for tokens that are looked for in a text before it is cut: controls, and those added by the author. */
  isSpecial(id: number): boolean {
    return this.isControl(id) || this.kinds[id] === TokenKind.userDefined;
  }

  /** Ids of all those. */
  *specialIds(): Generator<number> {
    for (const kind of [TokenKind.control, TokenKind.unknown, TokenKind.userDefined]) {
      yield* idsOfKind(this.kinds, kind);
    }
  }

  /** True for tokens that plain text may become by their text. */
  isText(id: number): boolean {
    return !this.isControl(id) && this.kinds[id] !== TokenKind.byte;
  }

  /** The first token with the hash of this text, and whether the text is the same, too. */
  #find(text: string): { id: number; isSame: boolean } | undefined {
    // No token has half a surrogate pair, which would be looked for as U+FFFD.
    if (!text.isWellFormed()) return undefined;
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    if (this.#bytes.length < text.length * 3) this.#bytes = new Uint8Array(text.length * 3);
    const length = encoder.encodeInto(text, this.#bytes).written;
    const id = this.index.start().take(this.#bytes, 0, length).find();
    return id < 0 ? undefined : { id, isSame: this.texts.has(id, this.#bytes, length) };
  }

  #mapTexts(): Map<string, number> {
    const ids = new Map<string, number>();
    this.texts.strings().forEach((text, id) => {
      if (this.isText(id) && !ids.has(text)) ids.set(text, id);
    });
    return ids;
  }
}

function readVocabulary(metadata: Metadata): TextArray {
  const texts = readTexts(metadata, "tokens");
  if (texts === undefined) {
    throw new TokenizerError("the file has no vocabulary: tokenizer.ggml.tokens is missing");
  }
  if (texts.length === 0) throw new TokenizerError("tokenizer.ggml.tokens must not be empty");
  if (texts.length > VOCABULARY_LIMITS.tokensMax) {
    throw new TokenizerError(
      `tokenizer.ggml.tokens must have at most ${VOCABULARY_LIMITS.tokensMax} items: it has ${texts.length}`,
    );
  }
  const { tokenCharsMax } = VOCABULARY_LIMITS;
  if (texts.bytesMax <= tokenCharsMax) return texts;
  const long = texts.strings().findIndex((text) => text.length > tokenCharsMax);
  if (long >= 0) {
    throw new TokenizerError(
      `tokenizer.ggml.tokens[${long}] must have at most ${tokenCharsMax} characters: ` +
        `it has ${texts.at(long).length}`,
    );
  }
  return texts;
}

function readKinds(metadata: Metadata, size: number): Uint8Array {
  const kinds = new Uint8Array(size).fill(TokenKind.normal);
  const declared = readNumbers(metadata, "token_type", size);
  if (declared === undefined) return kinds;
  for (let id = 0; id < size; id++) {
    const kind = declared[id];
    kinds[id] = kind >= 0 && kind <= TokenKind.byte ? kind : TokenKind.undefined;
  }
  return kinds;
}

function readSpecialIds(metadata: Metadata, size: number, defaults: Partial<SpecialIds>): SpecialIds {
  const read = (name: string, fallback: number | undefined): number | undefined => {
    if (metadata.has(`tokenizer.ggml.${name}`)) return readTokenId(metadata, name, size);
    return fallback !== undefined && fallback < size ? fallback : undefined;
  };
  return {
    bos: read("bos_token_id", defaults.bos),
    eos: read("eos_token_id", defaults.eos),
    eot: read("eot_token_id", undefined),
    eom: read("eom_token_id", undefined),
    unknown: read("unknown_token_id", defaults.unknown),
    padding: read("padding_token_id", undefined),
  };
}

function markControlTokens(
  texts: TextArray,
  kinds: Uint8Array,
  special: SpecialIds,
  kindsDeclared: boolean,
): void {
  const { bytes, ends } = texts;
  for (let id = 0, start = GAP_BYTES; id < ends.length; start = ends[id++] + GAP_BYTES) {
    // Almost all tokens start otherwise: the sets and the expression need not see them.
    if (start < bytes.length && MARKER_STARTS[bytes[start]] === 0) continue;
    const text = texts.at(id);
    if (END_TEXTS.has(text) || MARKER_TEXTS.has(text) || MARKER_SHAPE.test(text)) {
      kinds[id] = TokenKind.control;
    }
  }
  for (const id of [special.bos, special.eos, special.eot, special.eom]) {
    if (id !== undefined && (!kindsDeclared || SPECIAL_LOOK.test(texts.at(id)))) {
      kinds[id] = TokenKind.control;
    }
  }
  if (special.unknown !== undefined && !kindsDeclared && SPECIAL_LOOK.test(texts.at(special.unknown))) {
    kinds[special.unknown] = TokenKind.unknown;
  }
}

/** Ids of the tokens of a kind; quick where these are few. */
export function* idsOfKind(kinds: Uint8Array, kind: number): Generator<number> {
  for (let id = kinds.indexOf(kind); id >= 0; id = kinds.indexOf(kind, id + 1)) yield id;
}

function findEnds(texts: TextArray, kinds: Uint8Array, special: SpecialIds): ReadonlySet<number> {
  const ends = new Set<number>();
  for (const id of [special.eos, special.eot, special.eom]) if (id !== undefined) ends.add(id);
  let end: number | undefined;
  let returns = false;
  let calls = false;
  for (const id of idsOfKind(kinds, TokenKind.control)) {
    const text = texts.at(id);
    if (!END_TEXTS.has(text)) continue;
    ends.add(id);
    if (text === "<|end|>") end = id;
    returns ||= text === "<|return|>";
    calls ||= text === "<|call|>";
  }
  // In the harmony format <|end|> closes one part of an answer, not the answer.
  if (returns && calls && end !== undefined && end !== special.eos) ends.delete(end);
  return ends;
}
