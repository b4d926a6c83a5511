/** What requests were: when they came, how long they were, what their prompts have in common; no text. @module */

/** A request, as far as its time and place on a machine depend on it. */
export interface TrafficRequest {
  /** Ms since the recording began. */
  readonly atMs: number;
  /** Latency class; undefined where the recording names none. */
  readonly class?: string;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Tokens of the prompt that a prefix cache had; undefined where nothing tells. */
  readonly cachedTokens?: number;
  /**
   * The blocks of `Traffic.blockTokens` tokens that the prompt begins with, numbered from 0: two prompts with
   * the same block at the same place are the same up to its end. The last one may reach beyond the prompt's.
   */
  readonly blocks?: readonly number[];
}

/** A line that was left out, and why. */
export interface SkippedLine {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

/** The formats that can be read. */
export const TRAFFIC_FORMATS = ["kumi", "azure", "mooncake", "log", "csv"] as const;
export type TrafficFormat = typeof TRAFFIC_FORMATS[number];

/** What {@linkcode TrafficFormat}s are, in words. */
export const FORMAT_NAMES: Readonly<Record<TrafficFormat, string>> = {
  kumi: "a recording of kumi",
  azure: "Azure's CSV",
  mooncake: "Mooncake's JSON lines",
  log: "an access log of JSON lines",
  csv: "CSV",
};

/** Requests in the order in which they came; the first one may have come at any time. */
export interface Traffic {
  readonly format: TrafficFormat;
  /** Ms since 1970 of `atMs` 0; undefined where only the distances are known. */
  readonly startedAtMs?: number;
  /** Tokens of a block of a prompt. */
  readonly blockTokens: number;
  readonly requests: readonly TrafficRequest[];
  /** Requests that were refused: nobody knows how long they would have been. */
  readonly refused: number;
  /** Lines that hold no request, beside empty ones and refusals. */
  readonly skipped: readonly SkippedLine[];
}

/** Most tokens that a prompt or an answer may have: more is a mistake of whoever wrote it down. */
export const TOKENS_MAX = 100_000_000;

/** Whether a value can be a count of tokens. */
export function isTokenCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= TOKENS_MAX;
}

/** Whether a value can be the name of a latency class. */
export function isClassName(value: unknown): value is string {
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value);
}
