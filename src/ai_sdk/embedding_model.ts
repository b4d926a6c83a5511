/** An embedding model of the AI SDK that runs in this process. @module */

import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from "@ai-sdk/provider";
import type { Model } from "../client/model.ts";
import type { EmbedOptions } from "../protocol/options/generation.ts";
import { callError } from "./errors.ts";

/** Texts to vectors of length 1: version 4 of the AI SDK's interface. */
export class KumiEmbeddingModel implements EmbeddingModelV4 {
  readonly specificationVersion = "v4";
  readonly provider = "kumi";
  readonly modelId: string;
  readonly maxEmbeddingsPerCall = 2048;
  readonly supportsParallelCalls = true;
  readonly #model: Pick<Model, "embed">;

  constructor(modelId: string, model: Pick<Model, "embed">) {
    this.modelId = modelId;
    this.#model = model;
  }

  async doEmbed(
    { values, dimensions, abortSignal, providerOptions }: EmbeddingModelV4CallOptions,
  ): Promise<EmbeddingModelV4Result> {
    const own = (providerOptions?.kumi ?? {}) as EmbedOptions;
    try {
      const options = { dimensions, ...own, signal: abortSignal };
      const { embeddings, promptTokens } = await this.#model.embed(values, options);
      return {
        embeddings: embeddings.map((each) => [...each]),
        usage: { tokens: promptTokens },
        warnings: [],
      };
    } catch (error) {
      throw callError(error);
    }
  }
}
