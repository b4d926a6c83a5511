/** What is known of an upstream at a moment. @module */

import { type BreakerState, CircuitBreaker } from "./breaker.ts";
import { Pace } from "./pace.ts";
import { ROUTING_DEFAULTS, type UpstreamRules } from "./rules.ts";
import { costOf, Spending } from "./spending.ts";

/** So many failed looks in a row, and it counts as down. */
const LOOKS_MAX = 2;

/** Why an upstream takes no request at the moment. */
export type Obstacle = "data" | "down" | "full" | "cap";

/** An upstream in figures. */
export interface UpstreamFigures {
  readonly name: string;
  readonly running: number;
  readonly breaker: BreakerState;
  readonly isHealthy: boolean;
  readonly spent: { readonly lastHour: number; readonly lastDay: number; readonly total: number };
}

/** An upstream, what it is asked at the moment, how fast and how reliable it was, and what it has cost. */
export class UpstreamState {
  readonly rules: UpstreamRules;
  readonly pace = new Pace();
  readonly breaker = new CircuitBreaker();
  readonly spending = new Spending();
  running = 0;
  #badLooks = 0;

  constructor(rules: UpstreamRules) {
    this.rules = rules;
  }

  get isHealthy(): boolean {
    return this.#badLooks < LOOKS_MAX;
  }

  /** Whether a look at its health went well. */
  noteLook(isWell: boolean): void {
    this.#badLooks = isWell ? 0 : this.#badLooks + 1;
  }

  /** Why it does not take a request that is expected to cost so much; null where it does. */
  obstacle(cost: number, now: number): Exclude<Obstacle, "data"> | null {
    const { capacity = ROUTING_DEFAULTS.capacity, caps = {} } = this.rules;
    if (!this.isHealthy || !this.breaker.allows(now)) return "down";
    if (this.running >= capacity) return "full";
    return this.spending.allows(cost, caps, now) ? null : "cap";
  }

  /** What so many tokens cost there. */
  cost(promptTokens: number, answerTokens: number): number {
    return costOf(this.rules.price ?? ROUTING_DEFAULTS.price, promptTokens, answerTokens);
  }

  figures(now: number): UpstreamFigures {
    return {
      name: this.rules.name,
      running: this.running,
      breaker: this.breaker.stateAt(now),
      isHealthy: this.isHealthy,
      spent: {
        lastHour: this.spending.lastHour(now),
        lastDay: this.spending.lastDay(now),
        total: this.spending.total,
      },
    };
  }
}
