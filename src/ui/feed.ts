/** What the server sends a page that looks on: one `hello`, then a frame each second. @module */

import type { KvStretch, StepPart, WaitingRequest } from "../protocol/view.ts";

/** What does not change while the server runs. */
export interface FeedHello {
  readonly type: "hello";
  readonly model: string;
  readonly isa: string;
  readonly threads: number;
  readonly contextLength: number;
  /** Highest priority first. */
  readonly classes: readonly {
    readonly name: string;
    readonly ttftSloMs?: number;
    readonly itlSloMs?: number;
  }[];
  /** Upper bounds of the buckets below, in s. */
  readonly ttftBounds: readonly number[];
  readonly itlBounds: readonly number[];
}

/** A class at one moment; counts are since the start, as `/metrics` tells them. */
export interface FeedClass {
  readonly name: string;
  readonly running: number;
  readonly waiting: number;
  readonly waitingTokens: number;
  readonly refused: number;
  readonly generatedTokens: number;
  readonly prefillTokens: number;
  readonly decodeTokens: number;
  /** Values in each bucket, not cumulative; the last one is above all bounds. */
  readonly ttft: readonly number[];
  readonly itl: readonly number[];
}

/** A worker at one moment. */
export interface FeedWorker {
  readonly worker: number;
  readonly state: string;
  /** Absent while it cannot tell. */
  readonly engine?: {
    readonly steps: number;
    readonly preemptions: number;
    readonly promptTokens: number;
    readonly cachedTokens: number;
    readonly step: { readonly ms: number; readonly parts: readonly StepPart[] } | null;
    readonly waiting: readonly WaitingRequest[];
    readonly kv: {
      readonly stretches: readonly KvStretch[];
      readonly blockTokens: number;
      readonly reservedBytes: number;
      readonly committedBytes?: number;
      readonly allocatedBytes: number;
      readonly cachedBytes: number;
    };
  };
}

/** Another server that answers requests, at one moment. */
export interface FeedUpstream {
  readonly name: string;
  readonly running: number;
  /** "up", "down", or "tried" with a single request after it failed. */
  readonly state: "up" | "down" | "tried";
  /** What its answers have cost in the last hour and the last day. */
  readonly spentHour: number;
  readonly spentDay: number;
}

export interface FeedFrame {
  readonly type: "frame";
  /** Ms since 1970. */
  readonly at: number;
  readonly ready: boolean;
  readonly restarts: number;
  readonly pending: number;
  readonly connections?: number;
  /** What the machine took since the start; absent where nothing counts it. */
  readonly joules?: number;
  /** Of the process. */
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly classes: readonly FeedClass[];
  readonly workers: readonly FeedWorker[];
  /** Absent where all is answered here. */
  readonly upstreams?: readonly FeedUpstream[];
}
