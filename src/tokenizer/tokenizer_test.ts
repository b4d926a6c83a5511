import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  byteLevelMetadata,
  randomInts,
  randomText,
  sentencePieceMetadata,
} from "../../tests/support/vocabularies.ts";
import { createTokenizer } from "./tokenizer.ts";

const MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "Ġw o", "ð Ł", "ðŁ ĺ", "t h", "th e"];
const byteLevel = createTokenizer(byteLevelMetadata(MERGES, ["<|bos|>", "<|im_end|>", "<|im_end|><|bos|>"]));
const PIECES = [
  "▁",
  "h",
  "e",
  "l",
  "o",
  "he",
  "ll",
  "▁he",
  "hell",
  "▁hell",
  "▁hello",
  "w",
  "▁w",
  "hello",
  "▁▁",
  "\n",
];
const sentencePiece = createTokenizer(sentencePieceMetadata(PIECES));

/** Texts of the tokens, to read expectations easily. */
function texts(tokenizer: ReturnType<typeof createTokenizer>, ids: number[]): string[] {
  return ids.map((id) => tokenizer.tokenText(id));
}

Deno.test("encode() merges by rank within words", () => {
  assertEquals(texts(byteLevel, byteLevel.encode("hello world the")), [
    "hello",
    " wo",
    "r",
    "l",
    "d",
    " ",
    "t",
    "he",
  ]);
});

Deno.test("encode() merges by score and falls back to bytes", () => {
  const ids = sentencePiece.encode("hello é");
  assertEquals(texts(sentencePiece, ids.slice(0, 2)), [" hello", " "]);
  assertEquals(ids.slice(2), [3 + 0xc3, 3 + 0xa9]);
  assertEquals(sentencePiece.encode(""), []);
});

Deno.test("encode() never makes a byte token from its text", () => {
  const tokenizer = createTokenizer(
    sentencePieceMetadata(["▁", "<", "0", "x", "A", ">", "<0", "x0", "x0A", "x0A>"]),
  );
  assertEquals(tokenizer.decode(tokenizer.encode("<0x0A>")), "<0x0A>");
});

Deno.test("encode() adds BOS and EOS only when asked and where the file says so", () => {
  const tokenizer = createTokenizer(sentencePieceMetadata(PIECES, { add_eos_token: true }));
  assertEquals(tokenizer.encode("w", { addSpecial: true }), [1, ...tokenizer.encode("w"), 2]);
  assertEquals(tokenizer.encode("", { addSpecial: true }), [1, 2]);
  assertEquals(byteLevel.encode("w", { addSpecial: true }), byteLevel.encode("w"));
});

Deno.test("encode() reads control tokens only with parseSpecial, longer ones first", () => {
  const [bos, end, both] = ["<|bos|>", "<|im_end|>", "<|im_end|><|bos|>"].map((t) => byteLevel.controlId(t)!);
  const text = "<|bos|><|im_end|><|bos|>x<|im_end|>";
  assertEquals(byteLevel.encode(text, { parseSpecial: true }), [bos, both, ...byteLevel.encode("x"), end]);
  assert(byteLevel.encode(text).every((id) => !byteLevel.isControl(id)));
});

Deno.test("encode() puts the space of SentencePiece before every part of text", () => {
  const ids = sentencePiece.encode("hello</s>hello", { parseSpecial: true });
  assertEquals(texts(sentencePiece, ids), [" hello", "</s>", " hello"]);
  const without = createTokenizer(sentencePieceMetadata(PIECES, { add_space_prefix: false }));
  assertEquals(texts(without, without.encode("hello")), ["hello"]);
});

Deno.test("encode() ends no chain of merges in a control token", () => {
  const pieces = ["a", "b", "ab", "<", "/", "s", ">", "</", "</s"];
  const tokenizer = createTokenizer(sentencePieceMetadata(pieces, { add_space_prefix: false }));
  assert(!tokenizer.encode("</s>").includes(2));
  const metadata = byteLevelMetadata(["a b"]);
  (metadata.get("tokenizer.ggml.token_type") as number[])[256] = 3;
  assertEquals(createTokenizer(metadata).encode("ab").length, 2);
});

