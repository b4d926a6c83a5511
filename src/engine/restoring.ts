import type { PrefixStore } from "./prefix_store/store.ts";
import type { Work } from "./work.ts";

/** What becomes of a request once no more can be read for it. */
export interface Restored {
  /** Takes it, or throws why it is refused. */
  take(): void;
  refuse(error: unknown): void;
}

/** Requests for which prefixes are read from the store, before they are taken or refused. */
export class Restoring {
  readonly #store: PrefixStore;
  readonly #onDone: () => void;
  readonly #waiting = new Map<number, { readonly work: Work; readonly restored: Restored }>();

  /** `onDone`: told after one was taken or refused. */
  constructor(store: PrefixStore, onDone: () => void = () => {}) {
    this.#store = store;
    this.#onDone = onDone;
  }

  /** Begins to read what is stored of a prompt; false where there is nothing that the cache does not have. */
  begin(work: Work, tokens: readonly number[], restored: Restored): boolean {
    if (!work.plan.sharesPrefix || !this.#store.has(work.request.tenant, tokens)) return false;
    this.#waiting.set(work.id, { work, restored });
    void this.#restore(work, tokens, restored);
    return true;
  }

  /** Reads no more for a request; undefined where it does not wait. */
  drop(id: number): Work | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting?.work;
  }

  /** Refuses all of them. */
  refuseAll(error: unknown): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { restored } of all) restored.refuse(error);
  }

  async #restore({ id, request }: Work, tokens: readonly number[], restored: Restored): Promise<void> {
    await this.#store.restore(request.tenant, tokens, () => this.#waiting.has(id));
    if (!this.#waiting.delete(id)) return;
    try {
      // Whether it can be in time is judged by what is left to compute.
      restored.take();
    } catch (error) {
      restored.refuse(error);
    }
    this.#onDone();
  }
}
