import type { ModelInfo } from "../../protocol/model_info.ts";
import { ApiError } from "../api_error.ts";
import type { Asked } from "../dialects/dialect.ts";
import type { Answerer } from "../run.ts";
import { REMOTE_MANNER, remoteAnswer, type RemoteAsking } from "./remote_answer.ts";
import type { Visit } from "./visit.ts";

/** No tokenizer here knows its tokens. */
const LARGE = 2 ** 24;

function elsewhere(): never {
  throw new ApiError(400, "This is not there for a model that another server answers for", {
    code: "unsupported_value",
  });
}

/** What dialects may know of a model that another server has: how answers are written that come from there. */
export function remoteModel(local: ModelInfo | undefined, defaultClass: string): Asked["model"] {
  const info = {
    vocab: LARGE,
    contextLength: LARGE,
    hasChatTemplate: true,
    pooling: "none",
    sampling: {},
    notes: [],
    fingerprint: "upstream",
    ...local,
    defaultClass,
    ...REMOTE_MANNER,
  } as unknown as ModelInfo;
  return {
    info,
    tokenize: () => Promise.resolve().then(elsewhere),
    detokenize: () => Promise.resolve().then(elsewhere),
    renderChat: () => Promise.resolve().then(elsewhere),
  };
}

/** What answers a plan with one conversation by asking an upstream. */
export function remoteAnswerer(visit: Visit, asking: RemoteAsking): Answerer {
  return {
    chat: (_, options) => remoteAnswer(visit, asking, options),
    generate: elsewhere,
    startEmbedding: elsewhere,
  };
}
