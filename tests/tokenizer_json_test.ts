/** The tokenizers of checkpoints, as families publish them: their pipelines, and what GGUF has for them. */

import { assertEquals, assertThrows } from "@std/assert";
import { openGguf } from "../src/gguf/mod.ts";
import { CheckpointError } from "../src/safetensors/error.ts";
import { JsonObject } from "../src/safetensors/json_object.ts";
import { tokenizerEntries } from "../src/safetensors/tokenizer_json.ts";
import { BYTE_TO_CODE } from "../src/tokenizer/byte_alphabet.ts";
import { createTokenizer, type Tokenizer } from "../src/tokenizer/tokenizer.ts";
import { TokenKind } from "../src/tokenizer/vocabulary.ts";
import { testPublished } from "./support/published.ts";

const SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const CL100K = `${SHORT}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|` +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const SEED = `${SHORT}|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|` +
  "\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
const POSSESSIVE = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}|" +
  " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const U = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const W = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const TEKKEN = `[^\\r\\n\\p{L}\\p{N}]?${U}*${W}+|[^\\r\\n\\p{L}\\p{N}]?${U}+${W}*|\\p{N}|` +
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const bytes = (use_regex: boolean) => ({ type: "ByteLevel", add_prefix_space: false, use_regex });
const digits = (individual_digits: boolean) => ({ type: "Digits", individual_digits });
const splitAt = (Regex: string) => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Isolated",
  invert: false,
});
const sequence = (...pretokenizers: unknown[]) => ({ type: "Sequence", pretokenizers });
const splits = (...all: string[]) => sequence(...all.map(splitAt), bytes(false));

/** By the name in GGUF: pre-tokenizers, and whether a word that is a token is taken whole. */
const PIPELINES: readonly (readonly [string, unknown, boolean?])[] = [
  ["gpt-2", bytes(true)],
  ["smollm", sequence(digits(true), bytes(true))],
  [
    "falcon",
    sequence(
      { type: "Punctuation", behavior: "Contiguous" },
      bytes(true),
      digits(false),
      splitAt("[0-9][0-9][0-9]"),
    ),
  ],
  ["llama-bpe", splits(CL100K), true],
  ["smaug-bpe", splits(CL100K)],
  ["smaug-bpe", splits(POSSESSIVE)],
  ["smaug-bpe", splits(CL100K.replace("[\\r\\n]+|", "[\\r\\n]|"))],
  ["qwen2", splits(CL100K.replace("{1,3}", ""))],
  ["seed-coder", splits(SEED)],
  ["tekken", splits(TEKKEN), true],
  [
    "deepseek-coder",
    splits("[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"),
  ],
  ["bloom", splits(" ?[^(\\s|[.,!?…。，、।۔،])]+")],
];

/** Whose published ids show that the name is the right one. */
const PUBLISHED: Readonly<Record<string, string>> = {
  "gpt-2": "gpt-2",
  smollm: "command-r",
  falcon: "falcon",
  "llama-bpe": "llama-bpe",
  qwen2: "qwen2",
  "deepseek-coder": "deepseek-coder",
};

function tokenizerOf(json: unknown, vocab: number): Tokenizer {
  const entries = tokenizerEntries(new JsonObject("tokenizer.json", json), vocab);
  return createTokenizer(new Map(entries.map(({ key, value }) => [key, value])));
}

/** A tokenizer.json with the vocabulary of a GGUF file. */
async function jsonOf(path: string, pre_tokenizer: unknown, ignore_merges: boolean) {
  using file = await openGguf(path);
  const texts = file.metadata.get("tokenizer.ggml.tokens") as string[];
  const kinds = file.metadata.get("tokenizer.ggml.token_type") as Int32Array;
  const isNormal = (id: number) => kinds[id] === TokenKind.normal;
  const merges = file.metadata.get("tokenizer.ggml.merges") as string[];
  return {
    added_tokens: texts.flatMap((content, id) =>
      isNormal(id) ? [] : [{ id, content, special: kinds[id] === TokenKind.control }]
    ),
    pre_tokenizer,
    model: {
      type: "BPE",
      ignore_merges,
      vocab: Object.fromEntries(texts.flatMap((text, id) => isNormal(id) ? [[text, id]] : [])),
      merges: merges.map((
        merge,
      ) => [merge.slice(0, merge.indexOf(" ", 1)), merge.slice(merge.indexOf(" ", 1) + 1)]),
    },
  };
}

