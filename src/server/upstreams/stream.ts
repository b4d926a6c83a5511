/** The events of an upstream's stream, as they come. @module */

import { fetchReason } from "../../hub/fetch_reason.ts";
import { SseParser } from "../../loadtest/sse.ts";
import { UpstreamFailure } from "./failure.ts";
import { type Chunk, type Meter, objectIn } from "./meter.ts";
import type { Patience } from "./patience.ts";

/** An event with a part of an answer. */
export interface Passing {
  /** As it came. */
  readonly data: string;
  readonly chunk: Chunk;
  /** Texts in it: mostly each is a token. */
  readonly texts: number;
}

/** How a stream is watched. */
export interface Watching {
  readonly patience: Patience;
  readonly meter: Meter;
  readonly stalledMs: number;
}

const DONE = "[DONE]";
/** After the last event: for how long the end of the response is waited for, so that its connection is used again. */
const DRAIN_MS = 1000;

/**
 * The events until [DONE]. Throws an UpstreamFailure where the stream is none, stalls, breaks off or says itself that
 * something failed; the signal's reason where nobody wants it any more.
 */
export async function* passing(
  response: Response,
  { patience, meter, stalledMs }: Watching,
): AsyncGenerator<Passing> {
  const type = response.headers.get("content-type") ?? "none";
  if (!type.startsWith("text/event-stream") || response.body === null) {
    await response.body?.cancel();
    throw new UpstreamFailure("malformed", `content type ${type} instead of text/event-stream`);
  }
  const reader = response.body.getReader();
  const parser = new SseParser();
  let texts = 0, isWhole = false;
  try {
    for (
      let bytes = await read(reader, patience.signal);
      bytes !== null;
      bytes = await read(reader, patience.signal)
    ) {
      for (const data of eventsOf(parser, bytes)) {
        if (data === DONE) {
          isWhole = true;
          return;
        }
        const chunk = chunkOf(data);
        const more = meter.take(chunk);
        texts += more;
        yield { data, chunk, texts: more };
      }
      // Comments keep a connection alive, but they are no tokens.
      if (texts > 0) patience.expect("the next part of the stream", stalledMs);
    }
    // Some end without the last event; an answer that has ended is whole.
    isWhole = meter.finishReason !== undefined;
    if (!isWhole) throw new UpstreamFailure("unreachable", "the stream broke off");
  } finally {
    if (isWhole) void drain(reader);
    else reader.cancel().catch(() => {});
  }
}

/** The next bytes; null at the end. */
async function read(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    const { done, value } = await reader.read();
    return done ? null : value;
  } catch (error) {
    signal.throwIfAborted();
    throw new UpstreamFailure("unreachable", fetchReason(error), { cause: error });
  }
}

function eventsOf(parser: SseParser, bytes: Uint8Array): string[] {
  try {
    return parser.push(bytes);
  } catch (error) {
    throw new UpstreamFailure("malformed", (error as Error).message);
  }
}

function chunkOf(data: string): Chunk {
  const chunk = objectIn(data);
  if (chunk === null) throw new UpstreamFailure("malformed", "an event that is no JSON object");
  if (chunk.error !== undefined && chunk.error !== null) {
    throw new UpstreamFailure("status", "an error in the stream");
  }
  return chunk;
}

/** Reads what follows the last event, which says nothing. */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => reader.cancel().catch(() => {}), DRAIN_MS);
  try {
    while (!(await reader.read()).done);
  } catch {
    // It is of no use to anybody.
  } finally {
    clearTimeout(timer);
  }
}
