/** From a checked request for embeddings to what the engine is asked, and from vectors to the response. @module */

import { resolvePooling } from "../client/embedding.ts";
import type { Pooling } from "../protocol/request.ts";
import type { FilePooling } from "../models/hyperparameters.ts";
import { EMBEDDING_FIELDS } from "./api/requests.ts";
import { checkObject } from "./api/validate.ts";
import { badField } from "./api_error.ts";
import {
  checkTokens,
  type GenerationPlan,
  type PlanContext,
  type PromptField,
  toOptions,
  toPrompts,
} from "./generation_plan.ts";
import { withExtraBody } from "./sampling_fields.ts";

/** What a request for embeddings wants. */
export interface EmbeddingPlan extends GenerationPlan {
  readonly encoding: "float" | "base64";
  readonly dimensions?: number;
}

export interface EmbeddingContext extends PlanContext {
  /** Elements of the model's vectors. */
  readonly hidden: number;
  /** What the model's file says. */
  readonly pooling: FilePooling;
}

/** Throws an ApiError, 400. */
export function planEmbeddings(body: unknown, context: EmbeddingContext): EmbeddingPlan {
  const fields = checkObject(EMBEDDING_FIELDS, withExtraBody(body), "", context.onUnknown);
  const { dimensions, pooling: asked, encoding_format: encoding = "float" } = fields as {
    dimensions?: number;
    pooling?: Pooling;
    encoding_format?: "float" | "base64";
  };
  if (dimensions !== undefined && dimensions > context.hidden) {
    throw badField(
      "dimensions",
      `"dimensions" must be at most ${context.hidden}, as many as the model has, current value is ${dimensions}`,
    );
  }
  const options = toOptions(fields, context);
  const pooling = poolingOf(asked, context.pooling);
  const jobs = toPrompts(fields.input as PromptField).map((prompt) => {
    if ("tokens" in prompt) checkTokens("input", prompt.tokens, context.vocab);
    return { prompt, options, pooling };
  });
  return { jobs, n: 1, class: options.class!, stream: false, includeUsage: false, encoding, dimensions };
}

function poolingOf(asked: Pooling | undefined, file: FilePooling): Pooling {
  try {
    return resolvePooling(asked, file);
  } catch (error) {
    throw badField("pooling", (error as Error).message);
  }
}

/** The response as OpenAI's clients know it. `promptTokens`: of all texts together. */
export function embeddingList(
  vectors: readonly Float32Array[],
  { encoding, model, promptTokens }: {
    encoding: EmbeddingPlan["encoding"];
    model: string;
    promptTokens: number;
  },
): unknown {
  const write = (vector: Float32Array) => encoding === "base64" ? base64(vector) : [...vector];
  return {
    object: "list",
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: write(vector) })),
    model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

/** Every machine that Deno runs on is little-endian. */
function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return new Uint8Array(buffer, byteOffset, byteLength).toBase64();
}
