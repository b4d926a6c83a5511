/** What the isolates of a soak tell of their memory. @module */

import { writeHeapSnapshot } from "node:v8";

/** Bytes of one isolate, after its garbage was collected where `--expose-gc` allows that. */
export interface IsolateFigures {
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
}

/** Asked of the worker. `snapshot`: a file that its heap is to be written to. */
export interface WorkerQuestion {
  readonly id: number;
  readonly snapshot?: string;
}

/** What it says. */
export interface WorkerAnswer {
  readonly id: number;
  readonly figures: IsolateFigures;
}

/** Of the isolate that calls. */
export function isolateFigures(): IsolateFigures {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, heapTotal, external } = Deno.memoryUsage();
  return { heapUsed, heapTotal, external };
}

/** Writes the heap of the isolate that calls; Chrome's developer tools read it. */
export function writeSnapshot(path: string): void {
  writeHeapSnapshot(path);
}
