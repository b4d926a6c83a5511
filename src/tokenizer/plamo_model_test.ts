import { assertEquals, assertThrows } from "@std/assert";
import { randomInts, unigramMetadata } from "../../tests/support/vocabularies.ts";
import { TokenizerError } from "./error.ts";
import { createTokenizer } from "./tokenizer.ts";

const PIECES: readonly (readonly [string, number])[] = [
  [" ", -2],
  ["a", -3],
  ["b", -3.5],
  ["ab", -6.5],
  ["bc", -5],
  [" a", -3.125],
  ["ca", -5.75],
  ["日本", -7],
  ["本", -8],
  ["本語", -4],
  ["語", -2000], // costs more than anything may
];
const FIRST = 3;
const settings = { model: "plamo2", unknown_token_id: 2, bos_token_id: 0, eos_token_id: 1 };
const tokenizer = () => createTokenizer(unigramMetadata(PIECES, settings, true));

/** The least cost by trying every way. */
function leastCost(text: string): number {
  if (text === "") return 0;
  const first = String.fromCodePoint(text.codePointAt(0)!);
  let best = 1e7 + leastCost(text.slice(first.length));
  for (const [piece, score] of PIECES) {
    if (score > -2000 && text.startsWith(piece)) {
      best = Math.min(best, Math.round(-score * 1e4) + leastCost(text.slice(piece.length)));
    }
  }
  return best;
}

Deno.test("PLaMo's takes the best of all ways to cut a text, and bytes for what has no token", () => {
  const { encode, decode } = bound();
  const random = randomInts(7);
  const characters = ["a", "b", "c", " ", "日", "本", "語", "😀"];
  for (let round = 0; round < 1000; round++) {
    const text = Array.from({ length: 1 + random(7) }, () => characters[random(characters.length)]).join("");
    const ids = encode(text);
    assertEquals(decode(ids), text);
    const costs = ids.map((id) => id < FIRST + PIECES.length ? Math.round(-PIECES[id - FIRST][1] * 1e4) : 0);
    const bytes = ids.filter((id) => id >= FIRST + PIECES.length).length;
    // Each character that became bytes costs as much as it must.
    const unknown = [...text].filter((c) => "c日語😀".includes(c)).length;
    const cost = costs.reduce((sum, each) => sum + each, 0);
    const missing = leastCost(text) - cost;
    assertEquals(missing % 1e7, 0, text);
    assertEquals(missing / 1e7 <= unknown && (missing > 0) === (bytes > 0), true, text);
  }
});

Deno.test("PLaMo's begins with the longer token where two ways are alike", () => {
  const { encode } = bound();
  const ids = (...pieces: string[]) =>
    pieces.map((piece) => FIRST + PIECES.findIndex(([text]) => text === piece));
  assertEquals(encode("ab"), ids("ab")); // as "a" and "b" together
  assertEquals(encode("日本語").length, 3 + 1); // bytes and 本語 cost less than 日本 and a token that none may take
  assertEquals(encode("\ufeffab"), ids("ab"));
});

Deno.test("PLaMo's needs a token for each byte", () => {
  assertThrows(
    () => createTokenizer(unigramMetadata(PIECES, settings)),
    TokenizerError,
    "no token for the byte 0",
  );
});

function bound() {
  const made = tokenizer();
  return { encode: (text: string) => made.encode(text), decode: (ids: number[]) => made.decode(ids) };
}