for (const [name, pre_tokenizer, ignore_merges = false] of PIPELINES) {
  Deno.test(`a tokenizer.json is cut into words as ${name} says`, () => {
    const texts = Array.from(BYTE_TO_CODE, (code) => String.fromCharCode(code));
    const vocab = Object.fromEntries(texts.map((text, id) => [text, id]));
    const json = { pre_tokenizer, model: { type: "BPE", ignore_merges, vocab, merges: [] } };
    const entries = tokenizerEntries(new JsonObject("tokenizer.json", json), 256);
    assertEquals(entries.find(({ key }) => key === "tokenizer.ggml.pre")?.value, name);
  });

  const vocabulary = PUBLISHED[name];
  if (vocabulary === undefined) continue;
  const file = `ggml-vocab-${vocabulary}.gguf`;
  testPublished(
    `a tokenizer.json as ${name} has it gives the ids published for ${vocabulary}`,
    [file, `${file}.inp`, `${file}.out`],
    async (path, input, output) => {
      const json = await jsonOf(path, pre_tokenizer, ignore_merges);
      const size = Object.keys(json.model.vocab).length + json.added_tokens.length;
      const tokenizer = tokenizerOf(json, size);
      const expected = (await Deno.readTextFile(output)).split("\n");
      (await Deno.readTextFile(input)).split("\n__ggml_vocab_test__\n").forEach((text, i) => {
        assertEquals(tokenizer.encode(text).join(" "), expected[i].trim(), JSON.stringify(text));
      });
    },
  );
}

const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const PIECES = ["<unk>", "<s>", "</s>", ...BYTES, "▁", "a", "b", "é", "▁a", "ab", "▁ab", "▁▁"];
const idOf = (piece: string) => PIECES.indexOf(piece);

/** BPE over characters with these steps. */
function pieces(steps: Record<string, unknown>, added: Record<string, unknown>[] = []): Tokenizer {
  const extra = added.map((token, i) => ({ id: PIECES.length + i, special: true, ...token }));
  return tokenizerOf({
    added_tokens: [
      { id: 1, content: "<s>", special: true },
      { id: 2, content: "</s>", special: true },
      ...extra,
    ],
    model: {
      type: "BPE",
      unk_token: "<unk>",
      byte_fallback: true,
      vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
      merges: [["a", "b"], ["▁", "ab"], ["▁", "a"], ["▁", "▁"]],
    },
    ...steps,
  }, PIECES.length + added.length);
}

const MARKS = { type: "Replace", pattern: { String: " " }, content: "▁" };
const PREPENDS = {
  normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, MARKS] },
};
const ids = (...all: string[]) => all.map(idOf);

Deno.test("a tokenizer.json says where a text gets a space before it", () => {
  const metaspace = (prepend_scheme: string) => ({
    pre_tokenizer: { type: "Metaspace", prepend_scheme, split: false },
  });
  const gemma = {
    normalizer: MARKS,
    pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
  };
  const cases: [Record<string, unknown>, string[], string[], string[]][] = [
    [PREPENDS, ["▁ab"], ["▁", "▁ab"], ["<s>", "▁ab"]],
    [metaspace("always"), ["▁ab"], ["▁ab"], ["<s>", "▁ab"]],
    [metaspace("first"), ["▁ab"], ["▁ab"], ["<s>", "ab"]],
    [metaspace("never"), ["ab"], ["▁ab"], ["<s>", "ab"]],
    [gemma, ["ab"], ["▁ab"], ["<s>", "ab"]],
  ];
  for (const [steps, plain, spaced, special] of cases) {
    const tokenizer = pieces(steps);
    const found = [
      tokenizer.encode("ab"),
      tokenizer.encode(" ab"),
      tokenizer.encode("<s>ab", { parseSpecial: true }),
    ];
    assertEquals(found, [ids(...plain), ids(...spaced), ids(...special)], JSON.stringify(steps));
    assertEquals(tokenizer.decode(found[0]), "ab");
  }
});

