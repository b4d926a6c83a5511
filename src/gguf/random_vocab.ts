import { arrayEntry, scalarEntry } from "./entries.ts";
import { GgufError } from "./error.ts";
import type { MetadataEntry } from "./value_types.ts";

const TOKEN_NORMAL = 1;
const TOKEN_CONTROL = 3;

// A few merges, each of whose halves and results are tokens, so that common words are not spelled in bytes alone.
const MERGES: readonly (readonly [string, string])[] = [
  ["h", "e"],
  ["i", "n"],
  ["o", "n"],
  ["a", "n"],
  ["e", "r"],
  ["Ġ", "t"],
  ["Ġ", "a"],
  ["Ġt", "he"],
  ["in", "g"],
  ["an", "d"],
  ["Ġ", "and"],
];

const CONTROL_TOKENS = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"] as const;

const CHAT_TEMPLATE = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}" +
  "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/**
 * A valid byte-level BPE vocabulary of `size` tokens: 256 bytes, a few merges, filler words that no text reaches, and
 * four control tokens at the end. `family`: the architecture of the model that it is for.
 */
export function randomVocab(family: string, size: number): MetadataEntry[] {
  const merged = MERGES.map(([a, b]) => a + b);
  const fillers = size - 256 - merged.length - CONTROL_TOKENS.length;
  if (fillers < 0) throw new GgufError(`a vocabulary of ${size} tokens is too small`);
  const tokens = [
    ...byteTokens(),
    ...merged,
    ...Array.from({ length: fillers }, (_, i) => `Ġw${i}`),
    ...CONTROL_TOKENS,
  ];
  const controlFirst = size - CONTROL_TOKENS.length;
  const types = new Int32Array(size).fill(TOKEN_NORMAL).fill(TOKEN_CONTROL, controlFirst);
  const id = (token: typeof CONTROL_TOKENS[number]) => controlFirst + CONTROL_TOKENS.indexOf(token);
  return [
    scalarEntry("string", "tokenizer.ggml.model", "gpt2"),
    scalarEntry("string", "tokenizer.ggml.pre", family === "llama" ? "llama-bpe" : "qwen2"),
    arrayEntry("string", "tokenizer.ggml.tokens", tokens),
    arrayEntry("i32", "tokenizer.ggml.token_type", types),
    arrayEntry("string", "tokenizer.ggml.merges", MERGES.map((pair) => pair.join(" "))),
    scalarEntry("u32", "tokenizer.ggml.bos_token_id", id("<|begin_of_text|>")),
    scalarEntry("u32", "tokenizer.ggml.eos_token_id", id("<|end_of_text|>")),
    scalarEntry("u32", "tokenizer.ggml.eot_token_id", id("<|im_end|>")),
    scalarEntry("bool", "tokenizer.ggml.add_bos_token", family === "llama"),
    scalarEntry("string", "tokenizer.chat_template", CHAT_TEMPLATE),
  ];
}

/** The 256 bytes as the printable characters that byte-level BPE writes for them. Source: GPT-2's encoder. */
function byteTokens(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}
