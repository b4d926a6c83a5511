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
const SEPARATOR = "\n__ggml_vocab_test__\n";

async function load(path: string): Promise<Tokenizer> {
  using file = await openGguf(path);
  return createTokenizer(file.metadata);
}

async function checkPublished(vocabulary: string, input: string, output: string): Promise<void> {
  const tokenizer = await load(vocabulary);
  const texts = (await Deno.readTextFile(input)).split(SEPARATOR);
  const lines = (await Deno.readTextFile(output)).split("\n");
  assert(texts.length > 40 && lines.length >= texts.length);
  texts.forEach((text, i) => {
    assertEquals(tokenizer.encode(text).join(" "), lines[i].trim(), JSON.stringify(text));
    assertEquals(tokenizer.decode(tokenizer.encode(text)), text);
  });
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