Deno.test("a tokenizer.json's tokens take white space with them where it says so", () => {
  const tokenizer = pieces(PREPENDS, [
    { content: "<|user|>", rstrip: true },
    { content: "<mask>", lstrip: true },
    { content: "<more>", special: false },
  ]);
  const [user, mask, more] = [PIECES.length, PIECES.length + 1, PIECES.length + 2];
  const encode = (text: string) => tokenizer.encode(text, { parseSpecial: true });
  assertEquals(encode("<|user|>\n ab"), [user, idOf("▁ab")]);
  assertEquals(encode("<|user|> \t"), [user]);
  assertEquals(encode("ab \n<mask>"), [idOf("▁ab"), mask]);
  assertEquals(encode("<|user|> <mask>"), [user, mask]);
  assertEquals(encode("ab<more>"), [idOf("▁ab"), more]);
  // What a user writes stays text, with its white space.
  assertEquals(tokenizer.decode(tokenizer.encode("<|user|>\n ab")), "<|user|>\n ab");
});

Deno.test("a tokenizer.json composes characters where it says so, and puts tokens before and behind a text", () => {
  const template = {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "<s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "</s>", type_id: 0 } },
    ],
  };
  const normalizers = [{ type: "NFC" }, MARKS];
  const tokenizer = pieces({ normalizer: { type: "Sequence", normalizers }, post_processor: template });
  assertEquals(tokenizer.encode("ae\u0301"), ids("a", "é"));
  assertEquals(tokenizer.encode("a", { addSpecial: true }), ids("<s>", "a", "</s>"));
  const plain = pieces({ normalizer: MARKS });
  assertEquals(plain.decode(plain.encode("ae\u0301")), "ae\u0301");
  assertEquals(plain.encode("a", { addSpecial: true }), ids("a"));
});

Deno.test("a tokenizer.json that asks for what is not done is refused by name", () => {
  const cases: [Record<string, unknown>, string][] = [
    [
      { normalizer: { type: "Lowercase" } },
      'type is "Lowercase", which asks for text that is changed before',
    ],
    [
      { pre_tokenizer: { type: "Whitespace" } },
      'type is "Whitespace", which asks for another way to cut words',
    ],
    [{ pre_tokenizer: { type: "Metaspace", replacement: "_" } }, 'replacement is "_"'],
    [{ pre_tokenizer: { type: "Metaspace" } }, "words that are cut at each space"],
    [
      { added_tokens: [{ id: 1, content: "<s>", single_word: true }] },
      "added_tokens[0]: single_word is true",
    ],
    [
      {
        post_processor: {
          type: "TemplateProcessing",
          single: [
            { SpecialToken: { id: "<s>" } },
            { SpecialToken: { id: "</s>" } },
            { Sequence: { id: "A" } },
          ],
        },
      },
      "several tokens before or behind a text",
    ],
    [{ added_tokens: [null] }, "added_tokens[0] must be an object"],
    [{
      model: { type: "Unigram", unk_id: 0, vocab: [["a", 0]] },
      normalizer: { type: "Precompiled", precompiled_charsmap: "?" },
    }, "must be bytes in base64"],
  ];
  for (const [steps, message] of cases) {
    assertThrows(() => pieces({ normalizer: MARKS, ...steps }), CheckpointError, message);
  }
});
