/**
 * kumi's models for the AI SDK (npm's `ai`, version 7), in the same process: no server, no HTTP.
 *
 * ```ts ignore
 * import { loadModel } from "@kumi/kumi";
 * import { createKumi } from "@kumi/kumi/ai-sdk";
 * import { generateText } from "ai";
 *
 * await using model = await loadModel("demo");
 * const kumi = createKumi(model);
 * const { text } = await generateText({ model: kumi(), prompt: "What is 17 + 25?", temperature: 0 });
 * console.log(text);
 * ```
 *
 * @module
 */

import type { EmbeddingModelV4, LanguageModelV4, ProviderV4 } from "@ai-sdk/provider";
import type { Model } from "../client/model.ts";
import { KumiEmbeddingModel } from "./embedding_model.ts";
import { noSuchModel, unsupported } from "./errors.ts";
import { KumiLanguageModel } from "./language_model.ts";

/** What of a model the provider uses. */
export type ProvidedModel = Pick<Model, "info" | "chat" | "embed">;

/** Gives models by their names; without one the first. */
export interface KumiProvider extends ProviderV4 {
  (modelId?: string): LanguageModelV4;
  languageModel(modelId?: string): LanguageModelV4;
  embeddingModel(modelId?: string): EmbeddingModelV4;
}

/** How a model is called that is given alone. */
const ONLY = "kumi";

/**
 * A provider of the AI SDK with a loaded model, or several by name. The models stay the caller's to close. `providerOptions.kumi` of a call takes
 * options of `chat()`, such as `class` or `minP`, and `tellSchema`. Errors are those that the SDK knows: for a name that is not
 * there, for images and files, and for a refusal, which it tries again.
 */
export function createKumi(models: ProvidedModel | Readonly<Record<string, ProvidedModel>>): KumiProvider {
  const named = isModel(models) ? { [ONLY]: models } : models;
  const names = Object.keys(named);
  const find = (type: string, id = names[0]): [string, ProvidedModel] => {
    if (id === undefined || !Object.hasOwn(named, id)) throw noSuchModel(String(id), type, names);
    return [id, named[id]];
  };
  const languageModel = (id?: string) => new KumiLanguageModel(...find("languageModel", id));
  return Object.assign(
    (id?: string): LanguageModelV4 => languageModel(id),
    {
      specificationVersion: "v4",
      languageModel,
      embeddingModel: (id?: string) => new KumiEmbeddingModel(...find("embeddingModel", id)),
      imageModel: () => {
        throw unsupported("Images");
      },
    } as const,
  );
}

function isModel(models: ProvidedModel | Readonly<Record<string, ProvidedModel>>): models is ProvidedModel {
  return typeof models.chat === "function";
}
