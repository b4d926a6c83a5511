/** POST /admin/…: what an administrator does to a running server. @module */

import { ApiError, badField } from "../api_error.ts";
import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import type { Exchange, Route, Service } from "../service.ts";

/** What whoever runs the server can have done; what is not there has no path. */
export interface AdminActions {
  /** Reads keys and settings again, and says what that has changed. Throws an Error that says why nothing has. */
  readonly onReload?: () => {
    /** API keys that there are now. */
    readonly keys: number;
    /** Names of settings that count at once, and of those that wait for a new start. */
    readonly changed: readonly string[];
    readonly waiting: readonly string[];
  };
  /** Begins to end the server. */
  readonly onShutdown?: () => void;
}

/** How long a model may take to load. */
const LOAD_MS = 3_600_000;

/** Each needs an administrator's key. Without any keys models may be loaded and unloaded by all, who may ask for them as well. */
export function adminRoutes(service: Service, { onReload, onShutdown }: AdminActions): Route[] {
  const keyed = (path: string, run: (exchange: Exchange) => unknown): Route => ({
    method: "POST",
    path,
    handle: async (exchange) => {
      checkAdmin(service, exchange.tenant);
      tell(service, path, exchange);
      return Response.json(await run(exchange));
    },
  });
  const ofModel = (path: string, run: (name: string | undefined, exchange: Exchange) => unknown): Route => ({
    method: "POST",
    path,
    handle: async (exchange) => {
      service.accounts.of(exchange.tenant)?.checkAdmin();
      const name = await modelIn(service, exchange);
      tell(service, path, exchange, name);
      return Response.json(await run(name, exchange));
    },
  });
  return [
    ofModel("/admin/load", (name, exchange) => load(service, name, exchange)),
    ofModel("/admin/unload", (name) => unload(service, name)),
    keyed("/admin/drain", () => service.pause()),
    keyed("/admin/resume", () => service.resume()),
    ...onReload === undefined ? [] : [keyed("/admin/reload", () => reload(onReload))],
    ...onShutdown === undefined ? [] : [keyed("/admin/shutdown", () => {
      // After this answer.
      setTimeout(onShutdown, 0);
      return { state: "draining" };
    })],
  ];
}

/** Who does something to the server stands in its log, before what comes of it. */
function tell({ accounts }: Service, path: string, { tenant, id }: Exchange, model?: string): void {
  const who = accounts.of(tenant)?.name;
  const of = model === undefined ? "" : ` ${JSON.stringify(model)}`;
  const asked = who === undefined ? "was asked for without a key" : `was asked for by ${JSON.stringify(who)}`;
  printNote(`kumi: ${path}${oneLine(of)} ${oneLine(asked)} (request ${id})`);
}

/** Throws an ApiError, 403. Where no key is needed nobody is an administrator. */
function checkAdmin({ accounts }: Service, tenant: string): void {
  const account = accounts.of(tenant);
  if (account !== undefined) return account.checkAdmin();
  throw new ApiError(403, "This needs an administrator's API key, and the server has none", {
    code: "admin_only",
  });
}

async function modelIn(service: Service, { request }: Exchange): Promise<string | undefined> {
  const { readFields } = await import("../schema/read.ts");
  const { MODEL_BODY } = await import("../api/admin_fields.ts");
  return readFields(MODEL_BODY, await service.bodies.json(request), service.onUnknown).model;
}

async function load(service: Service, name: string | undefined, { startedAt, client }: Exchange) {
  const wish = {
    startedAt,
    deadlineMs: LOAD_MS,
    onLeft: (listener: () => void) => client.onLeft(() => listener()),
  };
  using lease = await service.models.lease(name, wish);
  return { model: lease.name, state: "ready" };
}

function unload({ models }: Service, name: string | undefined) {
  if (!models.dismiss(name)) {
    throw badField("model", "This server keeps its model for as long as it runs", "model_stays");
  }
  const { name: model, state } = models.find(name);
  return { model, state };
}

function reload(onReload: NonNullable<AdminActions["onReload"]>) {
  try {
    const { keys, changed, waiting } = onReload();
    return { keys, changed, waiting };
  } catch (error) {
    throw new ApiError(400, `Nothing has changed: ${(error as Error).message}`, { code: "reload_failed" });
  }
}
