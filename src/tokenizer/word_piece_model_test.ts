import { assertEquals, assertThrows } from "@std/assert";
import { TokenizerError } from "./error.ts";
import { createTokenizer } from "./tokenizer.ts";
import { TokenKind } from "./vocabulary.ts";

const WORDS = ["▁un", "aff", "able", "▁a", "b", "▁é", "▁e", "▁É", "▁!", "▁日", "▁本", "▁か", "か", "▁i"];
const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
const [UNKNOWN, FIRST, SEPARATOR] = [1, 2, 3];

function tokenizer(more: Record<string, unknown> = {}) {
  const settings = {
    model: "bert",
    tokens: [...SPECIAL, ...WORDS],
    token_type: [...SPECIAL.map(() => TokenKind.control), ...WORDS.map(() => TokenKind.normal)],
    unknown_token_id: UNKNOWN,
    cls_token_id: FIRST,
    seperator_token_id: SEPARATOR,
    ...more,
  };
  return createTokenizer(new Map(Object.entries(settings).map(([k, v]) => [`tokenizer.ggml.${k}`, v])));
}

function encoder(more: Record<string, unknown> = {}): (text: string) => number[] {
  const made = tokenizer(more);
  return (text) => made.encode(text);
}

const idOf = (piece: string) => WORDS.indexOf(piece) + SPECIAL.length;
const idsOf = (...pieces: string[]) => pieces.map((piece) => piece === "?" ? UNKNOWN : idOf(piece));

Deno.test("WordPiece takes the longest pieces of a word from its beginning on, or none", () => {
  const encode = encoder();
  assertEquals(encode("unaffable"), idsOf("▁un", "aff", "able"));
  assertEquals(encode("unaffablex"), idsOf("?"));
  assertEquals(encode("aff"), idsOf("?")); // there are no words that begin so
  assertEquals(encode(""), []);
  assertEquals(encode("  \t\n\u3000"), []);
  assertEquals(encode("a".padEnd(100, "b")), [idOf("▁a"), ...Array(99).fill(idOf("b"))]);
  assertEquals(encode("a".padEnd(101, "b")), idsOf("?"));
});

Deno.test("WordPiece has signs and ideographs as words, and drops control characters", () => {
  const encode = encoder();
  assertEquals(encode("ab!a"), idsOf("▁a", "b", "▁!", "▁a"));
  assertEquals(encode("日本"), idsOf("▁日", "▁本"));
  assertEquals(encode("かか日"), idsOf("▁か", "か", "▁日"));
  assertEquals(encode("a\u200db\u0000\ufffd"), idsOf("▁a", "b"));
  assertEquals(encode("a▁b"), idsOf("?"));
});

Deno.test("WordPiece lowers case and strips accents as the file says", () => {
  assertEquals(encoder()("A É e\u0301 İ"), idsOf("▁a", "▁e", "▁e", "▁i"));
  const cased = encoder({ "normalizer.lowercase": false });
  assertEquals(cased("A É é"), idsOf("?", "▁É", "▁é"));
  const accented = encoder({ "normalizer.strip_accents": false });
  assertEquals(accented("É"), idsOf("▁é"));
});

Deno.test("WordPiece puts a text between its first token and the separator", () => {
  const both = tokenizer();
  assertEquals(both.encode("a", { addSpecial: true }), [FIRST, idOf("▁a"), SEPARATOR]);
  assertEquals(both.decode(both.encode("a a", { addSpecial: true })), "a a");
  const alone = tokenizer({ add_sep_token: false, add_bos_token: false });
  assertEquals(alone.encode("a", { addSpecial: true }), [idOf("▁a")]);
  assertEquals(both.encode("[SEP]").includes(SEPARATOR), false);
  assertEquals(both.encode("[SEP]", { parseSpecial: true }), [SEPARATOR]);
});

Deno.test("WordPiece needs an unknown token", () => {
  assertThrows(() => tokenizer({ unknown_token_id: -1 }), TokenizerError, "unknown_token_id is missing");
});
