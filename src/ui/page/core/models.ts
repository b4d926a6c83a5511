/** The models that the server has. @module */

import { getJson } from "./api.ts";
import { Store } from "./store.ts";

/** How a model is sampled where a request says nothing, by the fields of requests. */
export type SamplingDefaults = Readonly<Record<string, number>>;

/** A model as `/v1/models` tells of it. */
export interface ServedModel {
  readonly id: string;
  readonly kumi: Partial<ModelFacts> & {
    readonly classes: readonly string[];
    readonly default_class: string;
    /** Where it is, if it shares the memory with others. */
    readonly state?: ModelState;
  };
}

export type ModelState = "unloaded" | "waiting" | "loading" | "ready" | "unloading" | "failed" | "draining";

/** What is known of a model that was loaded before. */
export interface ModelFacts {
  readonly name: string | null;
  readonly architecture: string;
  readonly parameters: number;
  readonly weight_bytes: number;
  readonly context_length: number;
  readonly has_chat_template: boolean;
  readonly isa: string;
  readonly threads: number;
  readonly sampling: SamplingDefaults;
}

/** What was told of a model when it was loaded; null: nobody knows yet. */
export function factsOf({ kumi }: ServedModel): ModelFacts | null {
  return kumi.parameters === undefined ? null : kumi as ModelFacts;
}

/** Empty until the server has told. */
export const models = new Store<readonly ServedModel[]>([]);
/** The last error of asking for them; null: none. */
export const modelsError = new Store<Error | null>(null);

const RETRY_MS = 2000;
const AGAIN_MS = 5000;

/** Asks for the models until they are there: a server may still be loading. Those that come and go are looked at again. */
export async function loadModels(signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted) {
    try {
      const { data } = await getJson<{ data: ServedModel[] }>("/v1/models", signal);
      models.set(data);
      modelsError.set(null);
      if (data.every(({ kumi }) => kumi.state === undefined)) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      continue;
    } catch (error) {
      if (signal?.aborted) return;
      modelsError.set(error as Error);
      // A new key asks again by itself.
      if ((error as { status?: number }).status === 401) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
