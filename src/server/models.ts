/** The models of a server, by the names that requests choose them by. @module */

import type { LoadProgress } from "../protocol/options/load.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { marginBytes } from "../runner/memory_check.ts";
import type { Model } from "../client/model.ts";
import { ApiError } from "./api_error.ts";
import type { ModelHost, Readiness } from "./model_host.ts";

/** A model and its name in requests. */
export interface NamedModel {
  readonly name: string;
  readonly host: ModelHost;
}

/** A model that a request may use until it lets it go. */
export interface Lease extends NamedModel, Disposable {
  /** Its name for those who watch, where there are several models. */
  readonly label?: string;
  /** For how long the request had to wait for it; undefined: it had not. */
  readonly waitedMs?: number;
}

/** How a request would have its model. */
export interface Wish {
  /** Name of its latency class; default: the model's default. */
  readonly class?: string;
  /** From when it came. */
  readonly deadlineMs?: number;
  /** When it came, in ms of performance.now(). */
  readonly startedAt: number;
  /** How long the model stays after it, in ms; default: as usual. */
  readonly keepAliveMs?: number;
  /** Calls the listener when nobody waits for the answer any more; gives what ends that. */
  readonly onLeft?: (listener: () => void) => () => void;
}

/** Where a model is that need not be in memory. */
export type ModelState = "unloaded" | "waiting" | "loading" | "ready" | "unloading" | "failed" | "draining";

/** A model as the server lists it, wherever it is. */
export interface ListedModel {
  readonly name: string;
  /** Other names for it in requests. */
  readonly aliases: readonly string[];
  readonly state: ModelState;
  /** Null while it is not in memory. */
  readonly host: ModelHost | null;
  /** What it is; null where it was never loaded. */
  readonly info: ModelInfo | null;
  /** Names of its latency classes. */
  readonly classes: readonly string[];
  readonly defaultClass: string;
  /** Of its file; undefined where it is not here. */
  readonly fileBytes?: number;
  /** Of memory that are set aside for it. */
  readonly heldBytes?: number;
  /** When it leaves memory if nobody asks for it, in ms since 1970; undefined: it stays. */
  readonly leavesAt?: number;
  /** How far loading has come, while it loads. */
  readonly progress?: LoadProgress;
  /** Requests that use it, and those that wait for it. */
  readonly uses: number;
  readonly waiting: number;
  /** Why it could not be loaded the last time. */
  readonly problem?: string;
}

/** What requests get their models from. */
export interface Models {
  /** Whether they come and go: each is in memory when it is asked for, as far as there is room. */
  readonly isShared: boolean;
  /** Whether there may be more of them later. */
  readonly mayGrow: boolean;
  /** Name of the one that answers requests that choose none. */
  readonly first: string;
  /** All of them. Throws an ApiError, 503, where they cannot be told yet. */
  list(): readonly ListedModel[];
  /** The same as far as it is known. */
  known(): readonly Pick<ListedModel, "name" | "info">[];
  /** The model of a name, with null for one that is not in memory; undefined where there is none. */
  served(name: string): { readonly host: ModelHost | null } | undefined;
  /** One of them. Throws an ApiError as `list()`, and 404 for a name that none has. */
  find(name?: string): ListedModel;
  /** The model that a request chose; it waits where that has to be loaded. Throws an ApiError. */
  lease(name: string | undefined, wish: Wish): Lease | Promise<Lease>;
  /** Lets a model leave memory once nothing uses it. false: the models of this server stay. Throws an ApiError, 404. */
  dismiss(name?: string): boolean;
  /** Throws an ApiError, 503, where no model takes requests: then a body need not be read. */
  throwIfNone(): void;
  /** Whether requests are taken, and if not why. */
  readiness(): Readiness;
  /** No requests are taken any more. */
  drain(): void;
}

/** Throws an ApiError, 404, that has the names that there are. */
export function noSuchModel(names: readonly string[]): never {
  const all = names.map((each) => `"${each}"`).join(", ");
  throw new ApiError(404, `There is no model of this name here; there is ${all}`, {
    param: "model",
    code: "model_not_found",
  });
}

/** Models that stay for as long as the server does: one in most of them. */
export class FixedModels implements Models {
  readonly isShared = false;
  readonly mayGrow = false;
  readonly #leases: readonly [Lease, ...Lease[]];
  readonly #aliases: readonly string[];

  /** `aliases`: other names for the first one in requests. */
  constructor([first, ...others]: readonly [NamedModel, ...NamedModel[]], aliases: readonly string[] = []) {
    const leaseOf = ({ name, host }: NamedModel): Lease => ({ name, host, [Symbol.dispose]() {} });
    this.#leases = [leaseOf(first), ...others.map(leaseOf)];
    this.#aliases = aliases;
  }

  get first(): string {
    return this.#leases[0].name;
  }

  list(): readonly ListedModel[] {
    return this.#leases.map((lease) => this.#listed(lease));
  }

  known(): readonly Pick<ListedModel, "name" | "info">[] {
    return this.#leases.map(({ name, host }) => ({ name, info: host.loaded?.info ?? null }));
  }

  served(name: string): Lease | undefined {
    return this.#aliases.includes(name) ? this.#leases[0] : this.#leases.find((each) => each.name === name);
  }

  find(name?: string): ListedModel {
    return this.#listed(this.#choose(name));
  }

  lease(name: string | undefined): Lease {
    return this.#choose(name);
  }

  dismiss(name?: string): boolean {
    this.#choose(name);
    return false;
  }

  throwIfNone(): void {
    if (this.#leases.some(({ host }) => host.takesRequests)) return;
    this.#leases[0].host.model;
  }

  readiness(): Readiness {
    const all = this.#leases.map(({ host }) => host.readiness());
    return all.find(({ ready }) => !ready) ?? all[0];
  }

  drain(): void {
    for (const { host } of this.#leases) host.drain();
  }

  #choose(name?: string): Lease {
    const [first] = this.#leases;
    if (name === undefined || this.#aliases.includes(name)) return first;
    const found = this.#leases.find((each) => each.name === name);
    return found ?? noSuchModel([...this.#leases.map((each) => each.name), ...this.#aliases]);
  }

  #listed(lease: Lease): ListedModel {
    const { name, host } = lease;
    const { info } = host.model;
    return {
      name,
      aliases: lease === this.#leases[0] ? this.#aliases : [],
      state: "ready",
      host,
      info,
      classes: host.classes,
      defaultClass: info.defaultClass,
      heldBytes: heldBytesOf(host.model),
      uses: 0,
      waiting: 0,
    };
  }
}

/** As where models share the memory: weights, the KV caches of all workers, and a margin. */
function heldBytesOf(model: Pick<Model, "info" | "health">): number {
  const { weightBytes, kvBytesPerToken, kvTokens } = model.info;
  const kvBytes = model.health().workers.length * kvBytesPerToken * kvTokens;
  return weightBytes + kvBytes + marginBytes(weightBytes);
}
