/** Token ids of real vocabularies, equal to those published with them. */

import { assert, assertEquals } from "@std/assert";
import { openGguf } from "../src/gguf/reader.ts";
import { randomInts, randomText, testShared } from "./support/vocabularies.ts";
import { testPublished } from "./support/published.ts";
import { createTokenizer, type Tokenizer } from "../src/tokenizer/tokenizer.ts";

const NAMES = ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"];
const MORE = [
  "command-r",
  "deepseek-coder",
  "deepseek-llm",
  "falcon",
  "gemma-4",
  "mpt",
  "qwen35",
  "refact",
  "starcoder",
];
/** Vocabularies whose files have no expected ids beside them. */
const WITHOUT_IDS = ["aquila", "baichuan", "gpt-neox"];
/** Japanese, emoji, combining characters and mixed widths: what falls apart where bytes are not kept. */
const DIFFICULT = [
  "吾輩は猫である。名前はまだ無い。ｶﾀｶﾅとカタカナ、ＡＢＣとABC、１２３と123。",
  "がぎぐげご が ガ\u3099 ﾊﾟ 〜～ー－‐ 「」『』　全角の空白　です",
  "👩‍👩‍👧‍👦 🏳️‍🌈 🇯🇵 👍🏽 ❤️ ☺︎ 1️⃣ 🫠",
  "e\u0301 é n\u0303 ñ Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢ क्षि தமிழ் ไทย ﷽ ਪੰਜਾਬੀ 한국어 ᄒ\u1161\u11ab",
  "𠮷野家で𩸽を食べる 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u200b\u200d\ufeff\u00ad \u202eabc\u202c",
];
const SEPARATOR = "\n__ggml_vocab_test__\n";

async function load(path: string): Promise<Tokenizer> {
  using file = await openGguf(path);
  return createTokenizer(file.metadata);
}

async function textsOf(input: string): Promise<string[]> {
  return (await Deno.readTextFile(input)).split(SEPARATOR);
}

async function checkIds(vocabulary: string, input: string, output: string): Promise<Tokenizer> {
  const tokenizer = await load(vocabulary);
  const texts = await textsOf(input);
  const lines = (await Deno.readTextFile(output)).split("\n");
  assert(texts.length > 40 && lines.length >= texts.length);
  texts.forEach((text, i) => {
    assertEquals(tokenizer.encode(text).join(" "), lines[i].trim(), JSON.stringify(text));
  });
  return tokenizer;
}

function checkRoundTrips(tokenizer: Tokenizer, texts: readonly string[]): void {
  for (const text of [...texts, ...DIFFICULT]) {
    const ids = tokenizer.encode(text);
    assertEquals(tokenizer.decode(ids), text);
    const stream = tokenizer.stream();
    assertEquals(ids.map((id) => stream.push(id)).join("") + stream.flush(), text);
  }
}

async function checkPublished(vocabulary: string, input: string, output: string): Promise<void> {
  checkRoundTrips(await checkIds(vocabulary, input, output), await textsOf(input));
}

/** Words lose case and accents here: no text comes back as it was. */
testPublished(
  "encode() with the bert-bge vocabulary gives the published ids",
  ["ggml-vocab-bert-bge.gguf", "ggml-vocab-bert-bge.gguf.inp", "ggml-vocab-bert-bge.gguf.out"],
  async (...paths) => {
    const tokenizer = await checkIds(...paths as [string, string, string]);
    assertEquals(tokenizer.encode("Hello", { addSpecial: true }), [101, 7592, 102]);
    assertEquals(tokenizer.decode(tokenizer.encode("Unaffable Wörter")), "unaffable worter");
  },
);

for (const name of WITHOUT_IDS) {
  testPublished(
    `decode() with the ${name} vocabulary gives text back`,
    [`ggml-vocab-${name}.gguf`],
    async (path) => {
      checkRoundTrips(await load(path), []);
    },
  );
}

for (const name of MORE) {
  const file = `ggml-vocab-${name}.gguf`;
  testPublished(
    `encode() with the ${name} vocabulary gives the published ids`,
    [file, `${file}.inp`, `${file}.out`],
    checkPublished,
  );
}

for (const name of NAMES) {
  testShared(
    `encode() with the ${name} vocabulary gives the published ids`,
    `vocab/ggml-vocab-${name}.gguf`,
    (path) => checkPublished(path, `${path}.inp`, `${path}.out`),
  );

  testShared(
    `decode() with the ${name} vocabulary gives random text back`,
    `vocab/ggml-vocab-${name}.gguf`,
    async (path) => {
      const tokenizer = await load(path);
      const random = randomInts(41);
      for (let round = 0; round < 2000; round++) {
        const text = randomText(random).toWellFormed();
        const ids = tokenizer.encode(text);
        assert(ids.every((id) => !tokenizer.isControl(id)));
        assertEquals(tokenizer.decode(ids), text);
        const stream = tokenizer.stream();
        assertEquals(ids.map((id) => stream.push(id)).join("") + stream.flush(), text);
      }
    },
  );

  testShared(
    `encode() with the ${name} vocabulary leaves control tokens to templates`,
    `vocab/ggml-vocab-${name}.gguf`,
    async (path) => {
      const tokenizer = await load(path);
      const controls = tokenizer.controlTexts();
      assert(controls.size > 0);
      for (const [id, text] of controls) {
        assert(!tokenizer.encode(` a${text}b`).some((other) => tokenizer.isControl(other)), text);
        assert(tokenizer.encode(`a${text}b`, { parseSpecial: true }).includes(id), text);
      }
      const all = [...controls.values()].join("");
      assert(!tokenizer.encode(all).some((id) => tokenizer.isControl(id)));
      assertEquals(tokenizer.encode(all, { parseSpecial: true }), [...controls.keys()]);
    },
  );
}
