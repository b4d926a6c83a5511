import { assertEquals, assertThrows } from "@std/assert";
import { byteLevelMetadata } from "../../tests/support/vocabularies.ts";
import { TokenizerError } from "./error.ts";
import { readGapTokens } from "./gap_tokens.ts";
import { createTokenizer } from "./tokenizer.ts";

function gapOf(controls: string[], more: Record<string, unknown> = {}) {
  const metadata = byteLevelMetadata([], controls, more);
  return readGapTokens(metadata, createTokenizer(metadata));
}

Deno.test("readGapTokens() knows the tokens by their texts, and by the file's keys first", () => {
  const qwen = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_sep|>"];
  assertEquals(gapOf(qwen), { prefix: 256, suffix: 257, middle: 258, file: 260, ends: [259, 260] });
  assertEquals(gapOf(["<fim_prefix>", "<fim_middle>", "<fim_suffix>"]), {
    prefix: 256,
    suffix: 258,
    middle: 257,
    ends: [],
  });
  assertEquals(gapOf([...qwen, "<|repo_name|>"]), {
    prefix: 256,
    suffix: 257,
    middle: 258,
    repository: 261,
    file: 260,
    ends: [259, 261, 260],
  });
  const ids = { fim_pre_token_id: 5, fim_suf_token_id: 6, fim_mid_token_id: 7, fim_sep_token_id: 8 };
  assertEquals(gapOf(qwen, ids), { prefix: 5, suffix: 6, middle: 7, file: 8, ends: [8, 259, 260] });
});

Deno.test("readGapTokens() gives nothing for a model that lacks one of them, and refuses ids that are none", () => {
  assertEquals(gapOf(["<|fim_prefix|>", "<|fim_suffix|>"]), undefined);
  assertThrows(() => gapOf([], { fim_pre_token_id: 5000 }), TokenizerError, "fim_pre_token_id must be below");
});
