/**
 * Messages between the caller's thread and the engine. They are plain objects, so that they could as well
 * travel through a pipe to another process; the shared memory in `load` is an extra that only a worker can
 * have.
 *
 * Tokens are counted, chosen and turned into text by the engine: the caller's thread neither builds a
 * tokenizer nor waits for one.
 */
import type { CountedOutlook } from "../../scheduler/mod.ts";
import type { StepEvent, WireError } from "./answer.ts";
import type { SharedWeights } from "../models/loading.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { ModelInfo } from "./model_info.ts";
import type { ChatMessage, PromptShape, RenderedChat, WorkRequest } from "./request.ts";
import type { EngineStats } from "./stats.ts";

/**
 * Words of the shared memory. After them come the ids of the requests that the step under way computes:
 * whoever finds the worker dead knows of whom it may have died.
 */
export const ControlWord = {
  /** Raised by the caller's thread when a long step should end early. */
  interrupts: 0,
  /** Raised by the engine while it works: a sign of life. */
  heartbeat: 1,
  /** The native context, as soon as there is one: whoever replaces a dead worker frees it. */
  context: 2,
  /** Requests in the step under way; 0 between steps. */
  stepRequests: 3,
  /** Messages that the caller's thread has sent. */
  posted: 4,
  /** The native context of the model that guesses, where there is one. */
  draftContext: 5,
} as const;

/** Where the ids of the requests in a step begin, in words. */
export const CONTROL_STEP_IDS = 6;
/** Most ids that are written down. */
export const CONTROL_STEP_IDS_MAX = 512;
export const CONTROL_WORDS = CONTROL_STEP_IDS + CONTROL_STEP_IDS_MAX;

/** What the machine offers to the workers of a process. */
export interface Machine {
  /** NUMA nodes with the CPUs that the process may use; one node where the system tells of none. */
  nodes: readonly { id: number; cpus: readonly number[]; memoryBytes?: number }[];
  /** So many CPUs' worth of time the process may use: its quota counts too. */
  usable: number;
}

export type ToEngine =
  | { type: "machine"; libraryPath?: string }
  | {
    type: "load";
    path: string;
    options: EngineOptions;
    control?: SharedArrayBuffer;
    /** Matrices of another worker, which need not be read again. */
    shareFrom?: SharedWeights;
    /** Contexts of workers that have ended, which are freed as soon as their matrices are shared. */
    orphans?: number[];
  }
  /** `aborted`: nobody wants it any more; it ends at once, and nothing is computed for it. */
  | { type: "work"; id: number; request: WorkRequest; aborted?: true }
  | { type: "abort"; id: number }
  /** A request of this class was refused by what the engine had said about it. */
  | { type: "refused"; class: string }
  | { type: "tokenize"; id: number; text: string; addSpecial: boolean; parseSpecial: boolean }
  | { type: "detokenize"; id: number; tokens: number[]; special: boolean }
  | { type: "render"; id: number; messages: ChatMessage[]; shape: PromptShape }
  /** `view`: with what the engine does at the moment. */
  | { type: "stats"; id: number; view?: boolean }
  | { type: "ping" }
  | { type: "close" };

export type FromEngine =
  | { type: "machine"; machine: Machine }
  | { type: "progress"; doneBytes: number; totalBytes: number }
  | { type: "loaded"; info: ModelInfo; weights: SharedWeights }
  | { type: "failed"; error: WireError }
  | { type: "step"; events: StepEvent[]; outlook?: CountedOutlook[] }
  | { type: "reply"; id: number; value?: number[] | string | RenderedChat | EngineStats; error?: WireError }
  | { type: "closed" };
