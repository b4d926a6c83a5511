/** A checkpoint's tokenizer.json as the keys `tokenizer.ggml.…` of a GGUF file. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { TokenKind } from "../tokenizer/vocabulary.ts";
import { CheckpointError } from "./error.ts";
import { JsonObject } from "./json_object.ts";
import { preTokenizerName } from "./pre_tokenizer_name.ts";

/** A token that was added to the vocabulary. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** The vocabulary by id. */
interface Tokens {
  readonly texts: string[];
  readonly kinds: Int32Array;
}

const TOKENS_MAX = 1 << 21;

/**
 * What tokenizer.json says, for a model with `vocab` rows of tokens. Throws CheckpointError for what is not
 * computed here.
 */
export function tokenizerEntries(json: JsonObject, vocab: number): MetadataEntry[] {
  const model = json.object("model");
  const type = model.string("type", model.has("merges") ? "BPE" : "");
  const added = json.has("added_tokens") ? json.list("added_tokens").map(readAdded) : [];
  const bos = firstToken(json, added);
  const common = [
    scalarEntry("bool", "tokenizer.ggml.add_bos_token", bos !== undefined),
    ...bos === undefined ? [] : [scalarEntry("u32", "tokenizer.ggml.bos_token_id", bos)],
  ];
  if (type === "Unigram") return [...common, ...unigramEntries(json, model, added, vocab)];
  if (type !== "BPE") throw model.unsupported("type", "another kind of tokenizer than BPE or Unigram");
  for (const key of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model.has(key) && model.value(key) !== "") throw model.unsupported(key, "another kind of BPE");
  }
  const vocabulary = model.object("vocab");
  const texts = new Map(vocabulary.keys().map((text) => [text, vocabulary.count(text, { min: 0 })]));
  const tokens = layOut(texts, added, vocab);
  const merges = model.list("merges").map(readMerge);
  const isByteLevel = JSON.stringify(json.value("pre_tokenizer") ?? null).includes('"ByteLevel"');
  return [
    ...common,
    ...isByteLevel ? byteLevelEntries(json, model, tokens, merges) : piecesEntries(json, tokens, merges),
    arrayEntry("string", "tokenizer.ggml.tokens", tokens.texts),
    arrayEntry("i32", "tokenizer.ggml.token_type", tokens.kinds),
  ];
}

function readAdded(value: unknown, index: number): AddedToken {
  const token = new JsonObject(`tokenizer.json: added_tokens[${index}]`, value);
  return {
    id: token.count("id", { min: 0 }),
    content: token.string("content"),
    special: token.boolean("special", false),
  };
}

function readMerge(value: unknown, index: number): string {
  // Older files have "left right", newer ones ["left", "right"].
  if (typeof value === "string" && value.includes(" ")) return value;
  const isPair = Array.isArray(value) && value.length === 2 &&
    value.every((part) => typeof part === "string");
  if (isPair) return value.map((part) => part.replaceAll(" ", "\u0120")).join(" ");
  throw new CheckpointError(
    `tokenizer.json: model: merges[${index}] must be two tokens, current value is ${JSON.stringify(value)}`,
  );
}

/** All tokens by id; rows of the model that no token has are unused. */
function layOut(texts: ReadonlyMap<string, number>, added: readonly AddedToken[], vocab: number): Tokens {
  let size = vocab;
  for (const id of texts.values()) size = Math.max(size, id + 1);
  for (const { id } of added) size = Math.max(size, id + 1);
  if (size > TOKENS_MAX) {
    throw new CheckpointError(`tokenizer.json has token ${size - 1}: at most ${TOKENS_MAX} are allowed`);
  }
  if (size > vocab) {
    throw new CheckpointError(
      `tokenizer.json has token ${size - 1}, and the model has ${vocab} rows (vocab_size)`,
    );
  }
  const all: string[] = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const kinds = new Int32Array(size).fill(TokenKind.unused);
  for (const [text, id] of texts) {
    all[id] = text;
    kinds[id] = TokenKind.normal;
  }
  for (const { id, content, special } of added) {
    all[id] = content;
    kinds[id] = special ? TokenKind.control : TokenKind.userDefined;
  }
  return { texts: all, kinds };
}

/** Byte-level BPE. */
function byteLevelEntries(
  json: JsonObject,
  model: JsonObject,
  tokens: Tokens,
  merges: string[],
): MetadataEntry[] {
  const normalizer = json.optionalObject("normalizer");
  // Text that is not in this form is rare, and the models see it as it is.
  if (normalizer !== undefined && normalizer.string("type") !== "NFC" && !isEmptySequence(normalizer)) {
    throw normalizer.unsupported("type", "text that is changed before");
  }
  const known = new Set(tokens.texts);
  const missing = merges.find((merge) => !known.has(merge.replace(" ", "")));
  if (missing !== undefined) {
    throw new CheckpointError(`tokenizer.json: model: the merge ${JSON.stringify(missing)} gives no token`);
  }
  return [
    scalarEntry("string", "tokenizer.ggml.model", "gpt2"),
    scalarEntry(
      "string",
      "tokenizer.ggml.pre",
      preTokenizerName(json.object("pre_tokenizer"), model.boolean("ignore_merges", false)),
    ),
    arrayEntry("string", "tokenizer.ggml.merges", merges),
  ];
}

/**
 * BPE over characters with ▁ for spaces and bytes for the rest: SentencePiece's, whose order of merging is
 * that of scores.
 */
