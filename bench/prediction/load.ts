/** A load for a server in this process, sent by another thread. @module */

import type { Arrival } from "../../src/loadtest/arrivals.ts";
import type { RequestRecord } from "../../src/loadtest/send.ts";
import type { Target } from "../../src/loadtest/target.ts";

/** What a load worker is told. */
export interface LoadOrder {
  readonly arrivals: readonly Arrival[];
  readonly target: Target;
  readonly alphabet: readonly number[];
  readonly nonce: number;
}

/** A thread that sends loads. */
export class LoadThread implements Disposable {
  readonly #worker = new Worker(new URL("load_worker.ts", import.meta.url), { type: "module" });

  send(order: LoadOrder): Promise<RequestRecord[]> {
    const { promise, resolve, reject } = Promise.withResolvers<RequestRecord[]>();
    this.#worker.onmessage = ({ data }) => resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    this.#worker.postMessage(order);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
