/** The models that the server has. @module */

import { getJson } from "./api.ts";
import { Store } from "./store.ts";

/** How a model is sampled where a request says nothing, by the fields of requests. */
export type SamplingDefaults = Readonly<Record<string, number>>;

/** A model as `/v1/models` tells of it. */
export interface ServedModel {
  readonly id: string;
  readonly kumi: {
    readonly name: string | null;
    readonly architecture: string;
    readonly parameters: number;
    readonly weight_bytes: number;
    readonly context_length: number;
    readonly has_chat_template: boolean;
    readonly classes: readonly string[];
    readonly default_class: string;
    readonly isa: string;
    readonly threads: number;
    readonly sampling: SamplingDefaults;
  };
}

/** Empty until the server has told. */
export const models = new Store<readonly ServedModel[]>([]);
/** The last error of asking for them; null: none. */
export const modelsError = new Store<Error | null>(null);

const RETRY_MS = 2000;

/** Asks for the models until they are there: a server may still be loading. */
export async function loadModels(signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted) {
    try {
      const { data } = await getJson<{ data: ServedModel[] }>("/v1/models", signal);
      models.set(data);
      modelsError.set(null);
      return;
    } catch (error) {
      if (signal?.aborted) return;
      modelsError.set(error as Error);
      // A new key asks again by itself.
      if ((error as { status?: number }).status === 401) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
