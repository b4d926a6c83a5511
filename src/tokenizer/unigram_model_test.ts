import { assertEquals, assertThrows } from "@std/assert";
import { randomInts, unigramMetadata } from "../../tests/support/vocabularies.ts";
import { TokenizerError } from "./error.ts";
import { createTokenizer } from "./tokenizer.ts";

const PIECES: readonly (readonly [string, number])[] = [
  ["▁", -2],
  ["a", -3],
  ["b", -3.5],
  ["c", -4],
  ["ab", -4.25],
  ["bc", -5],
  ["abc", -9],
  ["▁a", -3.125],
  ["▁ab", -6.5],
  ["ca", -5.75],
  ["é", -6],
  ["日本", -7],
  ["本", -8],
];

/** The best sum of scores by trying every way. */
function bestScore(text: string): number {
  if (text === "") return 0;
  let best = -Infinity;
  for (const [piece, score] of PIECES) {
    if (text.startsWith(piece)) best = Math.max(best, score + bestScore(text.slice(piece.length)));
  }
  const first = String.fromCodePoint(text.codePointAt(0)!);
  if (!PIECES.some(([piece]) => piece === first)) {
    best = Math.max(best, -19 + bestScore(text.slice(first.length)));
  }
  return best;
}

Deno.test("Unigram takes the likeliest of all ways to cut a text", () => {
  const tokenizer = createTokenizer(unigramMetadata(PIECES));
  const random = randomInts(3);
  const characters = ["a", "b", "c", " ", "é", "日", "本", "😀", "z"];
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: 1 + random(8) }, () => characters[random(characters.length)]).join("");
    const ids = tokenizer.encode(text);
    const score = ids.reduce((sum, id) => sum + (id < 3 ? 0 : PIECES[id - 3][1]), 0);
    // What is missing is what characters without tokens cost; one unknown token stands for a run of them.
    const missing = bestScore("▁" + text.replaceAll(" ", "▁")) - score;
    assertEquals([missing !== 0, Math.abs(missing % 19)], [ids.includes(2), 0], JSON.stringify([text, ids]));
  }
});

Deno.test("Unigram gives texts without unknown characters back, with bytes for what no token has", () => {
  const plain = createTokenizer(unigramMetadata(PIECES));
  assertEquals(plain.decode(plain.encode("ab  cab 日本")), "ab  cab 日本");
  const bytes = createTokenizer(unigramMetadata(PIECES, {}, true));
  for (const text of ["ab 😀z", "日 本日本", " é\n"]) assertEquals(bytes.decode(bytes.encode(text)), text);
});

Deno.test("Unigram joins spaces where the file says so", () => {
  const tokenizer = createTokenizer(unigramMetadata(PIECES, { remove_extra_whitespaces: true }));
  assertEquals(tokenizer.decode(tokenizer.encode("  ab   c ")), "ab c");
  assertEquals(tokenizer.encode("   "), []);
});

/** A compiled table that replaces "x" by "ab" and nothing else: the root, the node of "x", its value. */
function tableOfX(): Uint8Array {
  const units = new Uint32Array(256);
  units[0] = 1 << 10; // the root's children are at 1 ^ byte
  const node = 1 ^ 0x78;
  units[node] = (2 << 10) | 0x100 | 0x78; // a value follows at node ^ 2
  units[node ^ 2] = 0x80000000;
  const texts = new TextEncoder().encode("ab\0");
  const bytes = new Uint8Array(4 + units.byteLength + texts.length);
  new DataView(bytes.buffer).setUint32(0, units.byteLength, true);
  bytes.set(new Uint8Array(units.buffer), 4);
  bytes.set(texts, 4 + units.byteLength);
  return bytes;
}

Deno.test("Unigram replaces characters by the file's table", () => {
  const tokenizer = createTokenizer(unigramMetadata(PIECES, { precompiled_charsmap: tableOfX() }));
  assertEquals(tokenizer.encode("xc x"), tokenizer.encode("abc ab"));
});

Deno.test("createTokenizer() refuses a damaged table of characters", () => {
  const table = tableOfX();
  const cases: [Uint8Array, string][] = [
    [table.subarray(0, 3), "must begin with the size of its trie"],
    [table.subarray(0, 500), "must begin with the size of its trie"],
    [Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0), "the size is 3"],
  ];
  for (const [bytes, message] of cases) {
    const metadata = unigramMetadata(PIECES, { precompiled_charsmap: bytes });
    assertThrows(() => createTokenizer(metadata), TokenizerError, message);
  }
  // The texts lack their end, or the trie points outside: found when they are needed.
  const open = table.slice(0, -1);
  const far = table.slice();
  new DataView(far.buffer).setUint32(4, 0x7ffffc00, true);
  for (const bytes of [open, far]) {
    const tokenizer = createTokenizer(unigramMetadata(PIECES, { precompiled_charsmap: bytes }));
    assertThrows(() => tokenizer.encode("x"), TokenizerError, "is damaged");
  }
});

Deno.test("createTokenizer() names what Unigram files ask for in vain", () => {
  const suffix = unigramMetadata(PIECES, { treat_whitespace_as_suffix: true });
  assertThrows(() => createTokenizer(suffix), TokenizerError, "treat_whitespace_as_suffix");
  const unknown = unigramMetadata(PIECES, { unknown_token_id: 0xffffffff });
  assertThrows(() => createTokenizer(unknown), TokenizerError, "unknown_token_id");
});
