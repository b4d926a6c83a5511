/** From a request to what a dialect wants of the engine, wherever the request comes from. @module */

import { modelsOf } from "./accounts/admission.ts";
import { type ApiError, badField } from "./api_error.ts";
import type { Asked, Dialect, Plan } from "./dialects/dialect.ts";
import { toApiError } from "./errors.ts";
import { withGrammars } from "./grammars.ts";
import type { Lease, NamedModel } from "./models.ts";
import type { Answerer } from "./run.ts";
import type { Call, Service } from "./service.ts";

/** What is to be asked, and of whom. */
export interface PlannedCall {
  readonly plan: Plan;
  /** Who answers. */
  readonly answerer: Answerer;
  /** Of a model here: it is let go when the answer has ended. */
  readonly lease?: Lease;
  /** The value of its body. */
  readonly body: unknown;
  /** As the request names its model, where another server answers. */
  readonly modelElsewhere?: string;
}

/** A request's answer that needs no engine, or what is to be asked of it. */
export type Called = { readonly said: unknown } | PlannedCall;

type Fields = Record<string, unknown>;

/** Reads and checks the body. Throws an ApiError. */
async function readFields(
  service: Service,
  dialect: Dialect,
  call: Call,
): Promise<{ readonly fields: Fields; readonly body: unknown }> {
  const body = dialect.body === undefined ? undefined : await call.body();
  return { fields: dialect.read(body, service.onUnknown), body };
}

/** Throws an ApiError, 403, for a model that the caller's key may not ask. */
function checkModel(service: Service, fields: Fields, { tenant }: Call): void {
  const account = service.accounts.of(tenant);
  if (account?.rules.models === undefined) return;
  const { name, aliases } = service.models.find(fields.model as string | undefined);
  account.checkModel([name, ...aliases]);
}

/** The model that a request chooses. Throws an ApiError. */
async function leaseFor(service: Service, dialect: Dialect, fields: Fields, call: Call): Promise<Lease> {
  // The dialect that read the fields has loaded it.
  const { urgencyBefore } = await import("./dialects/urgency.ts");
  const { class: name, deadlineMs } = urgencyBefore(fields, call.headers);
  // No model is loaded for who may not ask it.
  const account = service.accounts.of(call.tenant);
  if (name !== undefined) account?.checkClass(name);
  return await service.models.lease(fields.model as string | undefined, {
    class: name,
    deadlineMs,
    startedAt: call.startedAt,
    // How long models stay is an administrator's to say.
    keepAliveMs: account === undefined || account.rules.admin ? dialect.keeping?.(fields)?.ms : undefined,
    onLeft: (listener) => call.client.onLeft(() => listener()),
  });
}

function askedOf(
  service: Service,
  call: Call,
  asked: Pick<Asked, "model" | "modelName" | "waitedMs">,
): Asked {
  const { id, tenant, headers } = call;
  return {
    id,
    tenant,
    created: Math.floor(Date.now() / 1000),
    headers,
    ...asked,
    served: () => modelsOf(service, tenant, service.models.list()),
  };
}

/** The answer of a dialect that asks nothing of the engine's steps. Throws an ApiError. */
export async function replyTo(service: Service, dialect: Dialect, call: Call): Promise<unknown> {
  const { fields } = await readFields(service, dialect, call);
  // Who asks for a list names no model.
  if (dialect.body !== undefined && dialect.needs !== "nothing") checkModel(service, fields, call);
  if (dialect.needs === "nothing") {
    // Nobody asks such a dialect's model.
    const model = undefined as never;
    return await dialect.reply!(fields, askedOf(service, call, { model, modelName: service.models.first }));
  }
  if (dialect.needs === "info") {
    const { name, info } = service.models.find(fields.model as string | undefined);
    if (info !== null) {
      const model = { info } as Asked["model"];
      return await dialect.reply!(fields, askedOf(service, call, { model, modelName: name }));
    }
  }
  using lease = await leaseFor(service, dialect, fields, call);
  // It cannot be stopped later.
  call.client.throwIfLeft();
  const asked = askedOf(service, call, { model: lease.host.model, modelName: lease.name });
  return await dialect.reply!(fields, asked);
}

/** What a request asks of the engine. What is wrong with it is told to the observer. Throws an ApiError. */
export async function planCall(service: Service, dialect: Dialect, call: Call): Promise<Called> {
  let lease: Lease | undefined;
  try {
    const { fields, body } = await readFields(service, dialect, call);
    checkModel(service, fields, call);
    const keeping = dialect.keeping?.(fields);
    if (keeping?.ms === 0 && keeping.only) service.accounts.of(call.tenant)?.checkAdmin();
    if (keeping?.ms === 0 && keeping.only && service.models.dismiss(fields.model as string | undefined)) {
      const modelName = service.models.find(fields.model as string | undefined).name;
      return { said: keeping.dismissed(modelName) };
    }
    lease = await leaseFor(service, dialect, fields, call);
    const { host: { model }, name: modelName, waitedMs } = lease;
    const asked = askedOf(service, call, { model, modelName, waitedMs });
    const plan = await withGrammars(await dialect.plan!(fields, asked), model.info);
    if (!lease.host.hasClass(plan.class)) throw unknownClass(lease);
    service.accounts.of(call.tenant)?.checkClass(plan.class);
    return { plan, answerer: model, lease, body };
  } catch (error) {
    const { code, status } = toApiError(error);
    const model = lease?.label;
    lease?.[Symbol.dispose]();
    service.observer.refused({
      id: call.id,
      class: "",
      reason: code ?? "invalid",
      status,
      ...model === undefined ? {} : { model },
    });
    throw error;
  }
}

function unknownClass({ host }: NamedModel): ApiError {
  const names = host.classes.map((name) => `"${name}"`).join(", ");
  return badField("class", `"class" must be one of ${names}`, "unknown_class");
}
