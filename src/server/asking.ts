/** From a request to what a dialect wants of the engine, wherever the request comes from. @module */

import { type ApiError, badField } from "./api_error.ts";
import type { Asked, Dialect, Plan } from "./dialects/dialect.ts";
import { toApiError } from "./errors.ts";
import { withGrammars } from "./grammars.ts";
import type { NamedModel } from "./models.ts";
import type { Answerer } from "./run.ts";
import type { Call, Service } from "./service.ts";

/** A request as a dialect sees it. */
interface Read {
  readonly fields: Record<string, unknown>;
  readonly asked: Asked;
  readonly chosen: NamedModel;
  readonly body: unknown;
}

/** What a request asks of the engine. */
export interface PlannedCall {
  readonly plan: Plan;
  /** Who answers. */
  readonly answerer: Answerer;
  /** The value of its body. */
  readonly body: unknown;
}

/** Reads and checks the body, and finds the model that it chooses. Throws an ApiError. */
export async function readCall(service: Service, dialect: Dialect, call: Call): Promise<Read> {
  const { id, tenant, headers } = call;
  const body = dialect.body === undefined ? undefined : await call.body();
  const fields = dialect.read(body, service.onUnknown);
  const chosen = service.models.find(fields.model as string | undefined);
  const asked = {
    id,
    tenant,
    created: Math.floor(Date.now() / 1000),
    headers,
    model: chosen.host.model,
    modelName: chosen.name,
    served: () =>
      service.models.all.flatMap(({ name, host: { loaded } }) =>
        loaded === null ? [] : [{ name, info: loaded.info }]
      ),
  };
  return { fields, asked, chosen, body };
}

/** What a request asks of the engine. What is wrong with it is told to the observer. Throws an ApiError. */
export async function planCall(
  service: Service,
  dialect: Dialect,
  call: Call,
): Promise<PlannedCall> {
  try {
    const { fields, asked, chosen, body } = await readCall(service, dialect, call);
    const plan = await withGrammars(await dialect.plan!(fields, asked), asked.model.info);
    if (!chosen.host.hasClass(plan.class)) throw unknownClass(chosen);
    return { plan, answerer: chosen.host.model, body };
  } catch (error) {
    const { code, status } = toApiError(error);
    service.observer.refused({ id: call.id, class: "", reason: code ?? "invalid", status });
    throw error;
  }
}

function unknownClass({ host }: NamedModel): ApiError {
  const names = host.classes.map((name) => `"${name}"`).join(", ");
  return badField("class", `"class" must be one of ${names}`, "unknown_class");
}
