/** Asks an upstream for the answer to a request, in the dialect of whoever asked. @module */

import type { Passage } from "../../routing/route_policy.ts";
import type { RouteMetrics } from "../metrics/route_metrics.ts";
import { asStream, asWhole } from "../routes/answers.ts";
import type { Call, Service } from "../service.ts";
import { chatBody } from "./chat_body.ts";
import type { UpstreamConnection } from "./connection.ts";
import { UpstreamFailure } from "./failure.ts";
import { forward } from "./forward.ts";
import { HeldObserver } from "./held_observer.ts";
import type { Prepared } from "./prepare.ts";
import { remoteAnswerer } from "./remote_model.ts";
import { bodyFor, DATA_HEADER, HOP_HEADER, VIA_HEADER, viaOf } from "./request.ts";
import { Told } from "./told.ts";
import { Visit, type VisitEnd } from "./visit.ts";

const EMBEDDINGS = "/embeddings";

/** What is sent where. */
export interface Visiting {
  readonly service: Service;
  readonly call: Call;
  readonly prepared: Prepared;
  readonly connection: UpstreamConnection;
  readonly passage: Passage;
  /** As the upstream names it. */
  readonly model: string;
  /** The name of this server for others that it is linked with. */
  readonly server: string;
  readonly metrics: RouteMetrics;
  readonly onEnd: (end: VisitEnd) => void;
}

/** The response. Throws an UpstreamFailure or an ApiError as long as nothing was sent to the client. */
export async function visitUpstream(visiting: Visiting): Promise<Response> {
  const { connection, passage, metrics, prepared, onEnd } = visiting;
  const { request, urgency: { deadlineMs } } = prepared;
  const visit = new Visit({ connection, passage, metrics, request, deadlineMs, onEnd });
  try {
    return prepared.plan === undefined ? await passOn(visit, visiting) : await translate(visit, visiting);
  } catch (error) {
    visit.end(error);
    throw error;
  }
}

/** OpenAI's interface: body and answer stay what they are. */
async function passOn(
  visit: Visit,
  visiting: Visiting,
): Promise<Response> {
  const { service, call, prepared, connection, model } = visiting;
  const { request, dialect, body, urgency } = prepared;
  const { client, id, tenant, startedAt } = call;
  const told = new Told(service.observer, {
    id,
    tenant,
    startedAt,
    class: urgency.class,
    promptTokens: request.promptTokens,
    modelElsewhere: request.model,
    isEmbedding: dialect.forwards === EMBEDDINGS,
  });
  return await forward(visit, {
    path: dialect.forwards!,
    body: bodyFor(body, model, connection.options.kind === "kumi"),
    headers: headersFor(visiting),
    client,
    told,
    streamLimits: service.streamLimits,
    track: (answer) => service.track(answer),
  });
}

/** Another interface: the upstream is asked for a chat, and its answer is written as the client knows it. */
async function translate(visit: Visit, visiting: Visiting): Promise<Response> {
  const { service, call, prepared, model } = visiting;
  const plan = prepared.plan!;
  let failure: unknown;
  const answerer = remoteAnswerer(visit, {
    body: chatBody(plan.chat, model),
    headers: headersFor(visiting),
    onFailure: (error) => failure = error,
  });
  const planned = { plan, answerer, body: prepared.body, modelElsewhere: prepared.request.model };
  // Who hears of a refusal is decided where it is known whether another place takes the request.
  const quiet = { ...call, observer: new HeldObserver(service.observer) };
  try {
    return plan.events === undefined
      ? Response.json(await asWhole(service, planned, quiet))
      : await asStream(service, planned, plan.events, quiet);
  } catch (error) {
    throw failure instanceof UpstreamFailure ? failure : error;
  }
}

/** Another kumi keeps to label, class and deadline, and sends nothing further. */
function headersFor({ call, prepared, connection, server }: Visiting): Record<string, string> {
  const via = { [VIA_HEADER]: viaOf(call.headers, server) };
  if (connection.options.kind !== "kumi") return via;
  const { request, urgency } = prepared;
  return {
    ...via,
    [HOP_HEADER]: "1",
    [DATA_HEADER]: request.data,
    "x-kumi-class": urgency.class,
    ...urgency.deadlineMs === undefined ? {} : { "x-kumi-deadline-ms": String(urgency.deadlineMs) },
  };
}
