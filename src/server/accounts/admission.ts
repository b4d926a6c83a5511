/** What a request passes for its key's sake, wherever it comes from. @module */

import { toApiError } from "../errors.ts";
import { limitsNow } from "./account.ts";
import type { Call, Service } from "../service.ts";

const CLASS_HEADER = "x-kumi-class";

/** The call with the class that is its key's default. It counts for the key's limits. Throws an ApiError, 429, where one is reached. */
export function admit(service: Service, call: Call): Call {
  const account = service.accounts.of(call.tenant);
  if (account === undefined) return call;
  try {
    account.enter(limitsNow());
  } catch (error) {
    const { status, code = "" } = toApiError(error);
    service.usage.limited(call.tenant);
    service.observer.refused({ id: call.id, class: "", reason: code, status });
    throw error;
  }
  const [first] = account.rules.classes ?? [];
  if (first === undefined || call.headers.has(CLASS_HEADER)) return call;
  const headers = new Headers(call.headers);
  headers.set(CLASS_HEADER, first);
  return { ...call, headers };
}

/** The response with what is left of its key's limits. */
export function withLimits(service: Service, tenant: string, response: Response): Response {
  const headers = service.accounts.of(tenant)?.headers(limitsNow()) ?? {};
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** The models of a server that a key may ask. */
export function modelsOf<T extends { readonly name: string; readonly aliases?: readonly string[] }>(
  service: Service,
  tenant: string,
  models: readonly T[],
): readonly T[] {
  const account = service.accounts.of(tenant);
  return account === undefined
    ? models
    : models.filter(({ name, aliases = [] }) => account.maySeeModel([name, ...aliases]));
}
