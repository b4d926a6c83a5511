/** Figures of an engine: plain objects, so that they travel as JSON. @module */

import type { ClassStats } from "../../scheduler/mod.ts";
import type { FinishReason } from "./answer.ts";
import type { HistogramFigures } from "./histogram.ts";
import type { TokenBend } from "./token_time.ts";
import type { EngineView } from "./view.ts";

/** How the KV cache is used at one moment: a plain object, so that it travels as JSON. */
export interface KvStats {
  blockTokens: number;
  /** Address space of all blocks. */
  reservedBytes: number;
  /** Memory behind it, as the system counts its pages (mincore); absent where it does not tell. */
  committedBytes?: number;
  /** Blocks and states that sequences have or that the prefix cache keeps. */
  allocatedBytes: number;
  /** What is stored in them. */
  usedBytes: number;
  /** The part of it that only the prefix cache keeps: it gives way when a sequence needs room. */
  cachedBytes: number;
  /** 1 − used ÷ allocated: the last blocks of the sequences. */
  internalFragmentation: number;
  /** 1 − longest free stretch ÷ free blocks. */
  externalFragmentation: number;
  /** What the same sequences would take if each had reserved the longest one. */
  maxLengthReservationBytes: number;
  /** Sequences that have blocks, and runs of adjacent blocks among them all. */
  sequences: number;
  runs: number;
  /** In blocks. */
  blocks: {
    total: number;
    free: number;
    used: number;
    shared: number;
    largestFree: number;
    /** In the stretches that were given back to the system so far. */
    givenBack: number;
    /** Aligned free runs of 2ᵏ blocks. */
    freeRuns: number[];
    /** Whose memory states have. */
    lent: number;
  };
  /** Absent where no layer keeps a state of each sequence. */
  states?: StateStats;
}

/** States of sequences, which take memory of the KV cache, and snapshots of them in the prefix cache. */
export interface StateStats {
  /** Of one. */
  stateBytes: number;
  /** Memory of all, snapshots included. */
  usedBytes: number;
  /** States there are, and how many of them are snapshots. */
  used: number;
  snapshots: number;
  /** Since the start: snapshots made, and sequences that went on from one. */
  kept: number;
  hits: number;
  /** Since the start: tokens whose blocks were known, but that were computed again for lack of a snapshot. */
  lostTokens: number;
}

/** A latency class: what is there now, and what became of its requests since the start. */
export interface ClassFigures extends ClassStats {
  accepted: number;
  /** Refused, or wrong in themselves. */
  refused: number;
  /** By why they ended. */
  finished: Record<FinishReason, number>;
  failed: number;
  work: PhaseFigures;
}

/** What steps did for a class since the start. */
export interface PhaseFigures {
  /**
   * Its share of the steps' time, by what of it was for prompts (tokens computed again included) and for
   * answers: a step's fixed time is divided equally among its sequences, the rest by what each of them adds.
   */
  prefillMs: number;
  decodeMs: number;
  /** Tokens that were computed. */
  prefillTokens: number;
  decodeTokens: number;
}

/** ms = `fixedMs + tokensMs(…, tokens) + msPerKvEntry · attended tokens + msPerRow · tokens chosen`. */
export interface FittedStepTime {
  fixedMs: number;
  /** Of a token beyond the last of the bends. */
  msPerToken: number;
  bends: readonly TokenBend[];
  msPerKvEntry: number;
  msPerRow: number;
  /** Typical error of a prediction. */
  relativeError: number;
  /** So many times as long do many steps together take as is predicted for them. */
  stretch: number;
}

/** A worker's store of prefixes. */
export interface PrefixStoreStats {
  /** The folder: several workers, and models, may have the same. */
  dir: string;
  /** What it has, as far as the worker knows. */
  files: number;
  bytes: number;
  /** Stretches that wait to be written. */
  waiting: number;
  /** Tokens that were read back instead of computed, and tokens that were stored. */
  restoredTokens: number;
  storedTokens: number;
  /** Files that were not used, writes that failed. */
  problems: number;
}

/** Figures of one engine worker. A plain object, so that it travels as JSON. */
export interface EngineStats {
  /** Highest priority first. */
  classes: ClassFigures[];
  /** Steps computed. */
  steps: number;
  /** Tokens that steps have computed: prompts, answers, and what was computed again. */
  computedTokens: number;
  /** Tokens that were chosen. */
  generatedTokens: number;
  /** Tokens that steps guessed ahead and computed, and those of them that were right. */
  draftTokens: number;
  acceptedTokens: number;
  /** Of the requests that have ended: tokens of their prompts, and how many of those the prefix cache had. */
  promptTokens: number;
  cachedTokens: number;
  /** Sequences that gave their KV blocks up and were computed again. */
  preemptions: number;
  /** The fitted model of a step's time: `fixedMs + msPerToken · tokens + msPerKvEntry · attended tokens`. */
  stepTime: {
    fixedMs: number;
    msPerToken: number;
    msPerKvEntry: number;
    /** Typical error of a prediction. */
    relativeError: number;
    /** So many times as long do many steps together take as is predicted for them. */
    stretch: number;
    /** Ms between two steps: so many, and so many for each sequence. */
    betweenMs: number;
    betweenMsPerSequence: number;
    /**
     * The same of more steps, for planning: choosing a token is apart from computing it. Null before enough were
     * measured.
     */
    fit: FittedStepTime | null;
  };
  /** Of all steps: their time in ms, and how much they computed. */
  stepHistograms: { ms: HistogramFigures; tokens: HistogramFigures; sequences: HistogramFigures };
  kv: KvStats;
  /** Where there is one. */
  prefixStore?: PrefixStoreStats;
  /** Where it was asked for. */
  view?: EngineView;
}
