/** Seeded mutations of a checkpoint's files. `KUMI_FUZZ=100000` runs that many in all instead of 800. */

import { assert, assertStringIncludes } from "@std/assert";
import { MemorySource } from "../src/gguf/byte_source.ts";
import { GgufError } from "../src/gguf/error.ts";
import { CheckpointError, openCheckpoint } from "../src/safetensors/mod.ts";
import { readSafetensorsHeader } from "../src/safetensors/header.ts";
import { createChatTemplate } from "../src/tokenizer/chat_template.ts";
import { TemplateError, TokenizerError } from "../src/tokenizer/error.ts";
import { createTokenizer } from "../src/tokenizer/tokenizer.ts";
import { encodeSafetensors } from "./support/checkpoint.ts";
import { cpuMs } from "./support/cpu_time.ts";
import { Dice, mutateJson, mutateText } from "./support/json_mutations.ts";

/** Of each kind, of which there are eight. */
const MUTATIONS = Math.ceil(Number(Deno.env.get("KUMI_FUZZ") ?? 800) / 8);
const SEED = 20260202;
const FILE_MS_MAX = 2000;

const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const PIECES = ["<unk>", "<s>", "</s>", ...BYTES, "▁", "a", "b", "▁a", "ab", "▁ab"];
const WORDS = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).concat("Ġ", "Ġa", "ab");
const ADDED = [
  { id: 1, content: "<s>", special: true },
  { id: 2, content: "</s>", special: true, rstrip: true },
];
const TEMPLATE = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
};
const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** A table of replacements that replaces nothing: the size of its trie, the trie, and a text. */
const CHARSMAP = `\0\x04\0\0${"\0".repeat(1024)}a\0`;
const idsOf = (texts: readonly string[]) => Object.fromEntries(texts.map((text, id) => [text, id]));

/** A tokenizer.json of each kind. */
const TOKENIZERS: Readonly<Record<string, unknown>> = {
  "SentencePiece's": {
    added_tokens: ADDED,
    normalizer: {
      type: "Sequence",
      normalizers: [{ type: "Prepend", prepend: "▁" }, {
        type: "Replace",
        pattern: { String: " " },
        content: "▁",
      }],
    },
    post_processor: TEMPLATE,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      byte_fallback: true,
      vocab: idsOf(PIECES),
      merges: [["a", "b"], ["▁", "a"], ["▁", "ab"]],
    },
  },
  "byte-level": {
    added_tokens: ADDED.map((token) => ({ ...token, id: token.id + WORDS.length })),
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: SPLIT }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, TEMPLATE] },
    model: { type: "BPE", vocab: idsOf(WORDS), merges: ["Ġ a", "a b"] },
  },
  Unigram: {
    added_tokens: ADDED,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Precompiled", precompiled_charsmap: btoa(CHARSMAP) },
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
      ],
    },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
    model: { type: "Unigram", unk_id: 0, vocab: PIECES.map((piece, i) => [piece, -i]) },
  },
};

const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  hidden_act: "silu",
  hidden_size: 8,
  intermediate_size: 8,
  max_position_embeddings: 64,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_hidden_layers: 1,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 32,
  },
  tie_word_embeddings: true,
  eos_token_id: 2,
  vocab_size: 300,
};

const tensor = (name: string, ...shape: number[]) => {
  const count = shape.reduce((product, n) => product * n, 1);
  return { name, dtype: "F32", shape, data: new Uint8Array(count * 4) };
};
const TENSORS = [
  tensor("model.embed_tokens.weight", 300, 8),
  tensor("model.norm.weight", 8),
  ...["q_proj", "o_proj"].map((part) => tensor(`model.layers.0.self_attn.${part}.weight`, 8, 8)),
  ...["k_proj", "v_proj"].map((part) => tensor(`model.layers.0.self_attn.${part}.weight`, 4, 8)),
];
const WEIGHTS = encodeSafetensors(TENSORS);
const FILES: Readonly<Record<string, unknown>> = {
  "config.json": CONFIG,
  "tokenizer.json": TOKENIZERS["SentencePiece's"],
  "generation_config.json": { eos_token_id: [2, 1], do_sample: true, temperature: 0.5, top_k: 20 },
  "tokenizer_config.json": {
    bos_token: "<s>",
    eos_token: { content: "</s>" },
    add_bos_token: true,
    chat_template: [{ name: "default", template: "{% for m in messages %}{{ m.content }}{% endfor %}" }],
  },
  "model.safetensors.index.json": {
    metadata: {},
    weight_map: Object.fromEntries(TENSORS.map(({ name }) => [name, "model.safetensors"])),
  },
};

