import { assertEquals, assertThrows } from "@std/assert";
import { TokenizerError } from "./error.ts";
import { byteLevelMetadata, sentencePieceMetadata } from "../../tests/support/vocabularies.ts";
import { createTokenizer } from "./tokenizer.ts";
import { TokenKind, Vocabulary } from "./vocabulary.ts";

type Change = (metadata: Map<string, unknown>) => void;
const set = (name: string, value: unknown): Change => (m) => m.set(`tokenizer.ggml.${name}`, value);
const drop = (name: string): Change => (m) => m.delete(`tokenizer.ggml.${name}`);

const BROKEN: [string, Change, string][] = [
  ["no model", drop("model"), "tokenizer.ggml.model"],
  ["an unknown model", set("model", "rwkv"), '"bert"'],
  ["an unknown pre-tokenizer", set("pre", "rwkv"), '"rwkv"'],
  ["a pre-tokenizer that is no text", set("pre", 3), "tokenizer.ggml.pre must be a string"],
  ["no tokens", drop("tokens"), "no vocabulary"],
  ["an empty vocabulary", set("tokens", []), "must not be empty"],
  ["tokens that are numbers", set("tokens", [1, 2]), "tokens[0] must be a string"],
  ["tokens that are no list", set("tokens", "abc"), "must be an array of strings"],
  ["too many tokens", set("tokens", new Array(2_100_000).fill("x")), "at most 2097152 items"],
  ["a huge token", set("tokens", ["x".repeat(70_000)]), "tokens[0] must have at most"],
  ["too few kinds", set("token_type", [1, 1]), "one item per token"],
  ["kinds that are texts", set("token_type", "x"), "array of numbers"],
  ["scores of another length", set("scores", [0]), "one item per token"],
  ["bos outside of the vocabulary", set("bos_token_id", 100_000), "bos_token_id must be below"],
  ["a negative eos", set("eos_token_id", -5), "eos_token_id must be below"],
  ["an eot that is no number", set("eot_token_id", "x"), "must be a token id"],
  ["a fractional id", set("unknown_token_id", 0.5), "must be a token id"],
  ["add_bos without bos", set("add_bos_token", true), "bos_token_id is not set"],
  ["add_eos without eos", set("add_eos_token", true), "eos_token_id is not set"],
  ["add_bos that is no boolean", set("add_bos_token", 1), "must be true or false"],
  ["no merges", drop("merges"), "merges is missing"],
  ["a merge without a space", set("merges", ["ab"]), "merges[0] has no space"],
  ["a merge of an unknown token", set("merges", ["a zzz"]), "merges[0] names a token"],
  ["a merge to an unknown token", set("merges", ["a b", "x y"]), "merges[1] names a token"],
];

for (const [what, change, message] of BROKEN) {
  Deno.test(`createTokenizer() refuses a vocabulary with ${what}`, () => {
    const metadata = byteLevelMetadata(["a b"]);
    change(metadata);
    assertThrows(() => createTokenizer(metadata), TokenizerError, message);
  });
}

Deno.test("createTokenizer() refuses NaN scores", () => {
  const metadata = sentencePieceMetadata(["a"]);
  const scores = metadata.get("tokenizer.ggml.scores") as number[];
  scores[259] = NaN;
  assertThrows(() => createTokenizer(metadata), TokenizerError, "scores[259]");
});

Deno.test("createTokenizer() takes typed arrays, big ids and the converters' sign for no id", () => {
  const metadata = byteLevelMetadata(["a b"], ["<|end|>"]);
  const kinds = metadata.get("tokenizer.ggml.token_type") as number[];
  metadata.set("tokenizer.ggml.token_type", Int32Array.from(kinds));
  metadata.set("tokenizer.ggml.eos_token_id", BigInt(kinds.length - 1));
  metadata.set("tokenizer.ggml.bos_token_id", 0xffffffff);
  const tokenizer = createTokenizer(metadata);
  assertEquals(tokenizer.eos, kinds.length - 1);
  assertEquals(tokenizer.bos, undefined);
});

Deno.test("createTokenizer() tolerates tokens with equal and with empty texts", () => {
  const metadata = sentencePieceMetadata(["▁a", "b", "▁a", "", "b"]);
  const tokenizer = createTokenizer(metadata);
  assertEquals(tokenizer.encode("ab"), [...tokenizer.encode("a"), 260]);
  assertEquals(tokenizer.decode([261, 263, 262]), "ab");
});

Deno.test("createTokenizer() finds the tokens that end a generation", () => {
  const ends = (controls: string[], more = {}) => {
    const tokenizer = createTokenizer(byteLevelMetadata([], controls, more));
    return [...tokenizer.eogIds].map((id) => tokenizer.tokenText(id)).sort();
  };
  assertEquals(ends(["<|im_start|>", "<|im_end|>"]), ["<|im_end|>"]);
  assertEquals(ends(["<a>", "<b>"], { eos_token_id: 256, eot_token_id: 257 }), ["<a>", "<b>"]);
  assertEquals(ends(["<|end|>", "<|return|>", "<|call|>"]), ["<|call|>", "<|return|>"]);
  assertEquals(ends([]), []);
});

Deno.test("createTokenizer() makes control tokens of markers that a file declares as user-defined", () => {
  const metadata = byteLevelMetadata([], ["<|im_start|>", "<think>"]);
  (metadata.get("tokenizer.ggml.token_type") as number[]).fill(4, 256);
  const tokenizer = createTokenizer(metadata);
  assertEquals(tokenizer.isControl(256), true);
  assertEquals(tokenizer.isControl(257), false);
  assertEquals(tokenizer.encode("<|im_start|>").includes(256), false);
  assertEquals(tokenizer.encode("<think>"), [257]);
});

Deno.test("Vocabulary.lookup() finds the first of equal texts that text may become", () => {
  const { normal, control, byte } = TokenKind;
  const tokens = ["end", "a", "a", "a", "", "<0x41>", "😀b"];
  const kinds = [control, control, normal, normal, normal, byte, normal];
  const metadata = new Map<string, unknown>([
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", kinds],
  ]);
  const vocabulary = Vocabulary.read(metadata, { addBos: false, ids: {} });
  const found = ["a", "end", "", "<0x41>", "😀b", "b", "😀"].map((text) => vocabulary.lookup(text));
  assertEquals(found, [2, undefined, undefined, undefined, 6, undefined, undefined]);
  assertEquals(vocabulary.texts.bytesMax, 6);
  assertEquals(["a", "end", "", "<0x41>", "b", "😀", "\ud83d"].map((text) => vocabulary.idOf(text)), [
    1,
    0,
    4,
    5,
    undefined,
    undefined,
    undefined,
  ]);
});
