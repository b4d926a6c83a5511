/** Answers the requests of any dialect. @module */

import { admit, withLimits } from "../accounts/admission.ts";
import { planCall, replyTo } from "../asking.ts";
import type { Dialect, Endpoint } from "../dialects/dialect.ts";
import type { Call, Exchange, Route, Service } from "../service.ts";
import { asStream, asWhole } from "./answers.ts";

export function dialectRoutes(service: Service, endpoints: readonly Endpoint[]): Route[] {
  return endpoints.map(({ method, path, alias, keyHeaders, load }) => {
    const loading = load();
    loading.catch(() => {});
    return {
      method,
      path,
      alias,
      keyHeaders,
      errors: async () => (await loading).errors,
      handle: async (exchange) => await answer(service, await loading, exchange, path),
    };
  });
}

async function answer(
  service: Service,
  dialect: Dialect,
  exchange: Exchange,
  endpoint: string,
): Promise<Response> {
  service.throwIfDraining();
  // With upstreams a request need not wait for the models here.
  if (service.routing === undefined) service.models.throwIfNone();
  const { request, tenant } = exchange;
  const call = { ...exchange, endpoint, headers: request.headers, body: () => service.bodies.json(request) };
  // What asks for a list costs nothing.
  if (dialect.body === undefined) return Response.json(await replyTo(service, dialect, call));
  const admitted = admit(service, call);
  return withLimits(service, tenant, await answerAdmitted(service, dialect, admitted));
}

async function answerAdmitted(service: Service, dialect: Dialect, call: Call): Promise<Response> {
  const { routing } = service;
  if (dialect.plan === undefined) return Response.json(await replyTo(service, dialect, call));
  const here = (call: Call) => ask(service, dialect, call);
  return routing === undefined ? await here(call) : await routing.answer(service, dialect, call, here);
}

async function ask(service: Service, dialect: Dialect, call: Call): Promise<Response> {
  const called = await planCall(service, dialect, call);
  if ("said" in called) return Response.json(called.said);
  const { events } = called.plan;
  return events === undefined
    ? Response.json(await asWhole(service, called, call))
    : await asStream(service, called, events, call);
}
