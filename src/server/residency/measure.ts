/** Looks into a model's file, to know what it will take of the memory, in a thread of its own: vocabularies are long. @module */

import type { MemoryNeed } from "../../runner/memory_need.ts";
import type { LoadOptions } from "../../protocol/options/load.ts";

/** What is asked about a file. */
export interface MeasureRequest {
  readonly path: string;
  /** The model that guesses ahead, where there is one: each worker has it. */
  readonly draftPath?: string;
  readonly options: MeasuredOptions;
  /** What all models together may take; undefined: what this process may still use. */
  readonly limitBytes?: number;
}

/** The options of loading that have to do with memory. */
export type MeasuredOptions = Pick<
  LoadOptions,
  | "contextLength"
  | "kvTokens"
  | "kvFormat"
  | "batchTokensMax"
  | "sequencesMax"
  | "weights"
  | "workers"
  | "threads"
  | "cpus"
  | "shareWeights"
  | "libraryPath"
  | "isa"
  | "speculation"
>;

/** What a file takes. */
export interface Measured {
  readonly need: MemoryNeed;
  /** What this process may still use; undefined where the system does not tell. */
  readonly availableBytes?: number;
}

/** What the thread says. */
export type FromMeasurer = { readonly measured: Measured } | { readonly message: string };

/** The options that the thread is told. */
export function measuredOptions(options: LoadOptions): MeasuredOptions {
  const { contextLength, kvTokens, kvFormat, batchTokensMax, sequencesMax, weights } = options;
  const { workers, threads, cpus, shareWeights, libraryPath, isa, speculation } = options;
  return {
    ...{ contextLength, kvTokens, kvFormat, batchTokensMax, sequencesMax, weights },
    ...{ workers, threads, cpus, shareWeights, libraryPath, isa, speculation },
  };
}

/** Rejects with an Error that says what is wrong with the file, or the signal's reason. */
export async function measure(request: MeasureRequest, signal: AbortSignal): Promise<Measured> {
  signal.throwIfAborted();
  const worker = new Worker(new URL("./measure_worker.ts", import.meta.url), {
    type: "module",
    name: "kumi measuring",
  });
  const told = Promise.withResolvers<Measured>();
  const onAbort = () => told.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  worker.onmessage = ({ data }: MessageEvent<FromMeasurer>) => {
    if ("measured" in data) told.resolve(data.measured);
    else told.reject(new Error(data.message));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    told.reject(new Error(event.message));
  };
  try {
    worker.postMessage(request);
    return await told.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    worker.terminate();
  }
}
