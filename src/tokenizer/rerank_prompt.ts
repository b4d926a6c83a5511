/** How a model is asked whether a document answers a query, where it was trained to be. @module */

import type { Metadata } from "./metadata.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A model's question, and the tokens of which one is its answer. */
export interface RerankPrompt {
  /** The prompt, with `{query}` and `{document}` where these stand. */
  template: string;
  /** The token that says that the document is what was looked for, and the one that says that it is not. */
  yes: number;
  no: number;
}

/** The prompt of Qwen3-Reranker as its authors give it, with their usual instruction. Zhang et al. 2025. */
const QWEN3 = "<|im_start|>system\n" +
  "Judge whether the Document meets the requirements based on the Query and the Instruct provided. " +
  'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n' +
  "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n" +
  "<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

const PLACES = ["{query}", "{document}"];

/**
 * The question of a model that was trained for it: its file has a template of that name, or the file is called a reranker
 * and knows the control tokens of Qwen3's prompt. Undefined for all others.
 */
export function readRerankPrompt(metadata: Metadata, tokenizer: Tokenizer): RerankPrompt | undefined {
  const own = metadata.get("tokenizer.chat_template.rerank");
  const name = metadata.get("general.name");
  const isCalled = typeof name === "string" && /rerank/i.test(name) &&
    tokenizer.controlId("<|im_start|>") !== undefined;
  const template = typeof own === "string" ? own : isCalled ? QWEN3 : undefined;
  if (template === undefined || !PLACES.every((place) => template.split(place).length === 2)) {
    return undefined;
  }
  const [yes, no] = ["yes", "no"].map((word) => tokenizer.encode(word));
  return yes.length === 1 && no.length === 1 ? { template, yes: yes[0], no: no[0] } : undefined;
}
