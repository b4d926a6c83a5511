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
const EXPRESSIONS: Record<string, string[]> = {
  "gpt-2": [GPT2],
  "llama-bpe": [llama3(3)],
  "qwen2": [llama3(1)],
  "smollm": ["\\p{N}", GPT2],
  "default": ["[\\p{P}$+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"],
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
  assertThrows(() => preTokenizerOf("tekken"), TokenizerError, "tekken");
  assertThrows(() => preTokenizerOf("tekken"), TokenizerError, "llama-bpe");
  assertThrows(() => preTokenizerOf("constructor"), TokenizerError, "constructor");
  assertEquals(preTokenizerOf(undefined), preTokenizerOf("default"));
});
