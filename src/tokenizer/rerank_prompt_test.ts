import { assertEquals, assertStringIncludes } from "@std/assert";
import { byteLevelMetadata } from "../../tests/support/vocabularies.ts";
import { readRerankPrompt } from "./rerank_prompt.ts";
import { createTokenizer } from "./tokenizer.ts";

/** `name` and `template`: of the file. */
function promptOf(merges: string[], controls: string[], name?: string, template?: string) {
  const metadata = new Map(byteLevelMetadata(merges, controls));
  if (name !== undefined) metadata.set("general.name", name);
  if (template !== undefined) metadata.set("tokenizer.chat_template.rerank", template);
  return readRerankPrompt(metadata, createTokenizer(metadata));
}

const MERGES = ["y e", "ye s", "n o"];
const QWEN = ["<|im_start|>", "<|im_end|>"];

Deno.test("readRerankPrompt() takes the file's template, or Qwen3's for a file that is called a reranker", () => {
  const own = promptOf(MERGES, [], undefined, "{query} {document}");
  assertEquals([own?.template, own?.yes !== own?.no], ["{query} {document}", true]);
  assertStringIncludes(
    promptOf(MERGES, QWEN, "Qwen3 Reranker 0.6B")!.template,
    "<Query>: {query}\n<Document>: {document}",
  );
});

Deno.test("readRerankPrompt() gives nothing for other models", () => {
  assertEquals(promptOf(MERGES, QWEN, "Qwen3 0.6B"), undefined);
  assertEquals(promptOf(MERGES, [], "My Reranker"), undefined, "without the tokens of the prompt");
  assertEquals(promptOf([], QWEN, "Qwen3 Reranker"), undefined, "yes is no token");
  assertEquals(promptOf(MERGES, [], undefined, "{query} only"), undefined);
  assertEquals(promptOf(MERGES, [], undefined, "{query} {document} {query}"), undefined);
});
