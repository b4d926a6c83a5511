/** POST /v1/embeddings. @module */

import { embeddingOf, resolvePooling } from "../../client/embedding.ts";
import type { FilePooling } from "../../models/hyperparameters.ts";
import type { Pooling } from "../../protocol/request.ts";
import { EMBEDDING } from "../../protocol/options/generation.ts";
import { badField } from "../api_error.ts";
import { object, word } from "../schema/fields.ts";
import { fieldOf } from "../schema/of_option.ts";
import { type Asked, dialect, type Embedding, type Plan } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { model, prompts } from "./openai/fields.ts";
import { FOREIGN_EMBEDDING_FIELDS } from "./openai/foreign_fields.ts";
import { type PromptField, toPrompts } from "./openai/plan.ts";
import { OWN_EMBEDDING_FIELDS } from "./own.ts";
import { withExtraBody } from "./openai/unpack.ts";
import { type Urgency, URGENCY_FIELDS, urgencyOf } from "./urgency.ts";

/** Most texts in a request. */
const TEXTS_MAX = 2048;

export const EMBEDDINGS_BODY = object({ input: prompts(TEXTS_MAX) }, {
  model,
  encoding_format: word(["float", "base64"], {
    fallback: "float",
    help: "base64: the bytes of little-endian f32 values.",
  }),
  dimensions: fieldOf(EMBEDDING.dimensions),
  pooling: fieldOf(EMBEDDING.pooling),
  ...OWN_EMBEDDING_FIELDS,
  ...URGENCY_FIELDS,
  deadline_ms: fieldOf(EMBEDDING.deadlineMs, {
    help: "Refuses, or gives up, what is not there so many ms after the request; also as x-kumi-deadline-ms.",
  }),
}, { others: FOREIGN_EMBEDDING_FIELDS });

export const EMBEDDINGS = dialect({
  summary: "Turn texts, or lists of tokens, into vectors of length 1",
  answer: "A list with an embedding for each text, in their order",
  body: EMBEDDINGS_BODY,
  example: { input: ["A first text", "A second one"] },
  errorStatuses: ENGINE_ERRORS,
  forwards: "/embeddings",
  unpack: withExtraBody,
  plan(fields, asked): Plan {
    const { dimensions, encoding_format } = fields;
    return {
      ...planEmbeddings(fields, asked),
      whole(results) {
        const write = (vector: Float32Array) => encoding_format === "base64" ? base64(vector) : [...vector];
        const promptTokens = results.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
        return {
          object: "list",
          data: results.map((result, index) => ({
            object: "embedding",
            index,
            embedding: write(embeddingOf(result, dimensions)),
          })),
          model: asked.modelName,
          usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
        };
      },
    };
  },
});

/** What any dialect asks for vectors of texts. */
interface EmbeddingsRequest extends Urgency {
  readonly input: PromptField;
  readonly dimensions?: number;
  readonly pooling?: Pooling;
}

/** The works of a request, and its latency class. Throws an ApiError, 400. */
export function planEmbeddings(request: EmbeddingsRequest, asked: Asked): Pick<Plan, "works" | "class"> {
  const { vocab, hidden, pooling: filePooling } = asked.model.info;
  const { dimensions } = request;
  if (dimensions !== undefined && dimensions > hidden) {
    throw badField(
      "dimensions",
      `"dimensions" must be at most ${hidden}, as many as the model has, current value is ${dimensions}`,
    );
  }
  const options = urgencyOf(request, asked);
  const pooling = poolingOf(request.pooling, filePooling);
  return {
    works: toPrompts("input", request.input, vocab).map((prompt): Embedding => ({
      kind: "embedding",
      prompt,
      pooling,
      options,
    })),
    class: options.class,
  };
}

function poolingOf(asked: Pooling | undefined, file: FilePooling): Pooling {
  try {
    return resolvePooling(asked, file);
  } catch (error) {
    throw badField("pooling", (error as Error).message);
  }
}

/** Every machine that Deno runs on is little-endian. */
function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return new Uint8Array(buffer, byteOffset, byteLength).toBase64();
}
