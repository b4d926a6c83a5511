/** What clients are told where their model cannot be had. @module */

import type { RoomReport } from "../../../scheduler/mod.ts";
import type { MemoryNeed } from "../../runner/memory_need.ts";
import { ApiError } from "../api_error.ts";

const MIB = 2 ** 20;
const RETRY_MS = 5000;

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** `remainingMs`: until it is there, where that is known. */
export function loadingError(name: string, remainingMs = RETRY_MS): ApiError {
  return new ApiError(503, `The model ${quote(name)} is loading, and the request can wait no longer`, {
    code: "loading",
    retryAfterMs: remainingMs,
  });
}

/** Models in use keep it out. */
export function noRoomError(
  name: string,
  { needBytes, budgetBytes, freeBytes, wouldGo }: RoomReport,
): ApiError {
  const others = wouldGo.map((each) =>
    `${quote(each.name)} (${mib(each.bytes)}, ${each.uses === 1 ? "1 request" : `${each.uses} requests`})`
  ).join(", ");
  return new ApiError(
    503,
    `The model ${quote(name)} needs ${mib(needBytes)}, and ${mib(freeBytes)} of ${
      mib(budgetBytes)
    } are free: ` +
      `${others} would have to leave, and the request can wait no longer`,
    { code: "no_room", retryAfterMs: RETRY_MS },
  );
}

/** Not even alone would it fit. */
export function tooLargeError(
  name: string,
  { weightBytes, kvBytes, marginBytes, totalBytes, kvTokens }: MemoryNeed,
  { budgetBytes }: { readonly budgetBytes: number },
): ApiError {
  return new ApiError(
    503,
    `The model ${quote(name)} needs ${mib(totalBytes)} and the models of this server may use ${
      mib(budgetBytes)
    }, ` +
      `so that it would not fit if all others left: weights ${mib(weightBytes)}, KV cache ${
        mib(kvBytes)
      } for ` +
      `${kvTokens} tokens, margin ${mib(marginBytes)}`,
    { code: "model_too_large", retryAfterMs: 60_000 },
  );
}

export function failedError(
  name: string,
  problem = "it could not be loaded",
  retryAfterMs = RETRY_MS,
): ApiError {
  return new ApiError(503, `The model ${quote(name)} could not be loaded: ${problem}`, {
    code: "load_failed",
    retryAfterMs,
  });
}

/** More wait than the class lets. */
export function busyError(name: string, waiting: number): ApiError {
  return new ApiError(429, `${waiting} requests of the class wait for the model ${quote(name)} already`, {
    code: "queue_full",
    retryAfterMs: RETRY_MS,
  });
}

/** What is wrong with a file, without where it lies: that is nothing for clients. */
export function publicReason(message: string, paths: readonly string[]): string {
  const named = paths.filter((path) => path !== "").reduce(
    (text, path) => text.replaceAll(path, "its file"),
    message,
  );
  // Whatever is left that begins like a path of this machine.
  return named.replaceAll(/(?<![\w.])(?:\/|[A-Za-z]:\\)[^\s:'"]+/g, "…");
}

function quote(name: string): string {
  return JSON.stringify(name);
}
