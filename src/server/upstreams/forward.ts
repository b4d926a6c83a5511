/** Passes a request of OpenAI's interface on as it is, and the answer back. @module */

import { type ApiError, OPENAI_ERRORS } from "../api_error.ts";
import { toApiError } from "../errors.ts";
import type { Presence } from "../presence.ts";
import { clientLeft } from "../presence.ts";
import type { UnderWay } from "../service.ts";
import { DONE_EVENT, EventStream, eventText, STREAM_LIMITS, type StreamLimits } from "../sse.ts";
import { forClient, UpstreamFailure } from "./failure.ts";
import type { Chunk } from "./meter.ts";
import { PassedEvents } from "./passed_events.ts";
import { type Passing, passing } from "./stream.ts";
import type { Told } from "./told.ts";
import type { Visit } from "./visit.ts";

/** A request as it goes to an upstream. */
export interface Forwarded {
  /** Behind the upstream's base URL. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Record<string, string>;
  readonly client: Presence;
  readonly told: Told;
  readonly streamLimits?: StreamLimits;
  /** Remembers what is under way. */
  readonly track: (answer: UnderWay) => void;
}

/** Headers of every response that has passed: none of the upstream's own. */
const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

const OK = 200;

/** The response. Throws an UpstreamFailure or an ApiError as long as nothing was sent to the client. */
export async function forward(visit: Visit, asked: Forwarded): Promise<Response> {
  const { client, track } = asked;
  const ended = Promise.withResolvers<void>();
  track({ results: ended.promise, fail: (error) => visit.patience.cancel(error) });
  ended.promise.catch(() => {});
  const over = (error?: unknown) => {
    stop();
    // What it has cost is told before its end.
    visit.end(error);
    const { finishReason, result } = visit.meter;
    asked.told.end(finishReason, error === undefined ? OK : errorOf(error).status, result);
    ended.resolve();
  };
  // Whoever has only closed its side may read on: writing to it tells.
  const halfClosed = Promise.withResolvers<void>();
  const stop = client.onLeft((mayRead) => {
    if (mayRead) halfClosed.resolve();
    else visit.patience.cancel(clientLeft());
  });
  try {
    if (asked.body.stream !== true) {
      const response = await forwardWhole(visit, asked);
      over();
      return response;
    }
    const begun = await begin(visit, asked);
    void halfClosed.promise.then(() => begun.stream.probe());
    pump(visit, asked, begun).then(over, over);
    return new Response(begun.stream.body, { headers: STREAM_HEADERS });
  } catch (error) {
    over(error);
    throw error;
  }
}

async function forwardWhole({ connection, patience, meter }: Visit, asked: Forwarded): Promise<Response> {
  const { path, body, headers, told } = asked;
  const response = await connection.post(path, body, headers, patience.signal);
  const { text, value: parsed } = await connection.json(response, patience.signal);
  const value = parsed as Chunk | null;
  if (!Array.isArray(value?.data) && !Array.isArray(value?.choices)) {
    throw new UpstreamFailure("malformed", "an answer without choices or data");
  }
  told.accept();
  meter.take(value);
  // As it came: whatever is nested in it, nobody has to write it again.
  return new Response(text, { headers: { "content-type": "application/json" } });
}

/** What a client is told of it. */
function errorOf(error: unknown): ApiError {
  return error instanceof UpstreamFailure ? forClient(error) : toApiError(error);
}

/** A stream whose first token is there. */
interface Begun {
  readonly events: AsyncGenerator<Passing>;
  readonly source: PassedEvents;
  readonly stream: EventStream;
}

/** Waits for the first token: until then another place may take the request. */
async function begin(visit: Visit, asked: Forwarded): Promise<Begun> {
  const { path, headers, told, streamLimits = STREAM_LIMITS } = asked;
  const options = asked.body.stream_options as { include_usage?: unknown } | null | undefined;
  const body = { ...asked.body, stream_options: { ...options, include_usage: true } };
  visit.awaitFirstToken();
  const response = await visit.connection.post(path, body, headers, visit.patience.signal);
  const source = new PassedEvents({
    hasUsage: options?.include_usage === true,
    bytesMax: streamLimits.bufferBytes / 2,
    onCancel: (reason) => visit.patience.cancel(reason),
  });
  const events = passing(response, visit.watching);
  while (true) {
    const { done, value } = await events.next();
    if (done) break;
    source.push(value);
    if (value.texts === 0) continue;
    visit.noteFirstToken();
    told.accept();
    told.tokens(value.texts);
    break;
  }
  told.accept();
  return { events, source, stream: new EventStream(source, streamLimits) };
}

/** Passes on what comes, no faster than the client reads. Rejects with why it did not come to its end. */
async function pump(visit: Visit, { told }: Forwarded, { events, source, stream }: Begun): Promise<void> {
  try {
    for await (const event of events) {
      told.tokens(event.texts);
      source.push(event);
      stream.notify();
      if (!source.isFull) continue;
      visit.patience.rest();
      await source.read();
      visit.patience.expect("the next part of the stream", visit.watching.stalledMs);
    }
    source.close(DONE_EVENT);
  } catch (error) {
    // Nobody shall take what has arrived for the whole.
    source.close(eventText(OPENAI_ERRORS.body(errorOf(error))));
    throw error;
  } finally {
    stream.end();
  }
}
