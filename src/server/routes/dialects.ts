/** Answers the requests of any dialect. @module */

import { withGrammars } from "../grammars.ts";
import { type ApiError, badField } from "../api_error.ts";
import type { Asked, Dialect, Endpoint, Plan } from "../dialects/dialect.ts";
import { toApiError } from "../errors.ts";
import type { NamedModel } from "../models.ts";
import type { Exchange, Route, Service } from "../service.ts";
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
      handle: async (exchange) => await answer(service, await loading, exchange),
    };
  });
}

async function answer(service: Service, dialect: Dialect, exchange: Exchange): Promise<Response> {
  service.models.throwIfNone();
  return dialect.plan === undefined
    ? await reply(service, dialect, exchange)
    : await ask(service, dialect, exchange);
}

/** A request as a dialect sees it. */
interface Read {
  readonly fields: Record<string, unknown>;
  readonly asked: Asked;
  readonly chosen: NamedModel;
}

/** Reads and checks the body, and finds the model that it chooses. */
async function read(service: Service, dialect: Dialect, exchange: Exchange): Promise<Read> {
  const { request, id, tenant } = exchange;
  const body = dialect.body === undefined ? undefined : await service.bodies.json(request);
  const fields = dialect.read(body, service.onUnknown);
  const chosen = service.models.find(fields.model as string | undefined);
  const asked = {
    id,
    tenant,
    created: Math.floor(Date.now() / 1000),
    headers: request.headers,
    model: chosen.host.model,
    modelName: chosen.name,
    served: () =>
      service.models.all.flatMap(({ name, host: { loaded } }) =>
        loaded === null ? [] : [{ name, info: loaded.info }]
      ),
  };
  return { fields, asked, chosen };
}

async function reply(service: Service, dialect: Dialect, exchange: Exchange): Promise<Response> {
  const { fields, asked } = await read(service, dialect, exchange);
  // It cannot be stopped later.
  exchange.client.throwIfLeft();
  return Response.json(await dialect.reply!(fields, asked));
}

async function ask(service: Service, dialect: Dialect, exchange: Exchange): Promise<Response> {
  const { plan, chosen } = await readPlan(service, dialect, exchange);
  exchange.client.throwIfLeft();
  return plan.events === undefined
    ? await asWhole(service, chosen.host.model, plan, exchange)
    : await asStream(service, chosen.host.model, plan, plan.events, exchange);
}

/** What is wrong with a request is told to the observer. */
async function readPlan(
  service: Service,
  dialect: Dialect,
  exchange: Exchange,
): Promise<{ plan: Plan; chosen: NamedModel }> {
  try {
    const { fields, asked, chosen } = await read(service, dialect, exchange);
    const plan = await withGrammars(await dialect.plan!(fields, asked));
    if (!chosen.host.hasClass(plan.class)) throw unknownClass(chosen);
    return { plan, chosen };
  } catch (error) {
    const { code, status } = toApiError(error);
    service.observer.refused({ id: exchange.id, class: "", reason: code ?? "invalid", status });
    throw error;
  }
}

function unknownClass({ host }: NamedModel): ApiError {
  const names = host.classes.map((name) => `"${name}"`).join(", ");
  return badField("class", `"class" must be one of ${names}`, "unknown_class");
}
