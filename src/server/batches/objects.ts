/** Files and batches as OpenAI's clients know them. @module */

import type { BulkPath } from "../bulk/request_line.ts";

/** What a file is for. */
export type FilePurpose = "batch" | "batch_output";

/** A file, as it is kept and as it is told. Times are in seconds since 1970. */
export interface StoredFile {
  readonly id: string;
  readonly object: "file";
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number;
  /** As its sender called it. */
  readonly filename: string;
  readonly purpose: FilePurpose;
  readonly status: "processed";
}

/** States of a batch. */
export type BatchStatus =
  | "validating"
  | "failed"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "expired"
  | "cancelling"
  | "cancelled";

/** States in which nothing happens any more. */
export const ENDED: ReadonlySet<BatchStatus> = new Set(["failed", "completed", "expired", "cancelled"]);

/** What is wrong with a file of requests. */
export interface BatchFault {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly line: number | null;
}

/** Requests of a batch. */
export interface RequestCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

/** A batch, as it is kept and as it is told. Times are in seconds since 1970. */
export interface StoredBatch {
  readonly id: string;
  readonly object: "batch";
  readonly endpoint: BulkPath;
  readonly errors: { readonly object: "list"; readonly data: readonly BatchFault[] } | null;
  readonly input_file_id: string;
  readonly completion_window: string;
  readonly status: BatchStatus;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly in_progress_at: number | null;
  readonly expires_at: number;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: RequestCounts;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** For how long its answers are kept, where its sender said so. */
  readonly output_expires_after: { readonly anchor: "created_at"; readonly seconds: number } | null;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** A page of a list, as OpenAI's clients walk through it. */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  { after, limit }: { readonly after?: string; readonly limit: number },
) {
  const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  const data = after !== undefined && start === 0 ? [] : all.slice(start, start + limit);
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + data.length < all.length && data.length > 0,
  };
}
