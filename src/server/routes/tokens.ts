/** POST /tokenize and /detokenize. @module */

import { DETOKENIZE_FIELDS, TOKENIZE_FIELDS } from "../api/requests.ts";
import { checkObject } from "../api/validate.ts";
import { badField } from "../api_error.ts";
import type { Exchange, Route, Service } from "../service.ts";

export function tokenRoutes(service: Service): Route[] {
  return [
    { method: "POST", path: "/tokenize", handle: (exchange) => tokenize(service, exchange) },
    { method: "POST", path: "/detokenize", handle: (exchange) => detokenize(service, exchange) },
  ];
}

async function tokenize(service: Service, exchange: Exchange): Promise<Response> {
  const { model } = service.host;
  const fields = checkObject(TOKENIZE_FIELDS, await readBody(service, exchange), "", service.onUnknown);
  service.checkModel(fields.model);
  const tokens = await model.tokenize(fields.content as string, {
    addSpecial: fields.add_special as boolean | undefined,
    parseSpecial: fields.parse_special as boolean | undefined,
  });
  return Response.json({ tokens, count: tokens.length });
}

async function detokenize(service: Service, exchange: Exchange): Promise<Response> {
  const { model } = service.host;
  const fields = checkObject(DETOKENIZE_FIELDS, await readBody(service, exchange), "", service.onUnknown);
  service.checkModel(fields.model);
  const tokens = fields.tokens as number[];
  const { vocab } = model.info;
  const bad = tokens.find((token) => token >= vocab);
  if (bad !== undefined) throw badField("tokens", `Tokens must be below ${vocab}, one is ${bad}`);
  const content = await model.detokenize(tokens, { special: fields.special as boolean | undefined });
  return Response.json({ content });
}

/** The body of a request whose client is there: a text is not worth beginning for nobody, and cannot be stopped later. */
async function readBody(service: Service, { request, client }: Exchange): Promise<unknown> {
  const body = await service.bodies.json(request);
  client.throwIfLeft();
  return body;
}
