/**
 * Text to token ids and back, by the vocabulary in a GGUF file's metadata.
 *
 * Control tokens are matched only in text that the program itself wrote (`parseSpecial`); text from users
 * stays text. The ids equal llama.cpp's for every text without the text of a control token.
 */

import { BytePairModel } from "./byte_pair_model.ts";
import { CharacterPairModel } from "./character_pair_model.ts";
import { TokenizerError } from "./error.ts";
import { type Metadata, readBoolean, readBytes, readString, tokenizerKey } from "./metadata.ts";
import type { TokenizerModel } from "./model.ts";
import { PlamoModel } from "./plamo_model.ts";
import { preTokenizerOf } from "./pre_tokenizer.ts";
import { SentencePieceModel } from "./sentence_piece_model.ts";
import { SpecialMatcher } from "./special_matcher.ts";
import { StreamDecoder } from "./stream_decoder.ts";
import { printableBytes } from "./utf8.ts";
import { UnigramModel } from "./unigram_model.ts";
import { TokenKind, Vocabulary } from "./vocabulary.ts";
import { WordPieceModel } from "./word_piece_model.ts";

/** How `encode` treats special tokens. */
export interface EncodeOptions {
  /** Add BOS and EOS where the model file asks for them. Default false. */
  readonly addSpecial?: boolean;
  /**
   * Read the texts of control tokens as these tokens. Only for text that the program wrote. Default false.
   */
  readonly parseSpecial?: boolean;
}

/** How tokens are turned into text. */
export interface DecodeOptions {
  /** Write control tokens by their text; otherwise they give no text. Default false. */
  readonly special?: boolean;
  /** The tokens start a text, so that the space SentencePiece puts there is dropped. Default true. */
  readonly atStart?: boolean;
}

