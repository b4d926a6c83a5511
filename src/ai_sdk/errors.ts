/**
 * Errors that the AI SDK knows. It tells its errors by marks on them, whichever copy of its packages they are of, so that none has to
 * be loaded here.
 * @module
 */

import { RefusedError } from "../protocol/errors.ts";

const SDK = "vercel.ai.error";

function marked<E extends Error>(error: E, name: string, fields: object = {}): E {
  return Object.assign(error, {
    name,
    [Symbol.for(SDK)]: true,
    [Symbol.for(`${SDK}.${name}`)]: true,
    ...fields,
  });
}

/** Something that these models do not do. */
export function unsupported(functionality: string): Error {
  return marked(
    new Error(`${functionality} are not supported by kumi's models`),
    "AI_UnsupportedFunctionalityError",
    { functionality },
  );
}

/** A model that the provider does not have. */
export function noSuchModel(modelId: string, modelType: string, known: readonly string[]): Error {
  return marked(
    new Error(
      `There is no ${modelType} named ${JSON.stringify(modelId)}, only: ${known.join(", ") || "none"}`,
    ),
    "AI_NoSuchModelError",
    { modelId, modelType },
  );
}

/** What a call throws. A refusal for lack of room is tried again by the SDK, when its time has come. */
export function callError(error: unknown): unknown {
  if (!(error instanceof RefusedError) || error.retryAfterMs === undefined) return error;
  return marked(new Error(error.message, { cause: error }), "AI_APICallError", {
    url: "kumi:",
    requestBodyValues: {},
    statusCode: 429,
    responseHeaders: { "retry-after-ms": String(Math.ceil(error.retryAfterMs)) },
    isRetryable: true,
  });
}
