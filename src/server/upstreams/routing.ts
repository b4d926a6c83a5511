/** Sends requests to where they belong: to the models here, or to upstreams. @module */

import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { DataLabel } from "../../routing/data_label.ts";
import {
  type Decision,
  RoutePolicy,
  type RouteReason,
  type RouteRequest,
} from "../../routing/route_policy.ts";
import { checkRuleClasses, HERE } from "../../routing/rules.ts";
import { ApiError } from "../api_error.ts";
import type { Dialect } from "../dialects/dialect.ts";
import { toApiError } from "../errors.ts";
import { RouteMetrics } from "../metrics/route_metrics.ts";
import { type RequestObserver, requestOf } from "../observer.ts";
import type { Call, Service } from "../service.ts";
import { HeldObserver } from "./held_observer.ts";
import { UpstreamConnection } from "./connection.ts";
import { forClient, UpstreamFailure } from "./failure.ts";
import { HealthWatch } from "./health.ts";
import { type RoutingOptions, UPSTREAM_DEFAULTS } from "./options.ts";
import { UpstreamNotes } from "./notes.ts";
import { SpendFile } from "./spend_file.ts";
import type { Prepared, Preparing, Staying } from "./prepare.ts";
import { newId } from "../guard/headers.ts";
import { tenantOf } from "../guard/keys.ts";

/** Answers with a model of this server. */
export type AnswerHere = (call: Call) => Promise<Response>;

/** What routing needs of the server. */
export interface RoutingParts {
  /** The latency classes of the model of a name. */
  readonly classesOf: (model: string) => readonly LatencyClass[];
}

/** Errors here that say that another place may do better, before anything was answered. */
const CLOSED: ReadonlySet<string | undefined> = new Set([
  "queue_full",
  "too_late",
  "deadline_missed",
  "grammars_busy",
  "loading",
  "no_room",
  "model_too_large",
  "load_failed",
  "failed",
  "engine_unavailable",
  "unhealthy",
]);

/** What a client is told where nobody can answer it. */
const NOBODY: Partial<Record<RouteReason, (retryAfterMs: number) => ApiError>> = {
  data: () =>
    new ApiError(403, "This request's data must not go to where its model is answered", {
      param: "kumi.data",
      code: "data_label",
    }),
  cap: (retryAfterMs) =>
    new ApiError(429, "What may be spent on this model is spent for now", {
      code: "cost_cap",
      retryAfterMs,
    }),
  full: () => new ApiError(429, "The server that answers this model is full", { code: "upstream_full" }),
  down: (retryAfterMs) =>
    new ApiError(503, "The server that answers this model cannot be reached", {
      code: "upstream_down",
      retryAfterMs,
    }),
};
const RETRY_MS = 1000, RETRY_MAX_MS = 60_000, CAP_MAX_MS = 86_400_000;

/** The way of a request on its way. */
interface Journey {
  readonly service: Service;
  readonly call: Call;
  readonly prepared: Prepared;
  readonly answerHere: AnswerHere;
  readonly decision: Decision;
  readonly failed: string[];
}

/** Where requests are answered, of a server that has upstreams. */
export class Routing {
  readonly policy: RoutePolicy;
  readonly metrics: RouteMetrics;
  /** Hears of first tokens here. */
  readonly observer: RequestObserver;
  readonly #connections: ReadonlyMap<string, UpstreamConnection>;
  readonly #health: HealthWatch;
  readonly #preparing: Preparing;
  readonly #notes = new UpstreamNotes();
  readonly #spent?: SpendFile;
  /** The least strict label of requests with a key, by tenant. */
  #labels: ReadonlyMap<string, DataLabel> = new Map();
  /** Requests that are answered here and have no token yet, by id. */
  readonly #here = new Map<string, Prepared>();