export class Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #model: TokenizerModel;
  readonly #matcher: SpecialMatcher;
  readonly #pieces: (Uint8Array | undefined)[];
  readonly #composes: boolean;

  /** `composes`: characters of a text are composed (NFC) before it is cut. */
  constructor(vocabulary: Vocabulary, model: TokenizerModel, composes = false) {
    this.#composes = composes;
    this.#vocabulary = vocabulary;
    this.#model = model;
    this.#matcher = new SpecialMatcher(vocabulary);
    this.#pieces = new Array(vocabulary.size);
  }

  /** Number of token ids: valid ids are 0 … vocabSize - 1. */
  get vocabSize(): number {
    return this.#vocabulary.size;
  }
  get bos(): number | undefined {
    return this.#vocabulary.special.bos;
  }
  get eos(): number | undefined {
    return this.#vocabulary.special.eos;
  }
  /** The model expects BOS at the start of its input. */
  get addBos(): boolean {
    return this.#vocabulary.addBos;
  }
  /** Tokens that end a generation: eos, eot and the well-known ends of a turn. */
  get eogIds(): ReadonlySet<number> {
    return this.#vocabulary.endIds;
  }

  /** True for tokens that no text from a user can become (control and unknown tokens). */
  isControl(id: number): boolean {
    return this.#vocabulary.isControl(id);
  }

  /** Id of a control token by its text, e.g. "<|im_end|>". */
  controlId(text: string): number | undefined {
    const id = this.#vocabulary.idOf(text);
    return id !== undefined && this.isControl(id) ? id : undefined;
  }

  /** Texts of all control tokens, by id. */
  controlTexts(): Map<number, string> {
    const texts = new Map<number, string>();
    for (let id = 0; id < this.vocabSize; id++) {
      if (this.isControl(id)) texts.set(id, this.#vocabulary.texts.at(id));
    }
    return texts;
  }

  /** Token ids of a text. Unpaired surrogates count as U+FFFD. Time is O(n log n) for any text. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const ids: number[] = [];
    const { bos, eos } = this.#vocabulary.special;
    if (options.addSpecial && this.#vocabulary.addBos) ids.push(bos!);
    this.#encodeInto(text.toWellFormed(), options.parseSpecial ?? false, undefined, ids);
    if (options.addSpecial && this.#vocabulary.addEos) ids.push(eos!);
    return ids;
  }

  /**
   * Token ids of a text of mixed origin. `userOwned` has one item per UTF-16 code unit of `text` (which must
   * be well formed); a control token is read only where none of its units is marked there.
   */
  encodeMarked(text: string, userOwned: Uint8Array): number[] {
    const ids: number[] = [];
    this.#encodeInto(text, true, userOwned, ids);
    return ids;
  }

  /**
   * Text of the tokens; incomplete or invalid UTF-8 gives U+FFFD. Throws RangeError for an id outside the
   * vocabulary.
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const special = options.special ?? false;
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (const id of ids) {
      const piece = this.#piece(id, special);
      pieces.push(piece);
      length += piece.length;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    const strips = this.#model.stripsLeadingSpace && (options.atStart ?? true) && bytes[0] === 0x20;
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(strips ? bytes.subarray(1) : bytes);
  }

  /** A decoder for tokens that come one by one. */
  stream(options: DecodeOptions = {}): StreamDecoder {
    const special = options.special ?? false;
    const strips = this.#model.stripsLeadingSpace && (options.atStart ?? true);
    return new StreamDecoder((id) => this.#piece(id, special), strips);
  }

  /**
   * Bytes of one token, control tokens by their text. Not to be changed. Throws RangeError for an unknown id.
   */
  tokenBytes(id: number): Uint8Array {
    return this.#piece(id, true);
  }

  /** As {@linkcode tokenBytes}, for who asks for each token once: nothing is kept. */
  makeTokenBytes(id: number): Uint8Array {
    return this.#pieces[id] ?? this.#makePiece(id);
  }

  /**
   * Text of one token for display, control tokens by their text, parts of characters by their bytes:
   * `bytes:\xe3\x81`.
   */
  tokenText(id: number): string {
    return printableBytes(this.#piece(id, true));
  }

  #encodeInto(text: string, parseControl: boolean, userOwned: Uint8Array | undefined, ids: number[]): void {
    let at = 0;
    for (const match of this.#matcher.find(text, parseControl, userOwned)) {
      if (match.start > at) this.#encodeText(text, at, match.start, ids);
      ids.push(match.id);
      at = match.end;
    }
    if (at < text.length) this.#encodeText(text, at, text.length, ids);
  }

  #encodeText(text: string, start: number, end: number, ids: number[]): void {
    if (!this.#composes) return this.#model.encode(text, start, end, ids);
    // What stands before tells models whether the text begins here.
    const before = text.slice(0, Math.min(start, 1));
    const part = before + text.slice(start, end).normalize("NFC");
    this.#model.encode(part, before.length, part.length, ids);
  }

  #piece(id: number, special: boolean): Uint8Array {
    if (!Number.isInteger(id) || id < 0 || id >= this.#vocabulary.size) {
      throw new RangeError(`token id must be 0 to ${this.#vocabulary.size - 1}: current value is ${id}`);
    }
    if (!special && this.isControl(id)) return NOTHING;
    return this.#pieces[id] ??= this.#makePiece(id);
  }

  #makePiece(id: number): Uint8Array {
    const isText = this.isControl(id) || this.#vocabulary.kinds[id] === TokenKind.userDefined;
    return isText ? new TextEncoder().encode(this.#vocabulary.texts.at(id)) : this.#model.bytesOf(id);
  }
}

const NOTHING = new Uint8Array(0);

/**
 * What files may ask for and the kind of tokenizer does not do: the ids would be others than the model was
 * trained on.
 */