function piecesEntries(json: JsonObject, tokens: Tokens, merges: string[]): MetadataEntry[] {
  const model = json.object("model");
  if (!model.boolean("byte_fallback", false)) {
    throw model.unsupported("byte_fallback", "BPE over characters without bytes");
  }
  const rank = new Map<string, number>();
  merges.forEach((merge, i) => {
    const result = merge.replace(" ", "");
    if (!rank.has(result)) rank.set(result, i);
  });
  const scores = Float32Array.from(tokens.texts, (text) => -(rank.get(text) ?? merges.length));
  const unknown = tokens.texts.indexOf(model.string("unk_token", ""));
  markPieces(tokens, unknown);
  return [
    // A u32 of −1 says that there is none.
    scalarEntry("u32", "tokenizer.ggml.unknown_token_id", unknown >>> 0),
    scalarEntry("string", "tokenizer.ggml.model", "llama"),
    scalarEntry("string", "tokenizer.ggml.pre", "default"),
    scalarEntry("bool", "tokenizer.ggml.add_space_prefix", putsSpaceBefore(json)),
    arrayEntry("f32", "tokenizer.ggml.scores", scores),
  ];
}

function unigramEntries(
  json: JsonObject,
  model: JsonObject,
  added: readonly AddedToken[],
  vocab: number,
): MetadataEntry[] {
  const pieces = model.list("vocab").map((value, index) => {
    if (Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "number") {
      return value as [string, number];
    }
    throw new CheckpointError(
      `tokenizer.json: model: vocab[${index}] must be a text and a score, current value is ${
        JSON.stringify(value)
      }`,
    );
  });
  const tokens = layOut(new Map(pieces.map(([text], id) => [text, id])), added, vocab);
  const unknown = model.count("unk_id", { min: 0 });
  markPieces(tokens, unknown);
  const scores = new Float32Array(tokens.texts.length);
  pieces.forEach(([, score], id) => scores[id] = score);
  const { charsmap, joinsSpaces } = readNormalizer(json.optionalObject("normalizer"));
  return [
    scalarEntry("string", "tokenizer.ggml.model", "t5"),
    scalarEntry("string", "tokenizer.ggml.pre", "default"),
    scalarEntry("u32", "tokenizer.ggml.unknown_token_id", unknown),
    scalarEntry("bool", "tokenizer.ggml.add_space_prefix", putsSpaceBefore(json)),
    scalarEntry("bool", "tokenizer.ggml.remove_extra_whitespaces", joinsSpaces),
    ...charsmap === undefined ? [] : [arrayEntry("u8", "tokenizer.ggml.precompiled_charsmap", charsmap)],
    arrayEntry("string", "tokenizer.ggml.tokens", tokens.texts),
    arrayEntry("f32", "tokenizer.ggml.scores", scores),
    arrayEntry("i32", "tokenizer.ggml.token_type", tokens.kinds),
  ];
}

/** Bytes and the unknown token have kinds of their own. */
function markPieces({ texts, kinds }: Tokens, unknown: number): void {
  texts.forEach((text, id) => {
    if (/^<0x[0-9A-F]{2}>$/.test(text)) kinds[id] = TokenKind.byte;
    if (id === unknown) kinds[id] = TokenKind.unknown;
  });
}

/** Whether a space is put before a text: by the normalizer, or by the pre-tokenizer. */
function putsSpaceBefore(json: JsonObject): boolean {
  const metaspace = parts(json.optionalObject("pre_tokenizer"), "pretokenizers").find((part) =>
    part.string("type") === "Metaspace"
  );
  if (metaspace !== undefined) {
    const scheme = metaspace.string(
      "prepend_scheme",
      metaspace.boolean("add_prefix_space", true) ? "always" : "never",
    );
    return scheme !== "never";
  }
  return parts(json.optionalObject("normalizer"), "normalizers").some((part) =>
    part.string("type") === "Prepend"
  );
}

/** The steps of a normalizer that Unigram vocabularies have. */
function readNormalizer(normalizer: JsonObject | undefined): { charsmap?: Uint8Array; joinsSpaces: boolean } {
  let charsmap: Uint8Array | undefined;
  let joinsSpaces = false;
  for (const part of parts(normalizer, "normalizers")) {
    const type = part.string("type");
    if (type === "Precompiled") {
      charsmap = Uint8Array.from(atob(part.string("precompiled_charsmap", "")), (c) => c.charCodeAt(0));
    } else if (type === "Replace" && JSON.stringify(part.value("pattern")) === '{"Regex":" {2,}"}') {
      joinsSpaces = true;
    } else if (type !== "Prepend" && type !== "Strip" && !isSpaceMark(part)) {
      throw part.unsupported("type", "text that is changed before");
    }
  }
  return { charsmap, joinsSpaces };
}

function isSpaceMark(part: JsonObject): boolean {
  return part.string("type") === "Replace" && JSON.stringify(part.value("pattern")) === '{"String":" "}' &&
    part.value("content") === "\u2581";
}

/** The steps of a sequence, or the one step. */
function parts(step: JsonObject | undefined, key: string): JsonObject[] {
  if (step === undefined) return [];
  if (step.string("type") !== "Sequence") return [step];
  return step.list(key).map((value, i) => new JsonObject(`tokenizer.json: ${key}[${i}]`, value));
}

function isEmptySequence(step: JsonObject): boolean {
  return step.string("type") === "Sequence" && step.list("normalizers").length === 0;
}

/** The token that the post-processor writes before a text, if any. */
function firstToken(json: JsonObject, added: readonly AddedToken[]): number | undefined {
  for (const template of parts(json.optionalObject("post_processor"), "processors")) {
    if (template.string("type") !== "TemplateProcessing") continue;
    const first = template.list("single")[0] as { SpecialToken?: { id?: unknown } } | undefined;
    const token = added.find(({ content }) => content === first?.SpecialToken?.id);
    if (token !== undefined) return token.id;
  }
  return undefined;
}