/** Runs `action`, which may throw errors of these kinds and no others; whether it threw none. */
async function survives(
  action: () => unknown,
  kinds: readonly (new (...all: never[]) => Error)[],
  what: string,
) {
  const before = cpuMs();
  let isTaken = true;
  try {
    await action();
  } catch (error) {
    isTaken = false;
    if (!kinds.some((kind) => error instanceof kind)) {
      throw new Error(`${what}: not refused by name`, { cause: error });
    }
    assert(
      (error as Error).message.length < 2000,
      `${what}: a message of ${(error as Error).message.length}`,
    );
  }
  assert(cpuMs() - before < FILE_MS_MAX, `${what} took ${cpuMs() - before} ms`);
  return isTaken;
}

async function fuzz(name: string, mutation: (dice: Dice) => unknown): Promise<void> {
  let taken = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    if (await mutation(new Dice(SEED, i))) taken++;
  }
  assert(taken > 0 && taken < MUTATIONS * 0.9, `${taken} of ${MUTATIONS} taken`);
  if (MUTATIONS > 100) console.log(`${name}: ${MUTATIONS} mutations, ${taken} taken`);
}

Deno.test("readSafetensorsHeader() refuses or accepts, and nothing else, when a file is mutated", async () => {
  const length = new DataView(WEIGHTS.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(WEIGHTS.subarray(8, 8 + length)));
  await fuzz("header", (dice) => {
    const bytes = withJson(
      dice.below(3) === 0 ? mutateText(JSON.stringify(header), dice) : mutateJson(header, dice),
    );
    if (dice.below(4) === 0) bytes[dice.below(8)] = dice.below(256);
    const cut = dice.below(6) === 0 ? bytes.slice(0, dice.below(bytes.length)) : bytes;
    return survives(
      () => {
        for (const { offset, bytes, name } of readSafetensorsHeader(new MemorySource(cut)).values()) {
          assert(offset >= 8 && offset + bytes <= cut.length, name);
        }
      },
      [CheckpointError],
      `mutation ${JSON.stringify(new TextDecoder().decode(cut.subarray(0, 600)))}`,
    );
  });
});

/** The weights with another header. */
function withJson(json: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(json);
  const data = WEIGHTS.subarray(8 + new DataView(WEIGHTS.buffer).getUint32(0, true));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** Opens a folder whose `file` says something else, and reads its tokenizer and template. */
function openWith(folder: string, file: string, text: string): Promise<boolean> {
  return survives(
    async () => {
      await Deno.writeTextFile(`${folder}/${file}`, text);
      try {
        using opened = await openCheckpoint(folder);
        const tokenizer = createTokenizer(opened.metadata);
        tokenizer.decode(
          tokenizer.encode("Ab  日本 a\u0301\n<s></s> ", { addSpecial: true, parseSpecial: true }),
        );
        createChatTemplate(opened.metadata, tokenizer).encode([{ role: "user", content: "a" }]);
      } catch (error) {
        if (error instanceof CheckpointError) assertStringIncludes(error.message, folder);
        throw error;
      }
    },
    [CheckpointError, TokenizerError, TemplateError, GgufError],
    `${file}: ${text.slice(0, 3000)}`,
  );
}

async function inFolder(files: Readonly<Record<string, unknown>>, body: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/model.safetensors`, WEIGHTS);
    for (const [name, value] of Object.entries(files)) {
      if (name.includes("index")) continue;
      await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value));
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [file, value] of Object.entries(FILES)) {
  if (file === "tokenizer.json") continue;
  Deno.test(`openCheckpoint() refuses or accepts, and nothing else, when ${file} is mutated`, () =>
    inFolder(FILES, (folder) => fuzz(file, (dice) => openWith(folder, file, mutateJson(value, dice)))));
}

for (const [kind, value] of Object.entries(TOKENIZERS)) {
  Deno.test(`openCheckpoint() refuses or accepts, and nothing else, when a ${kind} tokenizer.json is mutated`, () =>
    inFolder({ ...FILES, "tokenizer.json": value }, async (folder) => {
      assert(await openWith(folder, "tokenizer.json", JSON.stringify(value)));
      await fuzz(kind, (dice) => openWith(folder, "tokenizer.json", mutateJson(value, dice)));
    }));
}
