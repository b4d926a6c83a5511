/** One who uses the server with a key: what they may, and how much they have used of it. @module */

import { waitText } from "../../protocol/duration.ts";
import { ApiError } from "../api_error.ts";
import type { KeyLimits, KeyRules } from "./rules.ts";
import { type KeptSlots, SlidingWindow } from "./sliding_window.ts";

/** The clock of limits: ms since 1970 that never go back while a server runs. */
export function limitsNow(): number {
  return performance.timeOrigin + performance.now();
}

const MINUTE_MS = 60_000, DAY_MS = 86_400_000;

/** What is limited. */
const UNITS = ["requests", "tokens"] as const;
type Unit = typeof UNITS[number];

/** A limit and what there was within its time. */
interface Meter {
  readonly unit: Unit;
  readonly limit: keyof KeyLimits;
  readonly span: string;
  readonly window: SlidingWindow;
}

/** How near an account is to a limit. */
export interface LimitFigures {
  readonly limit: keyof KeyLimits;
  readonly used: number;
  readonly most: number;
}

/** The account of all keys of one name. It stays when rules change, and so does what was counted. */
export class Account {
  readonly name: string;
  /** At the moment. */
  rules: KeyRules;
  readonly #meters: readonly Meter[] = UNITS.flatMap((unit) => [
    { unit, limit: `${unit}PerMinute`, span: "minute", window: new SlidingWindow(MINUTE_MS) },
    { unit, limit: `${unit}PerDay`, span: "24 hours", window: new SlidingWindow(DAY_MS) },
  ]);

  constructor(name: string, rules: KeyRules) {
    this.name = name;
    this.rules = rules;
  }

  /** Takes a request, which counts from now on. Throws an ApiError, 429, where a limit is reached: then it does not count. */
  enter(now: number): void {
    const reached = this.#limited().map((meter) => ({ ...meter, waitMs: this.#waitMs(meter, now) }))
      .toSorted((a, b) => b.waitMs - a.waitMs)[0];
    if (reached !== undefined && reached.waitMs > 0) {
      const { unit, span, most, waitMs } = reached;
      throw new ApiError(
        429,
        `The key ${JSON.stringify(this.name)} may use ${most} ${unit} in any ${span}, and has: ` +
          `try again in ${waitText(waitMs)}`,
        { code: "rate_limit_exceeded", retryAfterMs: waitMs, headers: this.headers(now) },
      );
    }
    this.#count("requests", 1, now);
  }

  /** Counts tokens of prompts and answers. */
  noteTokens(count: number, now: number): void {
    this.#count("tokens", count, now);
  }

  /** OpenAI's headers: of requests and of tokens the limit of which least is left, and when all of it will be there again. */
  headers(now: number): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const unit of UNITS) {
      const left = (meter: Limited) => meter.most - meter.window.used(now);
      const nearest = this.#limited().filter((meter) => meter.unit === unit)
        .toSorted((a, b) => left(a) - left(b))[0];
      if (nearest === undefined) continue;
      headers[`x-ratelimit-limit-${unit}`] = `${nearest.most}`;
      headers[`x-ratelimit-remaining-${unit}`] = `${Math.max(0, left(nearest))}`;
      headers[`x-ratelimit-reset-${unit}`] = `${Math.ceil(nearest.window.untilAtMost(0, now) / 1000)}s`;
    }
    return headers;
  }

  /** What was counted, by limit, for the account of a server that goes on. */
  kept(): Record<string, KeptSlots> {
    const now = limitsNow();
    return Object.fromEntries(this.#meters.map(({ limit, window }) => [limit, window.kept(now)]));
  }

  /** Goes on with what was counted. */
  restore(kept: Readonly<Record<string, KeptSlots>>): void {
    for (const { limit, window } of this.#meters) window.restore(kept[limit] ?? []);
  }

  /** The limits that it has. */
  figures(now: number): LimitFigures[] {
    return this.#limited().map(({ limit, most, window }) => ({ limit, most, used: window.used(now) }));
  }

  /** `names`: those that the model has. */
  maySeeModel(names: readonly string[]): boolean {
    const { models } = this.rules;
    return models === undefined || names.some((name) => models.includes(name));
  }

  /** Throws an ApiError, 403, for a model that it may not ask; `names`: those that the model has. */
  checkModel(names: readonly string[]): void {
    if (this.maySeeModel(names)) return;
    throw this.#forbidden("model", this.rules.models!);
  }

  /** Throws an ApiError, 403, for a latency class that its requests may not have. */
  checkClass(name: string): void {
    const { classes } = this.rules;
    if (classes !== undefined && !classes.includes(name)) throw this.#forbidden("class", classes);
  }

  /** Whether it is shown what other keys have used. */
  get seesAllUsage(): boolean {
    const { admin = false, usage = admin } = this.rules;
    return usage;
  }

  /** Throws an ApiError, 403, where it is no administrator's. */
  checkAdmin(): void {
    if (this.rules.admin) return;
    throw new ApiError(
      403,
      `The key ${JSON.stringify(this.name)} is no administrator's ("admin" in "keys")`,
      {
        code: "admin_only",
      },
    );
  }

  #forbidden(what: "model" | "class", allowed: readonly string[]): ApiError {
    const names = allowed.map((each) => JSON.stringify(each)).join(", ");
    return new ApiError(
      403,
      `The key ${JSON.stringify(this.name)} may not use this ${what}; it may use ${names}`,
      {
        param: what,
        code: `${what}_not_allowed`,
      },
    );
  }

  #count(unit: Unit, amount: number, now: number): void {
    for (const meter of this.#meters) if (meter.unit === unit) meter.window.add(amount, now);
  }

  #waitMs({ window, most }: Limited, now: number): number {
    return window.untilAtMost(most - 1, now);
  }

  #limited(): Limited[] {
    return this.#meters.flatMap((meter) => {
      const most = this.rules[meter.limit];
      return most === undefined ? [] : [{ ...meter, most }];
    });
  }
}

interface Limited extends Meter {
  readonly most: number;
}
