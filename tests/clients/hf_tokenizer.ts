/**
 * The tokenizer of a GGUF file as files of the transformers library, for clients that count tokens by
 * themselves.
 * @module
 */

import { type MetadataValue, openGguf } from "../../src/gguf/mod.ts";

const CONTROL = 3; // a type in tokenizer.ggml.token_type: never part of text

/**
 * Writes tokenizer.json and tokenizer_config.json into `folder`. False where the vocabulary is not of GPT-2's
 * kind.
 */
export async function writeHfTokenizer(model: string, folder: string): Promise<boolean> {
  using file = await openGguf(model);
  const value = (name: string) => file.metadata.get(`tokenizer.ggml.${name}`) as MetadataValue | undefined;
  if (value("model") !== "gpt2") return false;
  const tokens = [...value("tokens") as unknown as string[]];
  const types = [...value("token_type") as unknown as number[]];
  const merges = [...value("merges") as unknown as string[]];
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => types[id] === CONTROL ? [{ id, content, ...special }] : []),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.split(" ")),
    },
  };
  const name = (key: string) => tokens[Number(value(key) ?? 0)];
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: name("bos_token_id"),
    eos_token: name("eos_token_id"),
  };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
  await Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(config));
  return true;
}
