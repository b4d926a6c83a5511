/** GET /v1/models and /v1/models/{id}. @module */

import { modelsOf } from "../accounts/admission.ts";
import { ApiError } from "../api_error.ts";
import { progressFields } from "./health.ts";
import { samplingFields } from "../schema/sampling_fields.ts";
import type { ListedModel } from "../models.ts";
import { VERSION } from "../../protocol/version.ts";
import type { Exchange, Route, Service } from "../service.ts";

const MODELS = "/v1/models";
const ALIAS = "/models";

export function modelRoutes(service: Service): Route[] {
  return [
    {
      method: "GET",
      path: MODELS,
      alias: ALIAS,
      handle: ({ tenant }) =>
        Response.json({
          object: "list",
          data: [
            ...modelsOf(service, tenant, service.models.list()).map((each) =>
              describe(service, tenant, each)
            ),
            ...elsewhere(service, tenant),
          ],
        }),
    },
    {
      method: "GET",
      path: `${MODELS}/*`,
      alias: `${ALIAS}/*`,
      handle: (exchange) => one(service, exchange),
    },
  ];
}

function one(service: Service, { url, tenant }: Exchange): Response {
  let name: string;
  try {
    const { length } = url.pathname.startsWith(MODELS) ? MODELS : ALIAS;
    name = decodeURIComponent(url.pathname.slice(length + 1));
  } catch {
    throw new ApiError(400, "The name of the model is no valid URL text", { param: "model" });
  }
  const away = elsewhere(service, tenant).find(({ id }) => id === name);
  if (away !== undefined) return Response.json(away);
  const model = service.models.find(name);
  service.accounts.of(tenant)?.checkModel([model.name, ...model.aliases]);
  return Response.json(describe(service, tenant, model));
}

/** Models that only upstreams have. */
function elsewhere(service: Service, tenant: string) {
  const { createdAt, models, routing } = service;
  const others = routing?.modelsBeside(models.known().map(({ name }) => name)) ?? [];
  return modelsOf(service, tenant, others).map(({ name, upstream }) => ({
    id: name,
    object: "model",
    created: createdAt,
    owned_by: upstream,
  }));
}

/** As the key of a tenant may use it. */
function describe({ createdAt, models, accounts }: Service, tenant: string, model: ListedModel) {
  const { name, info } = model;
  const { classes: allowed } = accounts.of(tenant)?.rules ?? {};
  const classes = model.classes.filter((each) => allowed?.includes(each) ?? true);
  const defaultClass = allowed === undefined ? model.defaultClass : allowed[0];
  const what = info === null ? {} : {
    name: info.name ?? null,
    architecture: info.architecture,
    parameters: info.parameters,
    weight_bytes: info.weightBytes,
    context_length: info.contextLength,
    vocab: info.vocab,
    pooling: info.pooling,
    has_chat_template: info.hasChatTemplate,
  };
  const how = info === null
    ? {}
    : { isa: info.isa, threads: info.threads, sampling: samplingFields(info.sampling) };
  return {
    id: name,
    object: "model",
    created: createdAt,
    owned_by: "kumi",
    kumi: {
      version: VERSION,
      ...what,
      classes,
      default_class: defaultClass,
      ...how,
      memory_bytes: model.heldBytes ?? null,
      ...models.isShared ? residence(model) : {},
    },
  };
}

/** Where a model is that shares the memory with others. */
function residence(model: ListedModel) {
  const { state, aliases, fileBytes, leavesAt, uses, waiting, problem, progress } = model;
  return {
    state,
    aliases,
    file_bytes: fileBytes ?? null,
    expires_at: leavesAt === undefined ? null : new Date(leavesAt).toISOString(),
    requests: { running: uses, waiting },
    ...progress === undefined ? {} : { progress: progressFields(progress) },
    ...problem === undefined ? {} : { problem },
  };
}