Deno.test("encode() skips bytes without a token rather than writing a control token", () => {
  const metadata = byteLevelMetadata([], ["<|endoftext|>"], { unknown_token_id: 256 });
  (metadata.get("tokenizer.ggml.tokens") as string[])[0x78] = "xx";
  assertEquals(createTokenizer(metadata).encode("axb"), [0x61, 0x62]);
});

Deno.test("encode() reads unpaired surrogates as U+FFFD", () => {
  for (const tokenizer of [byteLevel, sentencePiece]) {
    assertEquals(tokenizer.encode("a\ud800b\udc00"), tokenizer.encode("a\ufffdb\ufffd"));
  }
});

Deno.test("encodeMarked() reads no control token that touches user-owned text", () => {
  const text = "<|bos|><|bos|>";
  const marks = new Uint8Array(text.length);
  marks[text.length - 1] = 1;
  const ids = byteLevel.encodeMarked(text, marks);
  assertEquals(ids.filter((id) => byteLevel.isControl(id)), [byteLevel.controlId("<|bos|>")!]);
  assertEquals(byteLevel.decode(ids, { special: true }), text);
});

Deno.test("decode() of encode() gives random text back", () => {
  const random = randomInts(21);
  for (let round = 0; round < 3000; round++) {
    const text = randomText(random).toWellFormed();
    assertEquals(byteLevel.decode(byteLevel.encode(text)), text);
    // ▁ is how SentencePiece writes a space: it comes back as one.
    assertEquals(sentencePiece.decode(sentencePiece.encode(text)), text.replaceAll("▁", " "));
  }
});

Deno.test("decode() drops the leading space of SentencePiece only at the start", () => {
  const ids = sentencePiece.encode("hello hello");
  assertEquals(sentencePiece.decode(ids), "hello hello");
  assertEquals(sentencePiece.decode(ids, { atStart: false }), " hello hello");
  assertEquals(sentencePiece.decode([1, ...ids]), "hello hello");
  assertEquals(sentencePiece.decode(sentencePiece.encode("  hello")), "  hello");
});

Deno.test("decode() leaves control tokens out unless asked", () => {
  const ids = byteLevel.encode("a<|im_end|>", { parseSpecial: true });
  assertEquals(byteLevel.decode(ids), "a");
  assertEquals(byteLevel.decode(ids, { special: true }), "a<|im_end|>");
});

Deno.test("decode() refuses ids outside of the vocabulary", () => {
  for (const id of [-1, byteLevel.vocabSize, 0.5, NaN]) {
    assertThrows(() => byteLevel.decode([id]), RangeError, "token id must be");
  }
});

Deno.test("stream() gives whole characters only and the same text as decode()", () => {
  const random = randomInts(31);
  for (const tokenizer of [byteLevel, sentencePiece]) {
    for (let round = 0; round < 500; round++) {
      const text = randomText(random).toWellFormed().replaceAll("▁", " ");
      const stream = tokenizer.stream();
      let joined = "";
      for (const id of tokenizer.encode(text)) {
        const part = stream.push(id);
        assert(part.isWellFormed() && !part.includes("\ufffd"));
        joined += part;
      }
      assertEquals(joined + stream.flush(), text);
    }
  }
});

Deno.test("stream() joins an emoji of several tokens and ends an incomplete one with U+FFFD", () => {
  const ids = byteLevel.encode("😀");
  assert(ids.length > 1);
  const stream = byteLevel.stream();
  assertEquals(ids.map((id) => stream.push(id)), [...ids.slice(1).map(() => ""), "😀"]);
  assertEquals(stream.flush(), "");
  assertEquals(stream.push(ids[0]), "");
  assertEquals(stream.flush(), "\ufffd");
  assertEquals(byteLevel.decode([...byteLevel.encode("\ufeffa")]), "\ufeffa");
});

Deno.test("Tokenizer.tokenText() tells parts of characters apart", () => {
  const tokenizer = createTokenizer(byteLevelMetadata());
  const texts = tokenizer.encode("aあ").map((id) => tokenizer.tokenText(id));
  assertEquals(texts, ["a", "bytes:\\xe3", "bytes:\\x81", "bytes:\\x82"]);
});
