/**
 * A megabyte of text made to be slow, through every kind of tokenizer. The times are printed; the test fails
 * only where a text takes so long that the algorithm must be wrong.
 */

import { assert } from "@std/assert";
import { openGguf } from "../src/gguf/reader.ts";
import { randomInts, testShared } from "./support/vocabularies.ts";
import { createTokenizer } from "../src/tokenizer/tokenizer.ts";

const BYTES = 1_000_000;
const HANG_MS = 20_000;

const random = randomInts(1);
const pick = (items: string[]) => items[random(items.length)];

/** Repeats or draws pieces until the text has a megabyte of UTF-8. */
function fill(piece: string | (() => string)): string {
  const encoder = new TextEncoder();
  const parts: string[] = [];
  for (let bytes = 0; bytes < BYTES;) {
    const part = typeof piece === "string" ? piece.repeat(1000) : piece();
    parts.push(part);
    bytes += encoder.encode(part).length;
  }
  return parts.join("");
}

const TEXTS: Record<string, string> = {
  "one letter": fill("a"),
  "spaces": fill(" "),
  "lines": fill("\n"),
  "digits": fill("7"),
  "apostrophes": fill("'"),
  "contractions": fill("'s't'RE"),
  "punctuation": fill("<|"),
  "control tokens": fill("<|eot_id|>"),
  "emoji": fill("👍"),
  "unpaired surrogates": fill("\ud800"),
  "one word of random letters": fill(() => String.fromCharCode(97 + random(26))),
  "one word of syllables": fill(() => pick(["the", "and", "ing", "tion", "er", "qu", "zx", "a"])),
  "random ASCII": fill(() => String.fromCharCode(32 + random(95))),
  "random Latin": fill(() => String.fromCharCode(0xc0 + random(64))),
  "random Chinese": fill(() => String.fromCharCode(0x4e00 + random(20_000))),
  "random code points": fill(() => String.fromCodePoint(0x10000 + random(0x60000))),
};

for (const name of ["gpt-2", "llama-bpe", "qwen2", "llama-spm"]) {
  testShared(
    `encode() with the ${name} vocabulary takes a megabyte of anything`,
    `vocab/ggml-vocab-${name}.gguf`,
    async (path) => {
      using file = await openGguf(path);
      const start = performance.now();
      const tokenizer = createTokenizer(file.metadata);
      const times = [`construction ${(performance.now() - start).toFixed()} ms`];
      for (const [what, text] of Object.entries(TEXTS)) {
        const before = performance.now();
        const ids = tokenizer.encode(text);
        const ms = performance.now() - before;
        assert(ms < HANG_MS, `${what} takes ${ms.toFixed()} ms`);
        times.push(`${what} ${ms.toFixed()}`);
        assert(tokenizer.decode(ids) === text.toWellFormed(), `${what} comes back changed`);
      }
      for (const what of ["control tokens", "punctuation", "one letter"]) {
        const before = performance.now();
        tokenizer.encode(TEXTS[what], { parseSpecial: true });
        assert(performance.now() - before < HANG_MS, `${what} with parseSpecial`);
      }
      console.log(`  ${name}: ${times.join(", ")}`);
    },
  );
}