function checkKeys(metadata: Metadata, kind: string | undefined): void {
  if (kind !== "bert" && readBoolean(metadata, "add_sep_token") === true) {
    throw unsupported("add_sep_token is true, which asks for a separator after each text");
  }
  if (kind === "t5") {
    if (readBoolean(metadata, "treat_whitespace_as_suffix") !== true) return;
    throw unsupported("treat_whitespace_as_suffix is true, which asks for spaces at the ends of words");
  }
  if (readBoolean(metadata, "remove_extra_whitespaces") === true) {
    throw unsupported("remove_extra_whitespaces is true, which asks for spaces that are joined to one");
  }
  const map = readBytes(metadata, "precompiled_charsmap");
  if (map?.length) {
    throw unsupported(
      `precompiled_charsmap has ${map.length} bytes, which ask for characters to be replaced`,
    );
  }
}

function unsupported(what: string): TokenizerError {
  return new TokenizerError(`tokenizer.ggml.${what}: not supported`);
}

/**
 * Builds the tokenizer that a model file describes: `tokenizer.ggml.model` "llama" (SentencePiece), "gpt2"
 * (byte-level BPE), "gemma4" (BPE over characters), "t5" (Unigram), "plamo2" (PLaMo's) or "bert" (WordPiece). Throws TokenizerError
 * with the key and the value at fault.
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const { vocabulary, model } = createModel(metadata);
  return new Tokenizer(vocabulary, model, readBoolean(metadata, "kumi.nfc") ?? false);
}

function createModel(metadata: Metadata): { vocabulary: Vocabulary; model: TokenizerModel } {
  const kind = readString(metadata, "model");
  checkKeys(metadata, kind);
  if (kind === "llama") {
    const vocabulary = Vocabulary.read(metadata, { addBos: true, ids: { bos: 1, eos: 2, unknown: 0 } });
    return { vocabulary, model: new SentencePieceModel(metadata, vocabulary) };
  }
  if (kind === "gpt2") {
    const preTokenizer = preTokenizerOf(readString(metadata, "pre"));
    const vocabulary = Vocabulary.read(metadata, { addBos: preTokenizer.addBos, ids: {} });
    return { vocabulary, model: new BytePairModel(metadata, vocabulary, preTokenizer) };
  }
  if (kind === "gemma4") {
    const vocabulary = Vocabulary.read(metadata, { addBos: false, ids: {} });
    return { vocabulary, model: new CharacterPairModel(metadata, vocabulary) };
  }
  if (kind === "t5") {
    const vocabulary = Vocabulary.read(metadata, { addBos: false, ids: { eos: 1, unknown: 2 } });
    return { vocabulary, model: new UnigramModel(metadata, vocabulary) };
  }
  if (kind === "plamo2") {
    const vocabulary = Vocabulary.read(metadata, { addBos: false, ids: { bos: 1, eos: 2, unknown: 0 } });
    return { vocabulary, model: new PlamoModel(vocabulary) };
  }
  if (kind === "bert") {
    const vocabulary = Vocabulary.read(withSeparator(metadata), {
      addBos: true,
      ids: { bos: 101, eos: 102, unknown: 100 },
    });
    return { vocabulary, model: new WordPieceModel(metadata, vocabulary) };
  }
  const shown = kind === undefined ? "missing" : JSON.stringify(kind);
  throw new TokenizerError(
    `tokenizer.ggml.model must be "llama", "gpt2", "gemma4", "t5", "plamo2" or "bert": current value is ${shown}`,
  );
}

/**
 * What BERT's files call the first token of a text and the separator after it, by the names that other files
 * have for a text's first and last tokens.
 */
function withSeparator(metadata: Metadata): Metadata {
  const renamed = new Map(metadata);
  const rename = (from: string, to: string) => {
    const value = metadata.get(tokenizerKey(from));
    if (value !== undefined && !metadata.has(tokenizerKey(to))) renamed.set(tokenizerKey(to), value);
  };
  rename("cls_token_id", "bos_token_id");
  rename("seperator_token_id", "eos_token_id"); // as GGUF spells it
  rename("add_sep_token", "add_eos_token");
  if (!renamed.has(tokenizerKey("add_eos_token"))) renamed.set(tokenizerKey("add_eos_token"), true);
  return renamed;
}
