/** A checkpoint's tokenizer.json as the keys `tokenizer.ggml.…` of a GGUF file. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { TokenKind } from "../tokenizer/vocabulary.ts";
import { type AddedToken, readAddedTokens, readEnds } from "./added_tokens.ts";
import { CheckpointError } from "./error.ts";
import { type JsonObject, show } from "./json_object.ts";
import { preTokenizerName } from "./pre_tokenizer_name.ts";
import { composesBytes, type PieceSteps, readPieceSteps, stepsOf } from "./text_steps.ts";

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
  const added = readAddedTokens(json);
  const { first, last } = readEnds(stepsOf(json.optionalObject("post_processor"), "processors"), added);
  const common = [
    scalarEntry("bool", "tokenizer.ggml.add_bos_token", first !== undefined),
    ...first === undefined ? [] : [scalarEntry("u32", "tokenizer.ggml.bos_token_id", first.id)],
    ...last === undefined ? [] : [
      scalarEntry("bool", "tokenizer.ggml.add_eos_token", true),
      scalarEntry("u32", "tokenizer.ggml.eos_token_id", last.id),
    ],
    ...stripEntries(added),
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

/** Tokens that take white space beside them. GGUF has no keys for that: these are our own. */
function stripEntries(added: readonly AddedToken[]): MetadataEntry[] {
  return (["lstrip", "rstrip"] as const).flatMap((side) => {
    const ids = added.filter((token) => token[side]).map(({ id }) => id);
    return ids.length === 0 ? [] : [arrayEntry("i32", `tokenizer.ggml.kumi.${side}`, Int32Array.from(ids))];
  });
}

function readMerge(value: unknown, index: number): string {
  // Older files have "left right", newer ones ["left", "right"].
  if (typeof value === "string" && value.includes(" ")) return value;
  const isPair = Array.isArray(value) && value.length === 2 &&
    value.every((part) => typeof part === "string");
  if (isPair) return value.map((part) => part.replaceAll(" ", "\u0120")).join(" ");
  throw new CheckpointError(
    `tokenizer.json: model: merges[${index}] must be two tokens, current value is ${show(value)}`,
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
  const composes = composesBytes(json);
  const known = new Set(tokens.texts);
  const missing = merges.find((merge) => !known.has(merge.replace(" ", "")));
  if (missing !== undefined) {
    throw new CheckpointError(`tokenizer.json: model: the merge ${show(missing)} gives no token`);
  }
  return [
    scalarEntry("string", "tokenizer.ggml.model", "gpt2"),
    scalarEntry(
      "string",
      "tokenizer.ggml.pre",
      preTokenizerName(json.object("pre_tokenizer"), model.boolean("ignore_merges", false)),
    ),
    arrayEntry("string", "tokenizer.ggml.merges", merges),
    ...composes ? [COMPOSES] : [],
  ];
}

/** Our own key, too. */
const COMPOSES = scalarEntry("bool", "tokenizer.ggml.kumi.nfc", true);

function stepEntries({ prefix, composes }: PieceSteps): MetadataEntry[] {
  return [
    scalarEntry("bool", "tokenizer.ggml.add_space_prefix", prefix !== "never"),
    ...prefix === "missing" || prefix === "first"
      ? [scalarEntry("string", "tokenizer.ggml.kumi.space_prefix", prefix)]
      : [],
    ...composes ? [COMPOSES] : [],
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
  const steps = readPieceSteps(json);
  if (steps.charsmap !== undefined || steps.joinsSpaces !== "never") {
    throw json.object("normalizer").unsupported(
      "type",
      "BPE over characters of a text that is changed before",
    );
  }
  if (steps.cutsAtSpaces && tokens.texts.some((text) => text.includes("\u2581", 1))) {
    throw json.object("pre_tokenizer").unsupported(
      "type",
      "words that are cut at each space, with tokens that are not",
    );
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
    ...stepEntries(steps),
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
      `tokenizer.json: model: vocab[${index}] must be a text and a score, current value is ${show(value)}`,
    );
  });
  const tokens = layOut(new Map(pieces.map(([text], id) => [text, id])), added, vocab);
  const unknown = model.count("unk_id", { min: 0 });
  markPieces(tokens, unknown);
  const scores = new Float32Array(tokens.texts.length);
  pieces.forEach(([, score], id) => scores[id] = score);
  const steps = readPieceSteps(json);
  return [
    scalarEntry("string", "tokenizer.ggml.model", "t5"),
    scalarEntry("string", "tokenizer.ggml.pre", "default"),
    scalarEntry("u32", "tokenizer.ggml.unknown_token_id", unknown),
    ...stepEntries(steps),
    scalarEntry("bool", "tokenizer.ggml.remove_extra_whitespaces", steps.joinsSpaces !== "never"),
    ...steps.joinsSpaces === "inside"
      ? [scalarEntry("bool", "tokenizer.ggml.kumi.keep_last_space", true)]
      : [],
    ...steps.charsmap === undefined
      ? []
      : [arrayEntry("u8", "tokenizer.ggml.precompiled_charsmap", steps.charsmap)],
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
