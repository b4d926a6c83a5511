/** Answers what a plan asks for: as one value, or as a stream of events. @module */

import type { Model } from "../../client/model.ts";
import { ApiError } from "../api_error.ts";
import type { EventWriter, Plan } from "../dialects/dialect.ts";
import { toApiError } from "../errors.ts";
import { Run } from "../run.ts";
import type { Caller, Service } from "../service.ts";
import { type CancelReason, EventStream } from "../sse.ts";
import { StreamedAnswer } from "../streamed_answer.ts";

/** The JSON of the whole answer, which ends when the client leaves. */
export async function asWhole(
  service: Service,
  model: Model,
  plan: Plan,
  { client, id, tenant, startedAt }: Caller,
): Promise<unknown> {
  const run = new Run(model, plan, { id, tenant, observer: service.observer, startedAt });
  service.track(run);
  const stop = client.onLeft(() => run.cancel());
  try {
    return plan.whole(await run.results);
  } finally {
    stop();
  }
}

/** The answer as it comes. */
export async function asStream(
  service: Service,
  model: Model,
  plan: Plan,
  writer: EventWriter,
  { client, id, tenant, startedAt }: Caller,
): Promise<Response> {
  let stream: EventStream | null = null;
  const cancelled = (reason: CancelReason) => {
    if (reason === "disconnected") return run.cancel();
    run.fail(new ApiError(408, `The client's stream ${reason}`, { code: `stream_${reason}` }));
  };
  const answer = new StreamedAnswer(writer, plan.works.length, cancelled);
  const run = new Run(model, plan, {
    id,
    tenant,
    observer: service.observer,
    startedAt,
    listener: {
      accepted: (index, promptTokens, thoughts) => answer.accepted(index, promptTokens, thoughts),
      part: (index, part) => {
        if (answer.part(index, part)) stream?.notify();
      },
      ended: (index, result) => {
        answer.ended(index, result);
        stream?.notify();
      },
    },
  });
  service.track(run);
  // A client that has only closed its side may read on: writing to it tells.
  const halfClosed = Promise.withResolvers<void>();
  const stop = client.onLeft((mayRead) => mayRead ? halfClosed.resolve() : run.cancel());
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
