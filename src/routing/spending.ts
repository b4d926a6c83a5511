/** What was spent in the last hour and the last day, and what is about to be. @module */

import type { Price, SpendCaps } from "./rules.ts";

const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60, DAY_MINUTES = 24 * 60;

/** What so many tokens cost. */
export function costOf(price: Price, promptTokens: number, answerTokens: number): number {
  return (price.promptPerMillion * promptTokens + price.answerPerMillion * answerTokens) / 1e6;
}

/** An amount that is kept for a request until it is known what it has cost. */
export interface Reserved {
  amount: number;
}

/**
 * Spending by the minute. What requests under way are expected to cost counts as if it were spent, so that many at
 * once do not pass a cap together. `now`: ms of a clock that is not set.
 */
export class Spending {
  /** By minute; none is older than a day. */
  readonly #minutes = new Map<number, number>();
  #reserved = 0;
  #total = 0;

  /** Since the start. */
  get total(): number {
    return this.#total;
  }

  /** Keeps what a request is expected to cost. */
  reserve(amount: number): Reserved {
    this.#reserved += amount;
    return { amount };
  }

  /** A request has ended: it has cost so much. May be called once for each. */
  settle(reserved: Reserved, cost: number, now: number): void {
    this.#reserved = Math.max(0, this.#reserved - reserved.amount);
    reserved.amount = 0;
    if (!(cost > 0)) return;
    this.#total += cost;
    const minute = Math.floor(now / MINUTE_MS);
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + cost);
    for (const old of this.#minutes.keys()) if (old <= minute - DAY_MINUTES) this.#minutes.delete(old);
  }

  /** What was spent in the last day: how many minutes ago, and how much. */
  minutes(now: number): (readonly [ago: number, cost: number])[] {
    const minute = Math.floor(now / MINUTE_MS);
    return this.#minutes.entries().map(([at, cost]) => [minute - at, cost] as const)
      .filter(([ago]) => ago < DAY_MINUTES).toArray();
  }

  /** Goes on with what was spent before. */
  restore(minutes: readonly (readonly [ago: number, cost: number])[], now: number): void {
    const minute = Math.floor(now / MINUTE_MS);
    for (const [ago, cost] of minutes) {
      this.#minutes.set(minute - ago, (this.#minutes.get(minute - ago) ?? 0) + cost);
    }
  }

  /** In the last hour, to the minute. */
  lastHour(now: number): number {
    return this.#since(now, HOUR_MINUTES);
  }

  lastDay(now: number): number {
    return this.#since(now, DAY_MINUTES);
  }

  /** Whether so much more may be spent. */
  allows(amount: number, { perHour = Infinity, perDay = Infinity }: SpendCaps, now: number): boolean {
    const more = this.#reserved + amount;
    return this.lastHour(now) + more <= perHour && this.lastDay(now) + more <= perDay;
  }

  /** Ms until so much more may be spent, if nothing else is spent; Infinity: never. */
  untilAllows(amount: number, { perHour = Infinity, perDay = Infinity }: SpendCaps, now: number): number {
    const more = this.#reserved + amount;
    return Math.max(
      this.#until(perHour - more, HOUR_MINUTES, now),
      this.#until(perDay - more, DAY_MINUTES, now),
    );
  }

  /** Ms until the last `minutes` have cost no more than `most`. */
  #until(most: number, minutes: number, now: number): number {
    let sum = this.#since(now, minutes);
    if (sum <= most) return 0;
    if (most < 0) return Infinity;
    const first = Math.floor(now / MINUTE_MS) - minutes;
    const within = this.#minutes.entries().filter(([minute]) => minute > first).toArray();
    for (const [minute, cost] of within.toSorted(([a], [b]) => a - b)) {
      sum -= cost;
      // Sums of fractions.
      if (sum <= most + Number.EPSILON * most) return (minute + minutes) * MINUTE_MS - now;
    }
    return minutes * MINUTE_MS;
  }

  #since(now: number, minutes: number): number {
    const first = Math.floor(now / MINUTE_MS) - minutes;
    let sum = 0;
    for (const [minute, cost] of this.#minutes) if (minute > first) sum += cost;
    return sum;
  }
}
