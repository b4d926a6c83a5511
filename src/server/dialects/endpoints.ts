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
    path: "/v1/embeddings",
    alias: "/embeddings",
    load: async () => (await import("./embeddings.ts")).EMBEDDINGS,
  },
  { method: "POST", path: "/tokenize", load: async () => (await import("./tokenize.ts")).TOKENIZE },
  { method: "POST", path: "/detokenize", load: async () => (await import("./tokenize.ts")).DETOKENIZE },
  {
    method: "GET",
    path: "/tokenizer_info",
    load: async () => (await import("./tokenize.ts")).TOKENIZER_INFO,
  },
];
