/** What became of models since the server began. @module */

import type { UnloadReason } from "../../../scheduler/mod.ts";

/** Of one model. */
export class ModelFigures {
  loads = 0;
  failures = 0;
  readonly unloads = new Map<UnloadReason, number>([["room", 0], ["idle", 0], ["asked", 0]]);
  /** How long the last load took. */
  loadMs?: number;
  /** Of all loads. */
  loadMsSum = 0;

  loaded(ms: number): void {
    this.loads++;
    this.loadMs = ms;
    this.loadMsSum += ms;
  }

  unloaded(reason: UnloadReason): void {
    this.unloads.set(reason, this.unloads.get(reason)! + 1);
  }
}

/** By name. */
export class ResidencyFigures {
  readonly #all = new Map<string, ModelFigures>();

  of(name: string): ModelFigures {
    return this.#all.getOrInsertComputed(name, () => new ModelFigures());
  }
}
