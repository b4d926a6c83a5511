/** What the machine takes while it serves, where something inside it counts that. @module */

import { type EnergyCounter, openEnergyCounter } from "../energy/counter.ts";
import type { EnergySourceName } from "../energy/joules.ts";

/** What a counter has counted since the server opened it: of the whole machine, not of kumi alone. */
export interface EnergyFigures {
  readonly source: EnergySourceName;
  readonly joules: number;
}

/** A server's counter. On a machine that has none, or none that may be read, it has no figures. */
export class ServerEnergy implements Disposable {
  readonly #open: typeof openEnergyCounter;
  #counter: EnergyCounter | undefined;

  /** @param open What opens a counter; for tests. */
  constructor(open: typeof openEnergyCounter = openEnergyCounter) {
    this.#open = open;
  }

  /** Begins to count. The library must be there: it reads what Deno may not. */
  start(): void {
    const opened = this.#open();
    if (!("kind" in opened)) this.#counter = opened;
  }

  /** Undefined before {@linkcode start}, and for good once the counter cannot be read any more. */
  get figures(): EnergyFigures | undefined {
    if (this.#counter === undefined) return undefined;
    try {
      return { source: this.#counter.source, joules: this.#counter.joules() };
    } catch {
      // A permission was taken back while the server runs: it serves as before.
      this[Symbol.dispose]();
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#counter?.[Symbol.dispose]();
    this.#counter = undefined;
  }
}
