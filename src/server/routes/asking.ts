/** What all requests have in common that ask the engine for something. @module */

import { badField } from "../api_error.ts";
import { toApiError } from "../errors.ts";
import type { GenerationPlan } from "../generation_plan.ts";
import type { Run } from "../run.ts";
import type { Exchange, Service } from "../service.ts";

/** Reads and checks the body; what is wrong with it is told to the observer. */
export async function readPlan<T extends GenerationPlan>(
  service: Service,
  { request, id }: Exchange,
  toPlan: (body: unknown) => T,
): Promise<T> {
  try {
    const body = await service.bodies.json(request);
    const plan = toPlan(body);
    service.checkModel((body as { model?: unknown }).model ?? undefined);
    if (!service.host.hasClass(plan.class)) {
      const names = service.host.classes.map((name) => `"${name}"`).join(", ");
      throw badField("class", `"class" must be one of ${names}`, "unknown_class");
    }
    return plan;
  } catch (error) {
    const { code, status } = toApiError(error);
    service.observer.refused({ id, class: "", reason: code ?? "invalid", status });
    throw error;
  }
}

/** Waits for something of a run, which ends when the client leaves. */
export async function whileConnected<T>({ client }: Exchange, run: Run, promise: Promise<T>): Promise<T> {
  const stop = client.onLeft(() => run.cancel());
  try {
    return await promise;
  } finally {
    stop();
  }
}
