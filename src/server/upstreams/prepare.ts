/** From a request to what decides where it goes. @module */

import { defaultClass, type LatencyClass } from "../../../scheduler/mod.ts";
import type { DataLabel } from "../../routing/data_label.ts";
import type { HereOutlook, RouteReason, RouteRequest } from "../../routing/route_policy.ts";
import { ApiError, badField } from "../api_error.ts";
import type { Asked, Dialect, Plan } from "../dialects/dialect.ts";
import { type Urgency, URGENCY_FIELDS, urgencyOf } from "../dialects/urgency.ts";
import type { ModelHost } from "../model_host.ts";
import { object, text } from "../schema/fields.ts";
import { readFields } from "../schema/read.ts";
import type { Call, Service } from "../service.ts";
import { isPortable } from "./chat_body.ts";
import { remoteModel } from "./remote_model.ts";
import {
  type Body,
  bodyOf,
  hasPassed,
  HOP_HEADER,
  isInTokens,
  labelOf,
  maxTokensOf,
  promptTokensOf,
  wantsReceipt,
} from "./request.ts";

/** What all requests are prepared with. */
export interface Preparing {
  /** The name of this server for others that it is linked with. */
  readonly server: string;
  /** Of the model of a name. */
  readonly classesOf: (model: string) => readonly LatencyClass[];
  /** The least strict label of requests with a key, by its tenant. */
  readonly labelOf: (tenant: string) => DataLabel | undefined;
  /** The label of requests that have none. */
  readonly data: DataLabel;
  /** Whether an upstream has a model of this name. */
  readonly hasModel: (name: string) => boolean;
}

/** A request that may be answered elsewhere. */
export interface Prepared {
  readonly request: RouteRequest;
  readonly here: HereOutlook;
  /** As the client has it, an object. */
  readonly body: Body;
  readonly dialect: Dialect;
  readonly urgency: ReturnType<typeof urgencyOf>;
  /** Of a dialect that other servers do not speak: what it asks, and how it writes what comes. */
  readonly plan?: Plan & Required<Pick<Plan, "chat">>;
}

/** A request that is answered here, or refused, as without upstreams. */
export interface Staying {
  /** No upstream has its model, or it asks for what none could answer. */
  readonly stays: Extract<RouteReason, "only-here" | "bound">;
  readonly data: DataLabel;
}

const NAME_MAX = 256;
const ABOUT = object({}, { model: text(NAME_MAX), ...URGENCY_FIELDS, cache_salt: text(1024, { min: 1 }) });
const ABOUT_NAMES = Object.keys(ABOUT.shape);

/** What decides where a request goes. Throws an ApiError for one that is wrong. */
export async function prepare(
  service: Service,
  dialect: Dialect,
  call: Call,
  value: unknown,
  { server, classesOf, labelOf: keyLabelOf, data, hasModel }: Preparing,
): Promise<Prepared | Staying> {
  const body = bodyOf(dialect.unpack?.(value) ?? value);
  // A label that is none is refused wherever the request would go.
  const label = labelOf(body, call.headers, { key: keyLabelOf(call.tenant), fallback: data });
  const name = body.model ?? service.models.first;
  if (typeof name !== "string" || !hasModel(name)) return { stays: "only-here", data: label };
  const account = service.accounts.of(call.tenant);
  account?.checkModel([name]);
  const served = service.models.served(name);
  const isServed = served !== undefined, host = served?.host ?? null;
  const hasReturned = hasPassed(call.headers, server);
  const mayLeave = !hasReturned && !call.headers.has(HOP_HEADER) && !wantsReceipt(body);
  const bound: Staying = { stays: "bound", data: label };
  if (isServed && (!mayLeave || isInTokens(body))) return bound;
  if (hasReturned) throw loop();
  if (call.headers.has(HOP_HEADER)) throw notFurther(name);
  if (!mayLeave) throw notElsewhere(name, "A receipt");
  const fields = !isServed && dialect.forwards !== undefined
    ? aboutOf(body)
    // What is ignored is told where it is answered.
    : dialect.read(value, service.onUnknown && (() => {}));
  const classes = classesOf(name);
  const asked = askedOf(call, name, remoteModel(host?.loaded?.info, defaultClass(classes)));
  const urgency = urgencyOf(fields as Urgency, asked);
  account?.checkClass(urgency.class);
  const latencyClass = classes.find((each) => each.name === urgency.class);
  if (latencyClass === undefined && !host?.hasClass(urgency.class)) {
    const names = classes.map((each) => `"${each.name}"`).join(", ");
    throw badField("class", `"class" must be one of ${names}`, "unknown_class");
  }
  const plan = dialect.forwards === undefined ? await planOf(dialect, fields, asked) : undefined;
  if (plan === null) {
    if (isServed) return bound;
    throw notElsewhere(name);
  }
  const promptTokens = promptTokensOf(body), maxTokens = maxTokensOf(body);
  const request = { model: name, class: urgency.class, data: label, promptTokens, maxTokens };
  const here = isServed ? outlookOf(host, request, urgency, latencyClass) : { isServed };
  return { request, here, body, dialect, urgency, plan };
}

/** Of a body that is not for a model here: others know other fields. */
function aboutOf(body: Body): Record<string, unknown> {
  return readFields(ABOUT, Object.fromEntries(ABOUT_NAMES.map((name) => [name, body[name]])));
}

function askedOf({ id, tenant, headers }: Call, modelName: string, model: Asked["model"]): Asked {
  return { id, tenant, headers, created: Math.floor(Date.now() / 1000), model, modelName, served: () => [] };
}

/** null: it asks for more than a conversation that another server can answer. */
async function planOf(
  dialect: Dialect,
  fields: Record<string, unknown>,
  asked: Asked,
): Promise<Prepared["plan"] | null> {
  const plan = await dialect.plan!(fields, asked);
  const { chat } = plan;
  return chat !== undefined && isPortable(chat) && plan.works.length === 1 ? { ...plan, chat } : null;
}

function outlookOf(
  host: ModelHost | null,
  { promptTokens, maxTokens }: RouteRequest,
  { class: name, deadlineMs }: Prepared["urgency"],
  { ttftSloMs }: Partial<LatencyClass> = {},
): HereOutlook {
  // One that is not in memory is loaded by who asks for it: what others have waited for lately says how long that takes.
  if (host === null) return { isServed: true, isReady: true, ttftSloMs };
  if (!host.takesRequests) return { isServed: true, isReady: false, ttftSloMs };
  // A model that is not kumi's own need not know what to expect.
  const outlook = host.model.outlook?.({ class: name, promptUnits: promptTokens, maxTokens, deadlineMs });
  return { isServed: true, isReady: true, ttftSloMs, ...outlook };
}

/** Not its client's fault, but of who has linked the servers. */
function loop(): ApiError {
  const what =
    "This request went round: an upstream of this server is the server itself, or sends requests back to it";
  return new ApiError(508, what, { code: "loop_detected" });
}

/** For the server that has sent it, which then says that this one has no such model. */
function notFurther(name: string): ApiError {
  return new ApiError(
    404,
    `The model ${
      JSON.stringify(name)
    } is not this server's own, and what another kumi has sent on goes no further`,
    { param: "model", code: "model_not_found" },
  );
}

function notElsewhere(name: string, what = "What this request asks for") {
  return badField(
    "model",
    `${what} is not there for the model ${JSON.stringify(name)}, which another server answers for`,
    "unsupported_value",
  );
}
