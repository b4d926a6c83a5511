import type { Endpoint } from "./dialect.ts";

/** Where which dialect is spoken, in the order of the documents. */
export const ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/chat/completions",
    alias: "/chat/completions",
    load: async () => (await import("./chat.ts")).CHAT,
  },
  {
    method: "POST",
    path: "/v1/completions",
    alias: "/completions",
    load: async () => (await import("./completions.ts")).COMPLETIONS,
  },
  {
    method: "POST",
    path: "/v1/responses",
    alias: "/responses",
    load: async () => (await import("./responses.ts")).RESPONSES,
  },
  { method: "POST", path: "/v1/messages", load: async () => (await import("./messages.ts")).MESSAGES },
  {
    method: "POST",
    path: "/v1/messages/count_tokens",
    load: async () => (await import("./messages.ts")).COUNT_TOKENS,
  },
  {
    method: "POST",
    path: "/v1/embeddings",
    alias: "/embeddings",
    load: async () => (await import("./embeddings.ts")).EMBEDDINGS,
  },
  {
    method: "POST",
    path: "/v1/rerank",
    alias: "/rerank",
    load: async () => (await import("./rerank.ts")).RERANK,
  },
  { method: "POST", path: "/v2/rerank", load: async () => (await import("./rerank.ts")).RERANK },
  {
    method: "POST",
    path: "/v1/score",
    alias: "/score",
    load: async () => (await import("./rerank.ts")).SCORE,
  },
  { method: "POST", path: "/infill", load: async () => (await import("./infill.ts")).INFILL },
  { method: "POST", path: "/api/chat", load: async () => (await import("./ollama.ts")).OLLAMA_CHAT },
  { method: "POST", path: "/api/generate", load: async () => (await import("./ollama.ts")).OLLAMA_GENERATE },
  { method: "POST", path: "/api/embed", load: async () => (await import("./ollama.ts")).OLLAMA_EMBED },
  { method: "GET", path: "/api/tags", load: async () => (await import("./ollama/models.ts")).TAGS },
  { method: "GET", path: "/api/ps", load: async () => (await import("./ollama/models.ts")).PS },
  {
    method: "GET",
    path: "/api/version",
    load: async () => (await import("./ollama/models.ts")).OLLAMA_VERSION,
  },
  { method: "POST", path: "/api/show", load: async () => (await import("./ollama/models.ts")).SHOW },
  { method: "POST", path: "/api/pull", load: async () => (await import("./ollama/models.ts")).PULL },
  { method: "POST", path: "/api/push", load: async () => (await import("./ollama/models.ts")).PUSH },
  { method: "POST", path: "/api/create", load: async () => (await import("./ollama/models.ts")).CREATE },
  { method: "POST", path: "/api/copy", load: async () => (await import("./ollama/models.ts")).COPY },
  { method: "DELETE", path: "/api/delete", load: async () => (await import("./ollama/models.ts")).DELETE },
  {
    method: "POST",
    path: "/apply-template",
    load: async () => (await import("./apply_template.ts")).APPLY_TEMPLATE,
  },
  { method: "POST", path: "/tokenize", load: async () => (await import("./tokenize.ts")).TOKENIZE },
  { method: "POST", path: "/detokenize", load: async () => (await import("./tokenize.ts")).DETOKENIZE },
  {
    method: "GET",
    path: "/tokenizer_info",
    load: async () => (await import("./tokenize.ts")).TOKENIZER_INFO,
  },
];
