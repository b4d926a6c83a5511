/**
 * Tokenizers and chat templates from GGUF metadata.
 * @module
 */

export { type ChatMessage, type ChatTemplate, createChatTemplate } from "./chat_template.ts";
export { createTokenizer, type Tokenizer } from "./tokenizer.ts";
