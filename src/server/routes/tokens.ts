/** POST /tokenize and /detokenize. @module */

import { DETOKENIZE_FIELDS, TOKENIZE_FIELDS } from "../api/requests.ts";
import { checkObject } from "../api/validate.ts";
import { badField } from "../api_error.ts";
import { oneOf } from "../sampling_fields.ts";
import type { Exchange, Route, Service } from "../service.ts";

export function tokenRoutes(service: Service): Route[] {
  return [
    { method: "POST", path: "/tokenize", handle: (exchange) => tokenize(service, exchange) },
    { method: "POST", path: "/detokenize", handle: (exchange) => detokenize(service, exchange) },
    { method: "GET", path: "/tokenizer_info", handle: () => Response.json(describe(service)) },
  ];
}

/** What vLLM's clients, lm-eval among them, want to know to count tokens here. */
function describe({ host: { model: { info } } }: Service) {
  return {
    tokenizer_class: "kumi",
    bos_token: info.bosToken ?? null,
    eos_token: info.eosToken ?? null,
    model_max_length: info.contextLength,
  };
}

async function tokenize(service: Service, exchange: Exchange): Promise<Response> {
  const { model } = service.host;
  const fields = checkObject(TOKENIZE_FIELDS, await readBody(service, exchange), "", service.onUnknown);
  service.checkModel(fields.model);
  const text = oneOf<string>(fields, "content", "prompt");
  if (text === undefined) throw badField("content", '"content" is missing', "missing_field");
  const tokens = await model.tokenize(text, {
    addSpecial: oneOf<boolean>(fields, "add_special", "add_special_tokens"),
    parseSpecial: fields.parse_special as boolean | undefined ?? fields.prompt !== undefined,
  });
  return Response.json({ tokens, count: tokens.length, max_model_len: model.info.contextLength });
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
  return Response.json({ content, prompt: content });
}

/** The body of a request whose client is there: a text is not worth beginning for nobody, and cannot be stopped later. */
async function readBody(service: Service, { request, client }: Exchange): Promise<unknown> {
  const body = await service.bodies.json(request);
  client.throwIfLeft();
  return body;
}
