/** POST /v1/chat/completions and /v1/completions. @module */

import type { Model } from "../../client/model.ts";
import type { Prompt } from "../../protocol/request.ts";
import { ApiError } from "../api_error.ts";
import { toApiError } from "../errors.ts";
import { type AnswerFormat, ChatFormat, TextFormat } from "../formats.ts";
import { type GenerationPlan, planChat, type PlanContext, planText } from "../generation_plan.ts";
import { Run } from "../run.ts";
import type { Exchange, Route, Service } from "../service.ts";
import { readPlan, whileConnected } from "./asking.ts";
import { type CancelReason, EventStream } from "../sse.ts";
import { StreamedAnswer } from "../streamed_answer.ts";

interface Kind {
  readonly path: string;
  plan(body: unknown, context: PlanContext): GenerationPlan;
  readonly format: new (...of: ConstructorParameters<typeof ChatFormat>) => AnswerFormat;
}

const KINDS: readonly Kind[] = [
  { path: "/v1/chat/completions", plan: planChat, format: ChatFormat },
  { path: "/v1/completions", plan: planText, format: TextFormat },
];

export function generationRoutes(service: Service): Route[] {
  return KINDS.map((kind) => ({
    method: "POST",
    path: kind.path,
    alias: kind.path.replace("/v1", ""),
    handle: (exchange) => generate(service, kind, exchange),
  }));
}

async function generate(service: Service, kind: Kind, exchange: Exchange): Promise<Response> {
  const { request, tenant, id } = exchange;
  const { model } = service.host;
  const { onUnknown } = service;
  const { vocab, defaultClass } = model.info;
  const context = { headers: request.headers, tenant, vocab, defaultClass, onUnknown };
  const plan = await readPlan(service, exchange, (body) => kind.plan(body, context));
  const created = Math.floor(Date.now() / 1000);
  const head = { id, created, model: service.modelName, system_fingerprint: model.info.fingerprint };
  const echoed = plan.echoes ? await echoesOf(model, plan) : undefined;
  exchange.client.throwIfLeft();
  const format = new kind.format(head, plan.includeUsage, { ...plan, echoed });
  return plan.stream
    ? await streamed(service, plan, exchange, format)
    : await whole(service, plan, exchange, format);
}

/** The texts of the prompts: what their tokens say, so that the offsets of tokens are right. */
async function echoesOf(model: Model, { jobs, n }: GenerationPlan): Promise<string[]> {
  const textOf = async (prompt: Prompt) => {
    if ("messages" in prompt) throw new TypeError("A conversation has no text to echo");
    const tokens = "tokens" in prompt ? prompt.tokens : await model.tokenize(prompt.text);
    return await model.detokenize(tokens, { special: jobs[0].options.specialTokens });
  };
  const texts = await Promise.all(jobs.filter((_, i) => i % n === 0).map(({ prompt }) => textOf(prompt)));
  return jobs.map((_, i) => texts[Math.floor(i / n)]);
}

async function whole(
  service: Service,
  plan: GenerationPlan,
  exchange: Exchange,
  format: AnswerFormat,
): Promise<Response> {
  const { id, tenant, startedAt } = exchange;
  const { observer, host: { model } } = service;
  const run = new Run(model, plan, { id, tenant, observer, startedAt });
  service.track(run);
  return Response.json(format.whole(await whileConnected(exchange, run, run.results), plan.n));
}

async function streamed(
  service: Service,
  plan: GenerationPlan,
  { client, id, tenant, startedAt }: Exchange,
  format: AnswerFormat,
): Promise<Response> {
  const { observer, host: { model } } = service;
  let stream: EventStream | null = null;
  const cancelled = (reason: CancelReason) => {
    if (reason === "disconnected") return run.cancel();
    run.fail(new ApiError(408, `The client's stream ${reason}`, { code: `stream_${reason}` }));
  };
  const { includeUsage, continuousUsage } = plan;
  const shape = { count: plan.jobs.length, n: plan.n, includeUsage, continuousUsage };
  const answer = new StreamedAnswer(format, shape, cancelled);
  const run = new Run(model, plan, {
    id,
    tenant,
    observer,
    startedAt,
    listener: {
      accepted: (index, promptTokens) => answer.accepted(index, promptTokens),
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
  // Until here a refusal is a status of its own; from here on an error is an event, and the stream hears of a disconnect.
  await Promise.race([run.accepted, halfClosed.promise]).catch((error) => {
    stop();
    throw error;
  });
  const events = stream = new EventStream(answer, service.streamLimits);
  halfClosed.promise.then(() => events.probe());
  run.results.then((results) => answer.finish(results), (error) => answer.fail(toApiError(error)))
    .finally(() => {
      events.end();
      stop();
    });
  return new Response(events.body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" },
  });
}
