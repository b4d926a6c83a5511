import { assertEquals, assertThrows } from "@std/assert";
import { TokenizerError } from "./error.ts";
import { preTokenizerOf, splitWords } from "./pre_tokenizer.ts";
import { randomInts, randomText } from "../../tests/support/vocabularies.ts";

// The published expressions, with white space as the tokenizers' regex engines define it.
const S = "\\p{White_Space}";
const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?![^${S}])|${S}+`;
const llama3 = (digits: number) =>
  `'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,${digits}}|` +
  ` ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;
const U = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const W = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const SHORTENED = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const words = (letter: string, digits: string, { before = `${SHORTENED}|`, lines = "[\\r\\n]*" } = {}) =>
  `${before}[^\\r\\n\\p{L}\\p{N}]?[${letter}]+|\\p{N}${digits}| ?[^${S}${letter}\\p{N}]+${lines}|` +
  `${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;
const cased = (digits: string, after: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${U}*${W}+${after}|[^\\r\\n\\p{L}\\p{N}]?${U}+${W}*${after}|\\p{N}${digits}|` +
  ` ?[^${S}\\p{L}\\p{N}]+[\\r\\n/]*|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;
const DEEPSEEK_V3 =
  "[!\"#$%&'()*+,\\-.\\/:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|" +
  ` ?[\\p{P}\\p{S}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;
const BLOOM = ` ?[^(${S}|.,!?…。，、।۔،)]+`;
const EASTERN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
const EXPRESSIONS: Record<string, string[]> = {
  "gpt-2": [GPT2],
  "llama-bpe": [llama3(3)],
  "qwen2": [llama3(1)],
  "smollm": ["\\p{N}", GPT2],
  "default": ["[\\p{P}$+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"],
  "falcon": ["[\\p{P}$+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"],
  "qwen35": [words("\\p{L}\\p{M}", "")],
  "seed-coder": [words("\\p{L}", "", { lines: "" })],
  "ufakzeka": [words("\\p{L}", "", { before: "" })],
  "minicpm5": ["\\p{N}{1,3}", words("\\p{L}", "+")],
  "laguna": ["[^\\n]+|[\\n]+", words("\\p{L}", "")],
  "gpt-4o": [cased("{1,3}", `${SHORTENED}?`)],
  "tekken": [cased("", "")],
  "deepseek-v3": ["\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK_V3],
  "deepseek-coder": ["[\\r\\n]", `${S}?\\p{L}+`, `${S}?\\p{P}+`, EASTERN, "\\p{N}"],
  "bloom": [BLOOM],
  "viking": [BLOOM, "\\p{N}"],
};

/** Applies expressions one after the other; what lies between two matches is a piece too. */
function splitByExpressions(text: string, expressions: string[]): string[] {
  let pieces = [text];
  for (const expression of expressions) {
    pieces = pieces.flatMap((piece) => {
      const parts: string[] = [];
      let at = 0;
      for (const match of piece.matchAll(new RegExp(expression, "gu"))) {
        if (match.index > at) parts.push(piece.slice(at, match.index));
        parts.push(match[0]);
        at = match.index + match[0].length;
      }
      if (at < piece.length) parts.push(piece.slice(at));
      return parts;
    });
  }
  return pieces;
}

function split(name: string, text: string): string[] {
  const words: string[] = [];
  splitWords(
    preTokenizerOf(name).scanners,
    text,
    0,
    text.length,
    (from, to) => words.push(text.slice(from, to)),
  );
  return words;
}

for (const [name, expressions] of Object.entries(EXPRESSIONS)) {
  Deno.test(`splitWords() of ${name} equals the published expressions on random text`, () => {
    const random = randomInts(11);
    for (let round = 0; round < 5000; round++) {
      const text = randomText(random).toWellFormed();
      assertEquals(split(name, text), splitByExpressions(text, expressions), JSON.stringify(text));
    }
  });
}

Deno.test("splitWords() stays within the part it is given", () => {
  const words: string[] = [];
  const text = "ab  cd";
  splitWords(preTokenizerOf("gpt-2").scanners, text, 1, 4, (from, to) => words.push(text.slice(from, to)));
  assertEquals(words, ["b", "  "]);
});

Deno.test("preTokenizerOf() names an unknown pre-tokenizer and the known ones", () => {
  assertThrows(() => preTokenizerOf("rwkv"), TokenizerError, "rwkv");
  assertThrows(() => preTokenizerOf("rwkv"), TokenizerError, "llama-bpe");
  assertThrows(() => preTokenizerOf("constructor"), TokenizerError, "constructor");
  assertEquals(preTokenizerOf(undefined), preTokenizerOf("default"));
});
