import type { Arrival } from "./arrivals.ts";
import type { Prompts } from "./prompts.ts";
import { newRecord, type RequestRecord, send } from "./send.ts";
import type { Target } from "./target.ts";

/** How a load is made. */
export interface LoadOptions {
  readonly target: Target;
  readonly prompts: Prompts;
  /** Requests that would be more under way are not sent. */
  readonly inFlightMax: number;
  /** Longest time for a request. */
  readonly timeoutMs: number;
  /** Stops the load: what is under way is cut off. */
  readonly signal: AbortSignal;
  /** Called with each request that is sent. */
  readonly progress?: (sent: number, inFlight: number) => void;
  /** Called with each record once nothing more comes to it. */
  readonly onEnd?: (record: RequestRecord) => void;
}

/**
 * Sends each request when it is due, whether or not earlier ones have ended: a slow server does not slow its
 * load down. Resolves when all have ended or the signal is aborted.
 */
export async function sendLoad(arrivals: readonly Arrival[], options: LoadOptions): Promise<RequestRecord[]> {
  const { inFlightMax, signal, prompts } = options;
  const startedAt = performance.now();
  const now = () => performance.now() - startedAt;
  const records: RequestRecord[] = [];
  const running = new Set<Promise<void>>();
  for (const arrival of arrivals) {
    const prompt = prompts.make(arrival);
    await sleep(arrival.atMs - now(), signal);
    if (signal.aborted) break;
    const record = newRecord(arrival, now());
    records.push(record);
    if (running.size >= inFlightMax) {
      record.outcome = "skipped";
      options.onEnd?.(record);
      continue;
    }
    const done = send(record, { ...options, prompt, maxTokens: arrival.maxTokens, now })
      .then(() => {
        running.delete(done);
        options.onEnd?.(record);
      });
    running.add(done);
    options.progress?.(records.length, running.size);
  }
  await Promise.all(running);
  return records;
}

/**
 * Sends requests one after another, which nothing counts. Throws where one does not succeed: the load would
 * not, either.
 */
export async function warmUp(
  arrivals: readonly Arrival[],
  { target, prompts, timeoutMs, signal }: LoadOptions,
): Promise<void> {
  for (const arrival of arrivals) {
    const record = newRecord(arrival, 0);
    const { maxTokens } = arrival;
    await send(record, { target, prompt: prompts.make(arrival), maxTokens, now: () => 0, signal, timeoutMs });
    signal.throwIfAborted();
    if (record.outcome !== "ok") {
      throw new Error(`A request of the warm-up ended with status ${record.status}: ${record.problem}`);
    }
  }
}

/** Timers are late by a ms or more: what is already due goes at once, without one. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
