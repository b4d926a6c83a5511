/** What each key has used: by day, model and class for bills, in all for metrics; and what counts for its limits. @module */

import { type AcceptedRequest, type FinishedRequest, type RequestObserver, requestOf } from "../observer.ts";
import { limitsNow } from "./account.ts";
import type { Accounts } from "./accounts.ts";

/** What is counted. */
export interface UsageCounts {
  /** That were answered, or are being answered. */
  requests: number;
  /** That were refused by a limit of the key. */
  refused: number;
  /** Of answers that have ended. */
  promptTokens: number;
  /** Those of them that the prefix cache had. */
  cachedTokens: number;
  completionTokens: number;
}

/** Whose it is, and for what. */
export interface UsageOf {
  /** Name of the key; "" where none was needed. */
  readonly key: string;
  /** "" of requests that were refused by a limit: nobody has looked what they ask for. */
  readonly model: string;
  readonly class: string;
}

/** What there was on one day. */
export interface UsageRow extends UsageOf, UsageCounts {
  /** On which the requests came, in UTC, such as "2026-11-30". */
  readonly date: string;
}

/** An answer under way. */
interface Running {
  readonly tenant: string;
  readonly places: readonly UsageCounts[];
  readonly promptTokens: number;
  tokens: number;
}

/** Days that are kept apart. */
const DAYS_MAX = 92;
const DAY_MS = 86_400_000;

/** Names of what is counted. */
export const USAGE_COUNTS: readonly (keyof UsageCounts)[] = [
  "requests",
  "refused",
  "promptTokens",
  "cachedTokens",
  "completionTokens",
];

const COLUMNS = {
  date: "date",
  key: "key",
  model: "model",
  class: "class",
  requests: "requests",
  refused: "refused",
  prompt_tokens: "promptTokens",
  cached_tokens: "cachedTokens",
  completion_tokens: "completionTokens",
} as const satisfies Record<string, keyof UsageRow>;

/** Hears of requests, and counts them for whoever sent them. */
export class Usage implements RequestObserver {
  readonly accounts: Accounts;
  readonly #model: string;
  readonly #wallNow: () => number;
  readonly #rows = new Map<string, UsageRow>();
  readonly #totals = new Map<string, UsageOf & UsageCounts>();
  readonly #running = new Map<string, Running>();
  #today = "";

  /** `model`: of requests of which nobody says it; `wallNow`: ms since 1970. */
  constructor(
    accounts: Accounts,
    { model = "", wallNow = Date.now }: { readonly model?: string; readonly wallNow?: () => number } = {},
  ) {
    this.accounts = accounts;
    this.#model = model;
    this.#wallNow = wallNow;
  }

  /** The last three months, by day. */
  get rows(): UsageRow[] {
    return [...this.#rows.values()];
  }

  /** All since the start. */
  get totals(): (UsageOf & Readonly<UsageCounts>)[] {
    return [...this.#totals.values()];
  }

  /** Goes on with the days of the server before. */
  restore(rows: readonly UsageRow[]): void {
    for (const row of rows) this.#rows.set(rowId(row.date, row), { ...row });
  }

  /** A request was refused by a limit of its key. */
  limited(tenant: string): void {
    for (const place of this.#places(tenant, "", "")) place.refused++;
  }

  accepted(request: AcceptedRequest): void {
    const { id, tenant = "", class: name, promptTokens = 0 } = request;
    const model = request.model ?? request.modelElsewhere ?? this.#model;
    const places = this.#places(tenant, model, name);
    // Of several answers the others may come when this one has ended.
    if (id === requestOf(id) || id === `${requestOf(id)}-0`) { for (const place of places) place.requests++; }
    this.#running.set(id, { tenant, places, promptTokens, tokens: 0 });
    this.#spend(tenant, promptTokens);
  }

  firstToken(): void {}

  tokens(id: string, count: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.tokens += count;
    for (const place of running.places) place.completionTokens += count;
    this.#spend(running.tenant, count);
  }

  finished(id: string, { promptTokens, cachedTokens, completionTokens }: FinishedRequest): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    // Tokens that were not told one by one.
    const untold = Math.max(0, completionTokens - running.tokens);
    for (const place of running.places) {
      place.promptTokens += promptTokens;
      place.cachedTokens += cachedTokens;
      place.completionTokens += untold;
    }
    this.#spend(running.tenant, untold + Math.max(0, promptTokens - running.promptTokens));
  }

  refused(): void {}

  /** The name of the only key whose use a tenant is shown; undefined: it is shown all. */
  shownTo(tenant: string): string | undefined {
    const account = this.accounts.of(tenant);
    return account?.seesAllUsage ? undefined : account?.name;
  }

  /** As CSV (RFC 4180) with a line of names. `key`: only what is of the key of this name. */
  csv(key?: string): string {
    const rows = this.rows.filter((row) => key === undefined || row.key === key);
    const lines = rows.map((row) => Object.values(COLUMNS).map((column) => csvCell(row[column])).join(","));
    return [Object.keys(COLUMNS).join(","), ...lines, ""].join("\r\n");
  }

  #spend(tenant: string, tokens: number): void {
    if (tokens > 0) this.accounts.of(tenant)?.noteTokens(tokens, limitsNow());
  }

  /** Where it counts: on its day, and in all. */
  #places(tenant: string, model: string, name: string): readonly UsageCounts[] {
    const key = this.accounts.of(tenant)?.name ?? "";
    const date = dateOf(this.#wallNow());
    if (date !== this.#today) this.#begin(date);
    const of = { key, model, class: name };
    return [
      this.#rows.getOrInsertComputed(rowId(date, of), () => ({ date, ...of, ...nothing() })),
      this.#totals.getOrInsertComputed(rowId("", of), () => ({ ...of, ...nothing() })),
    ];
  }

  #begin(date: string): void {
    this.#today = date;
    const oldest = dateOf(this.#wallNow() - (DAYS_MAX - 1) * DAY_MS);
    for (const [id, row] of this.#rows) if (row.date < oldest) this.#rows.delete(id);
  }
}

function rowId(date: string, { key, model, class: name }: UsageOf): string {
  return JSON.stringify([date, key, model, name]);
}

function nothing(): UsageCounts {
  return { requests: 0, refused: 0, promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Names are an operator's; a text that a spreadsheet would take for a formula is none. */
function csvCell(value: string | number): string {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
