import type {
  AcceptedRequest,
  AnsweredRequest,
  FinishedRequest,
  RefusedRequest,
  RequestObserver,
  RoutedRequest,
} from "./observer.ts";

/** What a line of the access log says of an HTTP request. */
export interface AccessEntry {
  /** The server's own id of it. */
  id: string;
  method: string;
  /** The route's pattern: a path as it came may hold anything. */
  route: string;
  status: number;
  class?: string;
  /** Where the server has several. */
  model?: string;
  /** Hash of the tenant, never a key. */
  tenant?: string;
  /** Name of the key, as its owner's account has it. */
  keyName?: string;
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  ttftMs?: number;
  e2eMs: number;
  /** Why it ended, of several answers the last one's; of an error its code, such as "queue_full". */
  reason?: string;
  /** Where it was answered, of a server that has upstreams. */
  routed?: RoutedRequest;
}

/**
 * A line of JSON without its end. Says what {@linkcode AccessEntry} has and nothing else: no text of prompts
 * or answers.
 */
export function accessLine(entry: AccessEntry, time: Date): string {
  return JSON.stringify({
    time: time.toISOString(),
    id: entry.id,
    method: entry.method,
    route: entry.route,
    status: entry.status,
    class: entry.class,
    model: entry.model,
    tenant: entry.tenant || undefined,
    key_name: entry.keyName,
    prompt_tokens: entry.promptTokens,
    cached_tokens: entry.cachedTokens,
    completion_tokens: entry.completionTokens,
    ttft_ms: rounded(entry.ttftMs),
    e2e_ms: rounded(entry.e2eMs),
    reason: entry.reason,
    ...entry.routed && routeOf(entry.routed),
  });
}

function routeOf({ route, reason, data, failed, cost, doubted }: RoutedRequest) {
  return {
    place: route,
    place_reason: reason,
    data,
    failed_places: failed.length === 0 ? undefined : failed,
    cost: cost === undefined ? undefined : Number(cost.toPrecision(6)),
    told_tokens: doubted?.told,
    counted_tokens: doubted?.counted,
  };
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}

/** The answers to an HTTP request so far. */
interface Pending {
  /** Answers that have not ended. */
  open: number;
  answered?: AnsweredRequest;
  readonly sums: Pick<AccessEntry, "class" | "model" | "ttftMs" | "reason"> & {
    promptTokens: number;
    cachedTokens: number;
    completionTokens: number;
    e2eMs: number;
    status: number;
  };
}

/** How an access log is kept. */
export interface AccessLogOptions {
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  /** The id of the HTTP request to which an answer belongs. */
  readonly requestOf: (answerId: string) => string;
  /** The name of a tenant's key, where there is one. */
  readonly keyNameOf?: (tenant: string) => string | undefined;
  readonly now?: () => Date;
}

/**
 * Writes a line for each HTTP request once nothing more comes of it: when it is answered, and its answers,
 * which a stream may bring long after the head of the response, have ended. The tokens of several answers are
 * added up.
 */
export class AccessLog implements RequestObserver {
  readonly #write: (line: string) => void;
  readonly #requestOf: (answerId: string) => string;
  readonly #keyNameOf: (tenant: string) => string | undefined;
  readonly #now: () => Date;
  readonly #pending = new Map<string, Pending>();
  /** By id of the request. Each is answered soon. */
  readonly #refusedClasses = new Map<string, string>();
  /** By id of the request. Each is answered soon. */
  readonly #routed = new Map<string, RoutedRequest>();

  constructor({ write, requestOf, keyNameOf = () => undefined, now = () => new Date() }: AccessLogOptions) {
    this.#write = write;
    this.#requestOf = requestOf;
    this.#keyNameOf = keyNameOf;
    this.#now = now;
  }

  accepted(request: AcceptedRequest): void {
    const id = this.#requestOf(request.id);
    let pending = this.#pending.get(id);
    if (pending === undefined) {
      const sums = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, e2eMs: 0, status: 0 };
      this.#pending.set(
        id,
        pending = { open: 0, sums: { ...sums, class: request.class, model: request.model } },
      );
    }
    pending.open++;
  }

  firstToken(id: string, ttftMs: number): void {
    const sums = this.#pending.get(this.#requestOf(id))?.sums;
    if (sums !== undefined) sums.ttftMs ??= ttftMs;
  }

  tokens(): void {}

  finished(id: string, end: FinishedRequest): void {
    const requestId = this.#requestOf(id);
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return;
    const { sums } = pending;
    sums.promptTokens += end.promptTokens;
    sums.cachedTokens += end.cachedTokens;
    sums.completionTokens += end.completionTokens;
    sums.e2eMs = Math.max(sums.e2eMs, end.e2eMs);
    sums.status = Math.max(sums.status, end.status);
    sums.reason = end.reason;
    pending.open--;
    if (pending.open === 0 && pending.answered !== undefined) this.#end(pending.answered, pending);
  }

  refused({ id, class: name }: RefusedRequest): void {
    if (name !== "") this.#refusedClasses.set(id, name);
  }

  routed(request: RoutedRequest): void {
    this.#routed.set(request.id, request);
  }

  answered(request: AnsweredRequest): void {
    const pending = this.#pending.get(request.id);
    if (pending === undefined || pending.open === 0) this.#end(request, pending);
    else pending.answered = request;
  }

  #end({ id, method, route, status, tenant, headMs, code }: AnsweredRequest, pending?: Pending): void {
    const refusedClass = this.#refusedClasses.get(id);
    this.#pending.delete(id);
    this.#refusedClasses.delete(id);
    const routed = this.#routed.get(id);
    this.#routed.delete(id);
    const sums = pending?.sums;
    const entry: Omit<AccessEntry, "status"> = {
      id,
      method,
      route,
      tenant,
      keyName: this.#keyNameOf(tenant),
      e2eMs: headMs,
      class: refusedClass,
      ...sums,
      ...routed === undefined ? {} : { routed },
    };
    if (code !== undefined) entry.reason = code;
    // A stream's head says 200, whatever becomes of it.
    this.#write(accessLine({ ...entry, status: Math.max(status, sums?.status ?? 0) }, this.#now()));
  }
}
