/** Requests for tests of dialects. @module */

import type { ModelInfo } from "../../src/protocol/model_info.ts";
import type { Asked } from "../../src/server/dialects/dialect.ts";

/** A request that says nothing in its headers, to a model that has only what is needed to plan. */
export function askedFor(info: Partial<ModelInfo>): Asked {
  const model = {
    info: { fingerprint: "fp", ...info } as ModelInfo,
    tokenize: () => Promise.resolve([1]),
    detokenize: () => Promise.resolve("a"),
    renderChat: () => Promise.resolve({ text: "a", tokens: [1] }),
  };
  return { id: "1", created: 0, headers: new Headers(), tenant: "", model, modelName: "m", served: () => [] };
}
