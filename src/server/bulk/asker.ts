/** Asks for the answers to requests of files: on the same way as those over HTTP, from their bodies on. @module */

import { admit } from "../accounts/admission.ts";
import { type ApiError, badField, type ErrorShape, OPENAI_ERRORS } from "../api_error.ts";
import { planCall } from "../asking.ts";
import type { Dialect, Endpoint } from "../dialects/dialect.ts";
import { toApiError } from "../errors.ts";
import { newId } from "../guard/headers.ts";
import { Presence } from "../presence.ts";
import { printFault } from "../../process/print.ts";
import { asWhole } from "../routes/answers.ts";
import type { Call, Service } from "../service.ts";
import type { BulkResponse } from "./answer_line.ts";
import { BULK_PATHS, type RequestLine } from "./request_line.ts";
import { delay } from "../../process/delay.ts";

/** The engine answers nothing any more, so that no request of a file can be answered. */
export class EngineGoneError extends Error {
  override readonly name = "EngineGoneError";
}

/** For whom a request is asked. */
export interface AskOptions {
  /** Hash of the key that gave the file; "" where there are none. */
  readonly tenant: string;
  /** Name of the latency class. */
  readonly class: string;
  readonly signal: AbortSignal;
}

/** Of errors that say something of this moment and nothing of the request. */
const BUSY: ReadonlySet<string | undefined> = new Set([
  "queue_full",
  "too_late",
  "grammars_busy",
  "overloaded",
  "loading",
  "no_room",
  "rate_limit_exceeded",
  "unhealthy",
]);
const GONE: ReadonlySet<string | undefined> = new Set(["engine_unavailable", "failed", "draining"]);
const OK = 200;
/** What the access log calls them. */
const METHOD = "BATCH";
const RETRY_MS = 1000;

/** Asks for answers. A request that finds no room waits and is asked again; everything else is its answer. */
export class BulkAsker {
  readonly #service: Service;
  readonly #dialects: ReadonlyMap<string, Promise<Dialect>>;

  constructor(service: Service, endpoints: readonly Endpoint[]) {
    this.#service = service;
    const wanted = endpoints.filter(({ path }) => (BULK_PATHS as readonly string[]).includes(path));
    this.#dialects = new Map(wanted.map(({ path, load }) => [path, load()]));
    for (const loading of this.#dialects.values()) loading.catch(() => {});
  }

  /** Throws the signal's reason, and an EngineGoneError. */
  async ask(request: RequestLine, options: AskOptions): Promise<BulkResponse> {
    const dialect = await this.#dialects.get(request.path)!;
    const { signal } = options;
    while (true) {
      signal.throwIfAborted();
      const id = newId();
      const answered = this.#watch(id, request.path, options.tenant);
      try {
        const body = await this.#answer(dialect, request, id, options);
        answered(OK);
        return { status_code: OK, request_id: id, body };
      } catch (thrown) {
        const error = toApiError(thrown);
        answered(error.status, error.code);
        signal.throwIfAborted();
        if (GONE.has(error.code)) throw new EngineGoneError(error.message, { cause: thrown });
        if (!BUSY.has(error.code)) return failure(dialect, id, error, thrown);
        await delay(Number(error.headers["retry-after"]) * 1000 || RETRY_MS, signal);
      }
    }
  }

  /** Who watches hears of it as of a request over HTTP. */
  #watch(id: string, route: string, tenant: string): (status: number, code?: string) => void {
    const startedAt = performance.now();
    return (status, code) =>
      this.#service.observer.answered?.({
        id,
        method: METHOD,
        route,
        status,
        tenant,
        headMs: performance.now() - startedAt,
        ...code === undefined ? {} : { code },
      });
  }

  async #answer(
    dialect: Dialect,
    { path, body }: RequestLine,
    id: string,
    { tenant, class: name, signal }: AskOptions,
  ): Promise<unknown> {
    const call: Call = {
      id,
      tenant,
      startedAt: performance.now(),
      headers: new Headers({ "x-kumi-class": name }),
      client: new Presence(() => [signal]),
      endpoint: path,
      body: () => Promise.resolve(body),
    };
    this.#service.throwIfDraining();
    const called = await planCall(this.#service, dialect, admit(this.#service, call));
    if ("said" in called) return called.said;
    const { plan, lease } = called;
    const wrong = plan.events !== undefined
      ? badField("stream", "Answers to requests of a file are never streams")
      : plan.class !== name
      ? badField("class", `Requests of a file are of class "${name}", current value is "${plan.class}"`)
      : null;
    if (wrong === null) return await asWhole(this.#service, called, call);
    lease?.[Symbol.dispose]();
    throw wrong;
  }
}

function failure(dialect: Dialect, id: string, error: ApiError, thrown: unknown): BulkResponse {
  const shape: ErrorShape = dialect.errors ?? OPENAI_ERRORS;
  if (error.status === 500) printFault(`kumi: request ${id} failed:`, thrown);
  return {
    status_code: shape.status?.(error) ?? error.status,
    request_id: id,
    body: shape.body(error),
  };
}
