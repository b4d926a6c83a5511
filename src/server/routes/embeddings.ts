/** POST /v1/embeddings. @module */

import { embeddingOf } from "../../client/embedding.ts";
import { embeddingList, planEmbeddings } from "../embedding_plan.ts";
import { Run } from "../run.ts";
import type { Exchange, Route, Service } from "../service.ts";
import { readPlan, whileConnected } from "./asking.ts";

export function embeddingRoutes(service: Service): Route[] {
  return [{
    method: "POST",
    path: "/v1/embeddings",
    alias: "/embeddings",
    handle: (exchange) => embed(service, exchange),
  }];
}

async function embed(service: Service, exchange: Exchange): Promise<Response> {
  const { request, id, tenant, startedAt } = exchange;
  const { observer, host: { model }, modelName } = service;
  const { vocab, hidden, pooling, defaultClass } = model.info;
  const { onUnknown } = service;
  const context = { headers: request.headers, tenant, vocab, hidden, pooling, defaultClass, onUnknown };
  const plan = await readPlan(service, exchange, (body) => planEmbeddings(body, context));
  const run = new Run(model, plan, { id, tenant, observer, startedAt });
  service.track(run);
  const results = await whileConnected(exchange, run, run.results);
  const vectors = results.map((result) => embeddingOf(result, plan.dimensions));
  const promptTokens = results.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
  return Response.json(embeddingList(vectors, { encoding: plan.encoding, model: modelName, promptTokens }));
}
