import { fetchReason } from "../hub/fetch_reason.ts";
import type { Arrival } from "./arrivals.ts";
import { SseParser } from "./sse.ts";
import { bodyOf, headersOf, type Target, urlOf } from "./target.ts";

/**
 * How a request ended: "refused" with status 429 or 503, "failed" with any other problem, "cut" when the load
 * test was stopped meanwhile, "skipped" when it was not sent because too many were under way.
 */
export type Outcome = "ok" | "refused" | "failed" | "cut" | "skipped";

/** What became of a request. Times are in ms since the load began. */
export interface RequestRecord {
  readonly class: string;
  /** When it was to be sent. */
  readonly dueMs: number;
  readonly sentMs: number;
  outcome: Outcome;
  /** HTTP status; 0 where there was none. */
  status: number;
  /** What went wrong, in few words. */
  problem?: string;
  retryAfterSeconds?: number;
  /** When each part of the answer came; mostly each is a token. */
  readonly partsMs: number[];
  endMs: number;
  promptTokens: number;
  /** As the server counts them; the number of parts where it does not. */
  completionTokens: number;
  cachedTokens: number;
}

export function newRecord(arrival: Pick<Arrival, "class" | "atMs">, sentMs: number): RequestRecord {
  return {
    class: arrival.class,
    dueMs: arrival.atMs,
    sentMs,
    outcome: "failed",
    status: 0,
    partsMs: [],
    endMs: sentMs,
    promptTokens: 0,
    completionTokens: 0,
    cachedTokens: 0,
  };
}

/** What sending needs. */
export interface SendOptions {
  readonly target: Target;
  readonly prompt: string | readonly number[];
  readonly maxTokens: number;
  /** Ms since the load began. */
  readonly now: () => number;
  /** Stops the load test. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Sends a request and notes in its record what comes. Never rejects. */
export async function send(record: RequestRecord, options: SendOptions): Promise<void> {
  const { target, signal, timeoutMs, now } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(urlOf(target), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...headersOf(target),
      },
      body: bodyOf(target, { ...options, class: record.class, stream: true }),
      signal: AbortSignal.any([signal, timeout]),
    });
    record.status = response.status;
    if (response.ok) await readAnswer(record, response, now);
    else await readRefusal(record, response);
  } catch (error) {
    if (timeout.aborted) record.problem = `no end after ${timeoutMs / 1000} s`;
    else record.problem = shortMessage(error);
    record.outcome = signal.aborted ? "cut" : "failed";
  }
  record.endMs = now();
}

async function readRefusal(record: RequestRecord, response: Response): Promise<void> {
  const text = await response.text();
  record.outcome = response.status === 429 || response.status === 503 ? "refused" : "failed";
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  if (Number.isFinite(seconds)) record.retryAfterSeconds = seconds;
  record.problem = errorMessage(text) ?? text.slice(0, 100);
}

async function readAnswer(record: RequestRecord, response: Response, now: () => number): Promise<void> {
  const type = response.headers.get("content-type") ?? "none";
  if (!type.startsWith("text/event-stream") || response.body === null) {
    await response.body?.cancel();
    record.problem = `content type ${type} instead of text/event-stream`;
    return;
  }
  const parser = new SseParser();
  const stream = new AnswerReader(record);
  for await (const bytes of response.body) {
    const atMs = now();
    // What follows [DONE] says nothing, but the connection is only free again once it is read.
    for (const data of parser.push(bytes)) if (!stream.isDone) stream.take(data, atMs);
    if (record.problem !== undefined) return;
  }
  if (!stream.isDone) {
    record.problem = "the stream ended before [DONE]";
    return;
  }
  if (record.completionTokens === 0) record.completionTokens = record.partsMs.length;
  if (record.partsMs.length === 0) record.problem = "an answer without text";
  else record.outcome = "ok";
}

/** Reads the events of an answer into its record. */
class AnswerReader {
  isDone = false;
  readonly #record: RequestRecord;

  constructor(record: RequestRecord) {
    this.#record = record;
  }

  take(data: string, atMs: number): void {
    if (data === "[DONE]") {
      this.isDone = true;
      return;
    }
    const chunk = parseObject(data);
    if (chunk === null) {
      this.#record.problem = "an event that is no JSON object";
      return;
    }
    if (chunk.error !== undefined && chunk.error !== null) {
      this.#record.problem = errorMessage(data) ?? "an error event";
      return;
    }
    if (hasText(chunk)) this.#record.partsMs.push(atMs);
    this.#takeUsage(chunk.usage);
  }

  #takeUsage(usage: Chunk["usage"]): void {
    if (usage === undefined || usage === null) return;
    const record = this.#record;
    record.promptTokens = count(usage.prompt_tokens) ?? record.promptTokens;
    record.completionTokens = count(usage.completion_tokens) ?? record.completionTokens;
    record.cachedTokens = count(usage.prompt_tokens_details?.cached_tokens) ?? record.cachedTokens;
  }
}

/** The part of an event that matters. Nothing of it is certain. */
interface Chunk {
  readonly error?: unknown;
  readonly choices?: unknown;
  readonly usage?: {
    readonly prompt_tokens?: unknown;
    readonly completion_tokens?: unknown;
    readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null;
  } | null;
}

function parseObject(data: string): Chunk | null {
  try {
    const value = JSON.parse(data);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function hasText({ choices }: Chunk): boolean {
  if (!Array.isArray(choices)) return false;
  return choices.some((choice) => {
    const { delta, text } = choice ?? {};
    return [text, delta?.content, delta?.reasoning_content, delta?.reasoning].some((part) =>
      typeof part === "string" && part !== ""
    );
  });
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}

/** The message of OpenAI's error object, or of a string in its place. */
function errorMessage(text: string): string | undefined {
  const error = parseObject(text)?.error;
  const message = typeof error === "string" ? error : (error as { message?: unknown } | undefined)?.message;
  return typeof message === "string" ? message.slice(0, 200) : undefined;
}

/** Messages of fetch name the address: that would make every problem one of its own. */
function shortMessage(error: unknown): string {
  return fetchReason(error).replace(/ ?\(?https?:\/\/\S+/g, "").slice(0, 200);
}
