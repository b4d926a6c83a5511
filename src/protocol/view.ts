/** What an engine does at one moment, for whoever looks on: plain objects, which travel as JSON. @module */

/** A sequence's part in a step. */
export interface StepPart {
  /** Name of its latency class. */
  readonly class: string;
  /** Whether it computed a token of an answer, and not of a prompt. */
  readonly isDecode: boolean;
  readonly tokens: number;
}

/** A request that no step has computed any of yet, or that has to begin again. */
export interface WaitingRequest {
  readonly class: string;
  readonly ageMs: number;
  /** Tokens of its prompt. */
  readonly tokens: number;
}

/** What a KV block is. */
export type KvBlockState = "free" | "used" | "shared" | "cached";

/** A stretch of KV blocks that are alike. */
export interface KvStretch {
  readonly state: KvBlockState;
  readonly blocks: number;
  /** Number of the tenant whose sequence has them, in the order in which tenants came; no name. */
  readonly tenant?: number;
}

/** One worker's engine. */
export interface EngineView {
  /** The last step; null before the first. */
  readonly step: { readonly ms: number; readonly parts: readonly StepPart[] } | null;
  /** The oldest first; no more than the first hundred. */
  readonly waiting: readonly WaitingRequest[];
  /** All KV blocks, in their order; those whose memory states of sequences have come last. */
  readonly kv: readonly KvStretch[];
}
