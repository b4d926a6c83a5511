/** GET /v1/models and /v1/models/{id}. @module */

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
      handle: () =>
        Response.json({
          object: "list",
          data: [
            ...service.models.list().map((each) => describe(service, each)),
            ...elsewhere(service),
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

function one(service: Service, { url }: Exchange): Response {
  let name: string;
  try {
    const { length } = url.pathname.startsWith(MODELS) ? MODELS : ALIAS;
    name = decodeURIComponent(url.pathname.slice(length + 1));
  } catch {
    throw new ApiError(400, "The name of the model is no valid URL text", { param: "model" });
  }
  const away = elsewhere(service).find(({ id }) => id === name);
  return Response.json(away ?? describe(service, service.models.find(name)));
}

/** Models that only upstreams have. */
function elsewhere({ createdAt, models, routing }: Service) {
  const others = routing?.modelsBeside(models.known().map(({ name }) => name)) ?? [];
  return others.map(({ name, upstream }) => ({
    id: name,
    object: "model",
    created: createdAt,
    owned_by: upstream,
  }));
}

function describe({ createdAt, models }: Service, model: ListedModel) {
  const { name, info, classes, defaultClass } = model;
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
