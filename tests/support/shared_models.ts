/** Models that share a memory which is counted and not there, for tests without an engine. @module */

import { assert } from "@std/assert";
import type { Model } from "../../src/client/model.ts";
import { Catalog } from "../../src/server/residency/catalog.ts";
import type { SharedModel } from "../../src/server/residency/entry.ts";
import {
  type Loader,
  SharedModels,
  type SharedModelsOptions,
} from "../../src/server/residency/shared_models.ts";
import { ServedModel } from "./served_model.ts";

const MIB = 2 ** 20;

/** What becomes of models, and when. */
export class FakeMemory implements Loader {
  /** MiB by model. */
  readonly sizes: Record<string, number>;
  readonly budgetMib: number;
  /** Loads and unloads as they happened: "+a", "-a". */
  readonly log: string[] = [];
  /** Set: loading this model fails with it. */
  readonly errors = new Map<string, Error>();
  /** While set, loads do not go on. */
  gate: Promise<void> = Promise.resolve();
  measures = 0;
  #held = 0;
  readonly #inUse = new Map<string, number>();
  readonly models = new Map<string, ServedModel>();

  constructor(sizes: Record<string, number>, budgetMib: number) {
    this.sizes = sizes;
    this.budgetMib = budgetMib;
  }

  get heldMib(): number {
    return this.#held;
  }

  measure({ model }: SharedModel) {
    this.measures++;
    const error = this.errors.get(model);
    if (error !== undefined) return Promise.reject(error);
    const bytes = this.sizes[model] * MIB;
    const need = {
      weightBytes: bytes,
      kvBytes: 0,
      marginBytes: 0,
      totalBytes: bytes,
      contextLength: 64,
      kvTokens: 64,
    };
    return Promise.resolve({ path: model, need });
  }

  async load(path: string, { signal }: { signal?: AbortSignal }): Promise<Model> {
    this.log.push(`+${path}`);
    this.#held += this.sizes[path];
    assert(this.#held <= this.budgetMib, `${this.#held} of ${this.budgetMib} MiB are in use`);
    try {
      await Promise.race([this.gate, aborted(signal)]);
      const error = this.errors.get(`load ${path}`);
      if (error !== undefined) throw error;
      signal?.throwIfAborted();
    } catch (error) {
      this.#held -= this.sizes[path];
      throw error;
    }
    const served = new ServedModel(["Hello", " from ", path]);
    this.models.set(path, served);
    let isOpen = true;
    return Object.assign(served, {
      close: () => {
        assert(isOpen, `${path} is closed twice`);
        isOpen = false;
        assert((this.#inUse.get(path) ?? 0) === 0, `${path} was closed while it was in use`);
        this.log.push(`-${path}`);
        this.#held -= this.sizes[path];
        return Promise.resolve();
      },
    }) as unknown as Model;
  }

  /** Counts a use, so that a model that is closed meanwhile is noticed. */
  use(path: string, by: 1 | -1): void {
    this.#inUse.set(path, (this.#inUse.get(path) ?? 0) + by);
  }
}

function aborted(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

export function sharedModels(
  memory: FakeMemory,
  options: Partial<SharedModelsOptions> & { readonly models?: readonly SharedModel[] } = {},
): SharedModels {
  const named = Object.keys(memory.sizes).map((name): SharedModel => ({ name, model: name }));
  return new SharedModels({
    catalog: new Catalog(options.models ?? named),
    loader: memory,
    load: {},
    memoryBytes: memory.budgetMib * MIB,
    canaryMs: 0,
    turnMs: 1,
    ...options,
  });
}
