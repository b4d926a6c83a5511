/** Answers what a plan asks for: as one value, or as a stream of events. @module */

import { ApiError } from "../api_error.ts";
import type { PlannedCall } from "../asking.ts";
import type { EventWriter } from "../dialects/dialect.ts";
import { toApiError } from "../errors.ts";
import { Run, type RunListener } from "../run.ts";
import type { Call, Service } from "../service.ts";
import { type CancelReason, EventStream } from "../sse.ts";
import { StreamedAnswer } from "../streamed_answer.ts";

/** The JSON of the whole answer, which ends when the client leaves. The model is let go at its end. */
export async function asWhole(service: Service, planned: PlannedCall, call: Call): Promise<unknown> {
  const run = startRun(service, planned, call);
  const stop = call.client.onLeft(() => run.cancel());
  try {
    return planned.plan.whole(await run.results);
  } finally {
    stop();
  }
}

/** Asks the engine. The model is let go when that has ended, or cannot begin. Throws an ApiError. */
function startRun(
  service: Service,
  { plan, answerer, lease, body, modelElsewhere }: PlannedCall,
  { client, id, tenant, startedAt, endpoint, observer = service.observer }: Call,
  listener?: RunListener,
): Run {
  const { receipts } = service;
  let run: Run;
  try {
    if (lease !== undefined) client.throwIfLeft();
    const about = { id, tenant, startedAt, endpoint, body, modelLabel: lease?.label, modelElsewhere };
    run = new Run(answerer, plan, { ...about, observer, receipts, listener });
  } catch (error) {
    lease?.[Symbol.dispose]();
    throw error;
  }
  service.track(run, lease);
  return run;
}

/** The answer as it comes. The model is let go at its end. */
export async function asStream(
  service: Service,
  planned: PlannedCall,
  writer: EventWriter,
  call: Call,
): Promise<Response> {
  let stream: EventStream | null = null;
  const cancelled = (reason: CancelReason) => {
    if (reason === "disconnected") return run.cancel();
    run.fail(new ApiError(408, `The client's stream ${reason}`, { code: `stream_${reason}` }));
  };
  const answer = new StreamedAnswer(writer, planned.plan.works.length, cancelled);
  const run = startRun(service, planned, call, {
    accepted: (index, promptTokens, thoughts) => answer.accepted(index, promptTokens, thoughts),
    part: (index, part) => {
      if (answer.part(index, part)) stream?.notify();
    },
    ended: (index, result) => {
      answer.ended(index, result);
      stream?.notify();
    },
  });
  // A client that has only closed its side may read on: writing to it tells.
  const halfClosed = Promise.withResolvers<void>();
  const stop = call.client.onLeft((mayRead) => mayRead ? halfClosed.resolve() : run.cancel());
  // Until here a refusal is a status of its own; from here on an error is an event, and the stream hears of a
  // disconnect.
  await Promise.race([run.accepted, halfClosed.promise]).catch((error) => {
    stop();
    throw error;
  });
  const { contentType = "text/event-stream", keepAlive } = writer.format ?? {};
  const events = stream = new EventStream(answer, service.streamLimits, { keepAlive });
  halfClosed.promise.then(() => events.probe());
  run.results.then((results) => answer.finish(results), (error) => answer.fail(toApiError(error)))
    .finally(() => {
      events.end();
      stop();
    });
  return new Response(events.body, {
    headers: { "content-type": contentType, "cache-control": "no-cache", "x-accel-buffering": "no" },
  });
}
