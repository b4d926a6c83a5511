/** On which side traffic of a kind is, so that it does not go to and fro. @module */

import { ROUTING_DEFAULTS } from "./rules.ts";

/** What a request of this kind would find on both sides; times until its first token in ms. */
export interface Sides {
  /** Undefined: unknown. */
  readonly hereMs?: number;
  readonly thereMs?: number;
  /** It cannot be answered here at the moment: refused, or there is no model. */
  readonly isHereClosed: boolean;
}

/** What decides. */
export interface SideLimits {
  /** Later than this is too late here. */
  readonly waitMs: number;
  readonly margin: number;
  readonly holdMs: number;
}

/** Why traffic is where it is. */
export type SideReason = "soon" | "late" | "closed" | "held" | "slower" | "faster";

/**
 * Traffic of one class for one model. It moves when the other side is better by a margin, comes back only when the wait
 * here is well below what was too long, and stays for a while once it has moved.
 */
export class TrafficSide {
  #isAway = false;
  #movedAt = -Infinity;

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Goes elsewhere when it takes too long here. */
  overflow({ hereMs, thereMs, isHereClosed }: Sides, limits: SideLimits, now: number): SideReason {
    if (isHereClosed) return this.#move(true, "closed", now);
    const { waitMs, margin } = limits;
    const wait = hereMs ?? 0;
    const isBetterThere = thereMs === undefined || thereMs < wait * (1 - margin);
    if (!this.#isAway) {
      if (wait <= waitMs) return "soon";
      return isBetterThere ? this.#move(true, "late", now) : "slower";
    }
    const isSoon = wait < ROUTING_DEFAULTS.returnShare * waitMs;
    const isWorseThere = thereMs !== undefined && thereMs > wait * (1 + margin);
    if (!(isSoon || isWorseThere) || this.#isHeld(limits, now)) return wait > waitMs ? "late" : "held";
    return this.#move(false, isSoon ? "soon" : "slower", now);
  }

  /** Goes to where the first token is expected sooner. A place of which nothing is known is tried. */
  fastest({ hereMs, thereMs, isHereClosed }: Sides, limits: SideLimits, now: number): SideReason {
    if (isHereClosed) return this.#move(true, "closed", now);
    const here = hereMs ?? 0, there = thereMs ?? 0;
    const [present, other] = this.#isAway ? [there, here] : [here, there];
    // What is too late where it is need not stay there for its own sake.
    const isHeld = present <= limits.waitMs && this.#isHeld(limits, now);
    if (other >= present * (1 - limits.margin) || isHeld) {
      return other < present ? "held" : this.#isAway ? "faster" : "soon";
    }
    return this.#move(!this.#isAway, this.#isAway ? "soon" : "faster", now);
  }

  #isHeld({ holdMs }: SideLimits, now: number): boolean {
    return now - this.#movedAt < holdMs;
  }

  #move(isAway: boolean, reason: SideReason, now: number): SideReason {
    if (isAway !== this.#isAway) {
      this.#isAway = isAway;
      this.#movedAt = now;
    }
    return reason;
  }
}
