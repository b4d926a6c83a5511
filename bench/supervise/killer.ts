/** Kills an engine's process again and again. @module */

import type { Health } from "../../mod.ts";

/** What came of it. */
export interface KillReport {
  readonly kills: number;
  /** From each kill until an engine took requests again, in ms. */
  readonly recoveryMs: readonly number[];
}

const LOOK_MS = 10;

/**
 * Sends SIGKILL to the process of the first worker when it has lived for so many ms, until a moment of `performance.now()`:
 * what is left then must be answered, however slowly engines start where others use the processors.
 */
export function killEvery(
  everyMs: number,
  health: () => Health,
  untilMs: number,
): { stop(): Promise<KillReport> } {
  let kills = 0, isOver = false;
  const recoveryMs: number[] = [];
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const run = async () => {
    let dueMs = performance.now() + everyMs;
    while (!isOver && performance.now() < untilMs) {
      await wait(LOOK_MS);
      if (performance.now() < dueMs) continue;
      const { ready, workers: [{ pid }] } = health();
      if (!ready || pid === undefined) continue;
      const killedAt = performance.now();
      Deno.kill(pid, "SIGKILL");
      kills++;
      while (!health().ready || health().workers[0].pid === pid) await wait(LOOK_MS);
      recoveryMs.push(Math.round(performance.now() - killedAt));
      dueMs = performance.now() + everyMs;
    }
  };
  const done = run();
  return {
    async stop() {
      isOver = true;
      await done;
      return { kills, recoveryMs };
    },
  };
}
