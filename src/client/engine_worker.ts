/** The Web Worker of an engine, and how it is started ahead of time. @module */

const MODULE = new URL("../engine/worker.ts", import.meta.url);

/** Started, and nobody's yet. */
let ready: Worker | undefined;

/**
 * Starts the worker that the first engine of this program will run in. For a program that is about to load
 * what it needs for that: the worker reads its own modules meanwhile, on another core.
 */
export function startEngineWorker(): void {
  ready ??= newWorker("kumi engine 0");
}

/** A worker for an engine. `name`: what debuggers call it. */
export function takeEngineWorker(name: string): Worker {
  const worker = ready ?? newWorker(name);
  ready = undefined;
  return worker;
}

function newWorker(name: string): Worker {
  return new Worker(MODULE, { type: "module", name });
}
