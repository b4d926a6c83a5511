import type { UpstreamConnection } from "./connection.ts";
import { UPSTREAM_DEFAULTS } from "./options.ts";

/** Looks at each upstream's health from time to time. */
export class HealthWatch {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #noted: (name: string, isWell: boolean) => void;
  #isClosed = false;

  constructor(connections: readonly UpstreamConnection[], noted: (name: string, isWell: boolean) => void) {
    this.#noted = noted;
    for (const connection of connections) this.#next(connection, 0);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #next(connection: UpstreamConnection, ms: number): void {
    const { name, healthMs = UPSTREAM_DEFAULTS.healthMs } = connection.options;
    if (healthMs === 0 || this.#isClosed) return;
    const timer = setTimeout(async () => {
      const isWell = await connection.look();
      if (this.#isClosed) return;
      this.#noted(name, isWell);
      this.#next(connection, healthMs);
    }, ms);
    // A program that has nothing else to do may end.
    Deno.unrefTimer(timer);
    this.#timers.set(name, timer);
  }
}
