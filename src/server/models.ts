/** The models of a server, by the names that requests choose them by. @module */

import { ApiError } from "./api_error.ts";
import type { ModelHost, Readiness } from "./model_host.ts";

/** A model and its name in requests. */
export interface NamedModel {
  readonly name: string;
  readonly host: ModelHost;
}

/** At least one model. The first answers requests that choose none. */
export class Models {
  readonly #all: readonly [NamedModel, ...NamedModel[]];

  constructor(first: NamedModel, ...others: NamedModel[]) {
    this.#all = [first, ...others];
  }

  get all(): readonly NamedModel[] {
    return this.#all;
  }

  get first(): NamedModel {
    return this.#all[0];
  }

  /** The model that a request chose. Throws an ApiError, 404, for a name that none has. */
  find(name?: string): NamedModel {
    const found = name === undefined ? this.first : this.#all.find((each) => each.name === name);
    if (found !== undefined) return found;
    const names = this.#all.map((each) => `"${each.name}"`).join(", ");
    throw new ApiError(404, `There is no model of this name here; there is ${names}`, {
      param: "model",
      code: "model_not_found",
    });
  }

  /** Throws an ApiError, 503, where no model takes requests: then a body need not be read. */
  throwIfNone(): void {
    if (this.#all.some(({ host }) => host.takesRequests)) return;
    this.first.host.model;
  }

  /** Whether all of them take requests, and if not the first one's reason. */
  readiness(): Readiness {
    const all = this.#all.map(({ host }) => host.readiness());
    return all.find(({ ready }) => !ready) ?? all[0];
  }

  drain(): void {
    for (const { host } of this.#all) host.drain();
  }
}