  /** Throws a RangeError for options that cannot be. */
  constructor(options: RoutingOptions, { classesOf }: RoutingParts) {
    this.policy = new RoutePolicy(options);
    const classes = this.policy.models.flatMap(({ name }) => classesOf(name).map((each) => each.name));
    checkRuleClasses(options, new Set(classes));
    const connections = options.upstreams.map((each) => new UpstreamConnection(each));
    this.#connections = new Map(connections.map((each) => [each.options.name, each]));
    this.#health = new HealthWatch(connections, (name, isWell) => this.policy.noteLook(name, isWell));
    this.metrics = new RouteMetrics(() => this.policy.figures(performance.now()));
    this.relabel(options.keyData);
    const data = options.data ?? UPSTREAM_DEFAULTS.data;
    const { policy } = this;
    this.#preparing = {
      server: newId(),
      classesOf,
      labelOf: (tenant) => this.#labels.get(tenant),
      data,
      hasModel: (name) => policy.models.some((each) => each.name === name),
    };
    this.observer = this.#listener();
    if (options.spendFile !== undefined) this.#spent = new SpendFile(options.spendFile, policy);
  }

  /** From now on keys have these labels. `isKnown`: whether a tenant's key still counts; what is under way of others keeps its label. */
  relabel(keyData: RoutingOptions["keyData"] = [], isKnown: (tenant: string) => boolean = () => true): void {
    const kept = this.#labels.entries().filter(([tenant]) => !isKnown(tenant));
    this.#labels = new Map([...kept, ...keyData.map(({ key, data }) => [tenantOf(key), data] as const)]);
  }

  /** Models of upstreams, without those that have their names here. */
  modelsBeside(here: readonly string[]): { readonly name: string; readonly upstream: string }[] {
    const names = new Set(here);
    return this.policy.models.filter(({ name }) => !names.has(name) && names.add(name));
  }

  close(): void {
    this.#health.close();
    this.#spent?.close();
  }

  /** Answers a request where it belongs. Throws an ApiError, or what the engine throws. */
  async answer(service: Service, dialect: Dialect, call: Call, answerHere: AnswerHere): Promise<Response> {
    if (!isRoutable(dialect)) return await answerHere(call);
    const body = await call.body();
    const again = { ...call, body: () => Promise.resolve(body) };
    const prepared = await this.#prepared(service, dialect, again, body);
    if ("stays" in prepared) {
      const { stays: reason, data } = prepared;
      service.observer.routed?.({ id: call.id, route: HERE, reason, data, failed: [] });
      return await answerHere(again);
    }
    const { request, here } = prepared;
    const decision = this.policy.decide(request, here, performance.now());
    const journey = { service, call: again, prepared, answerHere, decision, failed: [] };
    if (decision.places.length === 0) {
      const error = this.#nobody(decision.reason, request);
      const { reason } = decision, { data } = request;
      service.observer.routed?.({ id: call.id, route: null, reason, data, failed: [] });
      this.#refuse(journey, error);
      throw error;
    }
    return await this.#travel(journey);
  }

  /** What is wrong with a request is told to the observer. */
  async #prepared(
    service: Service,
    dialect: Dialect,
    call: Call,
    body: unknown,
  ): Promise<Prepared | Staying> {
    try {
      // With the package that checks bodies, which comes with the first request and not with the library.
      const { prepare } = await import("./prepare.ts");
      return await prepare(service, dialect, call, body, this.#preparing);
    } catch (error) {
      const { code, status } = toApiError(error);
      service.observer.refused({ id: call.id, class: "", reason: code ?? "invalid", status });
      throw error;
    }
  }

  /** Tries one place after the other, until one answers. */
  async #travel(journey: Journey): Promise<Response> {
    const { prepared: { request }, decision: { places }, failed, call } = journey;
    let last: unknown;
    for (const [i, place] of places.entries()) {
      if (i > 0 && place !== HERE && !this.policy.takes(place, request, performance.now())) continue;
      if (i > 0) this.metrics.retried(failed.at(-1)!, place);
      call.client.throwIfLeft();
      const hasMore = places.slice(i + 1).some((next) =>
        next === HERE || this.policy.takes(next, request, performance.now())
      );
      try {
        return place === HERE ? await this.#stay(journey, hasMore) : await this.#there(journey, place);
      } catch (error) {
        last = error;
        failed.push(place);
        if (!isPassing(error)) break;
      }
    }
    const error = last instanceof UpstreamFailure ? forClient(last) : last;
    if (failed.at(-1) !== HERE) this.#refuse(journey, toApiError(error));
    throw error;
  }

  /** `hasMore`: another place would take it, so that a refusal is not yet one. */
  async #stay(journey: Journey, hasMore: boolean): Promise<Response> {
    const { call, prepared, answerHere, service } = journey;
    this.#tell(journey, HERE);
    this.#here.set(call.id, prepared);
    const held = hasMore ? new HeldObserver(service.observer) : undefined;
    try {
      const response = await answerHere(held === undefined ? call : { ...call, observer: held });
      return response;
    } catch (error) {
      this.#here.delete(call.id);
      const { code } = toApiError(error);
      if (hasMore && CLOSED.has(code)) this.metrics.failed(HERE, "refused");
      else held?.release();
      throw error;
    }
  }

  async #there(journey: Journey, name: string): Promise<Response> {
    const { call, prepared, service } = journey;
    const connection = this.#connections.get(name)!;
    const passage = this.policy.begin(name, prepared.request, performance.now());
    this.#tell(journey, name);
    const { visitUpstream } = await import("./visit_upstream.ts");
    return await visitUpstream({
      service,
      call,
      prepared,
      connection,
      passage,
      server: this.#preparing.server,
      model: this.policy.nameThere(name, prepared.request.model)!,
      metrics: this.metrics,
      onEnd: ({ cost, metered, error }) => {
        this.#notes.failed(name, error);
        const { told, counted, isDoubted } = metered;
        if (!isDoubted || told === undefined) return this.#tell(journey, name, { cost });
        this.#notes.doubted(name, metered);
        this.#tell(journey, name, { cost, doubted: { told: total(told), counted: total(counted) } });
      },
    });
  }

  /** Tells where a request goes, or what it has cost there. */
  #tell(
    journey: Journey,
    route: string,
    end?: { cost: number; doubted?: { told: number; counted: number } },
  ): void {
    const { service, call, prepared: { request }, decision, failed } = journey;
    const reason = failed.length === 0 ? decision.reason : "retry";
    if (end === undefined) this.metrics.went(route, reason, request.class);
    service.observer.routed?.({
      id: call.id,
      route,
      reason,
      data: request.data,
      failed: [...failed],
      ...end,
    });
  }

  #refuse({ service, call, prepared: { request } }: Journey, error: ApiError): void {
    const { code = "failed", status } = error;
    service.observer.refused({ id: call.id, class: request.class, reason: code, status });
  }

  #nobody(reason: RouteReason, request: RouteRequest): ApiError {
    const now = performance.now();
    const [waitMs, mostMs] = reason === "cap"
      ? [this.policy.capWaitMs(request, now), CAP_MAX_MS]
      : [this.policy.waitMs(request.model, now), RETRY_MAX_MS];
    return (NOBODY[reason] ?? NOBODY.down!)(Math.min(Math.max(waitMs, RETRY_MS), mostMs));
  }

  #listener(): RequestObserver {
    const take = (answer: string) => {
      const id = requestOf(answer);
      const prepared = this.#here.get(id);
      this.#here.delete(id);
      return prepared;
    };
    return {
      accepted() {},
      firstToken: (id, ttftMs) => {
        const prepared = take(id);
        if (prepared !== undefined) this.policy.noteHere(prepared.request, ttftMs, performance.now());
      },
      tokens() {},
      finished: (id) => void take(id),
      refused: ({ id }) => void take(id),
    };
  }
}

/** Whether another place may do better. */
function isPassing(error: unknown): boolean {
  return error instanceof UpstreamFailure || CLOSED.has(toApiError(error).code);
}

function total({ promptTokens, answerTokens }: { promptTokens: number; answerTokens: number }): number {
  return promptTokens + answerTokens;
}

/** Whether requests of a dialect can be answered elsewhere at all. */
function isRoutable(dialect: Dialect): boolean {
  return dialect.forwards !== undefined || dialect.isPortable === true;
}
