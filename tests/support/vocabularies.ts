/** Small vocabularies and seeded randomness for the tests of this folder. Not part of the product. */

import { BYTE_TO_CODE } from "../../src/tokenizer/byte_alphabet.ts";
import { TokenKind } from "../../src/tokenizer/vocabulary.ts";

/** Integers below `n` from a seed: the same on every machine. */
export function randomInts(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 0x100000000 * n);
  };
}

/** A short text of pieces that tokenizers treat specially, among random characters. */
export function randomText(random: (n: number) => number, piecesMax = 12): string {
  let text = "";
  for (let n = 1 + random(piecesMax); n > 0; n--) {
    const kind = random(12);
    if (kind === 0) text += String.fromCodePoint(1 + random(0xd7ff));
    else if (kind === 1) text += String.fromCodePoint(0x10000 + random(0x2ffff));
    else if (kind === 2) text += String.fromCharCode(32 + random(95));
    else text += PIECES[random(PIECES.length)];
  }
  return text;
}

const PIECES =
  "the| and|\n|\n\n| |  |\t|'s|'RE|'ll|'|1|23|4567|½|é|ß|你好|😀|👨‍👩‍👧|नम|\u00a0|\u0085|\u3000|\ufeff|...|$+<=>^~|_|ABC|É|e\u0301|日本AB|/;|’s|ǅ|ʰ|\r\n|\r|K|٣٤|Ⅷ|x|ing|("
    .split("|");

/**
 * A byte-level vocabulary: the 256 bytes, the results of `merges` ("left right"), then the control tokens.
 */
export function byteLevelMetadata(
  merges: readonly string[] = [],
  controls: readonly string[] = [],
  more: Readonly<Record<string, unknown>> = {},
): Map<string, unknown> {
  const bytes = Array.from(BYTE_TO_CODE, (code) => String.fromCharCode(code));
  const texts = [...bytes, ...merges.map((merge) => merge.replace(" ", "")), ...controls];
  const kinds = texts.map((_, id) =>
    id < texts.length - controls.length ? TokenKind.normal : TokenKind.control
  );
  return withKeys({ model: "gpt2", pre: "qwen2", tokens: texts, token_type: kinds, merges, ...more });
}

/** A SentencePiece vocabulary: <unk>, <s>, </s>, the bytes, then `pieces` with falling scores. */
export function sentencePieceMetadata(
  pieces: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Map<string, unknown> {
  const bytes = Array.from({ length: 256 }, (_, b) => byteToken(b));
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
  const kinds = tokens.map((_, id) =>
    id === 0 ? TokenKind.unknown : id < 3 ? TokenKind.control : id < 259 ? TokenKind.byte : TokenKind.normal
  );
  const scores = tokens.map((_, id) => id < 259 ? 0 : -(id - 258));
  return withKeys({ model: "llama", tokens, token_type: kinds, scores, ...more });
}

/**
 * A Unigram vocabulary: padding, end, unknown, then `pieces` with their scores, then the bytes where wanted.
 */
export function unigramMetadata(
  pieces: readonly (readonly [string, number])[],
  more: Readonly<Record<string, unknown>> = {},
  withBytes = false,
): Map<string, unknown> {
  const bytes = Array.from({ length: withBytes ? 256 : 0 }, (_, b) => byteToken(b));
  const tokens = ["<pad>", "</s>", "<unk>", ...pieces.map(([text]) => text), ...bytes];
  const { control, unknown, normal, byte } = TokenKind;
  const kinds = [control, control, unknown, ...pieces.map(() => normal), ...bytes.map(() => byte)];
  const scores = [0, 0, 0, ...pieces.map(([, score]) => score), ...bytes.map(() => 0)];
  return withKeys({ model: "t5", tokens, token_type: kinds, scores, ...more });
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function withKeys(settings: Readonly<Record<string, unknown>>): Map<string, unknown> {
  return new Map(Object.entries(settings).map(([name, value]) => [`tokenizer.ggml.${name}`, value]));
}

const SHARED = new URL("../../../shared/data/", import.meta.url);

/** A file or folder of the data beside the checkout, or undefined where that is absent. */
export function sharedPath(path: string): string | undefined {
  const url = new URL(path, SHARED);
  try {
    Deno.statSync(url);
    return decodeURIComponent(url.pathname);
  } catch {
    return undefined;
  }
}

/** Declares a test of files in ../shared/data; without them it is skipped, and its name says why. */
export function testShared(name: string, path: string, body: (path: string) => Promise<void> | void): void {
  const found = sharedPath(path);
  if (found === undefined) {
    Deno.test({ name: `${name} (skipped: no ../shared/data)`, ignore: true, fn: () => {} });
  } else Deno.test(name, () => body(found));
}
