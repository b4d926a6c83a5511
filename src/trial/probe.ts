/** At which load points are to be compared: a little more than the default settings carry. @module */

import type { Journal } from "./journal.ts";
import type { Measurer, RunResult, RunWish } from "./measurer.ts";
import { boundedDrain } from "./rounds.ts";
import type { PointSettings } from "./report_data.ts";

/** What a probe is made with. */
export interface ProbeOptions {
  readonly journal: Journal;
  readonly measurer: Pick<Measurer, "run">;
  readonly settings: PointSettings;
  /** Requests per second to begin with. */
  readonly start: number;
  readonly seconds: number;
  readonly drainMs: number;
  readonly seed: number;
  /** No try begins that would end later than this, in ms of the budget used. */
  readonly untilMs: number;
  /** Ms of the budget used at which all of the search has to be over. */
  readonly endMs: number;
  readonly onTry?: (perSecond: number) => void;
}

/** A try. */
export interface ProbeRun {
  readonly wish: RunWish;
  readonly result: RunResult;
  /** What it took of the budget. */
  readonly tookMs: number;
}

/** What a probe found. */
export interface Probed {
  /** At which points are to be compared. */
  readonly perSecond: number;
  readonly runs: readonly ProbeRun[];
}

/** At most so many tries. */
const TRIES_MAX = 6;
/** Enough requests fail their objectives that points differ, and not so many that nothing else counts. */
const SHARE_MIN = 0.55, SHARE_MAX = 0.93;
/** So much more than what is carried is offered. */
const OVERLOAD = 1.2;

/**
 * Looks for a load of which between 55 % and 93 % is answered well. All of it well: doubled. Less: 1.2 times
 * what was good, at least half of it. None at all after halving: the lowest load is what there is.
 */
export async function probe(options: ProbeOptions): Promise<Probed> {
  const { journal, measurer, settings, seconds, seed, untilMs } = options;
  const runs: ProbeRun[] = [];
  let perSecond = options.start;
  // A load that was too much, and one that was carried, narrow what is between.
  let carried = 0, tooMuch = Infinity;
  for (let i = 0; i < TRIES_MAX; i++) {
    const beganMs = journal.usedMs;
    if (i > 0 && beganMs + Math.max(...runs.map(({ tookMs }) => tookMs)) > untilMs) break;
    const wish = { settings, perSecond, seconds, seed, drainMs: boundedDrain(options, seconds) };
    options.onTry?.(perSecond);
    const result = await journal.step(`probe ${i} ${perSecond}`, () => measurer.run(wish));
    runs.push({ wish, result, tookMs: journal.usedMs - beganMs });
    const all = result.measures?.all;
    const share = all?.goodShare ?? 0;
    if (all !== undefined && share >= SHARE_MIN && share <= SHARE_MAX) break;
    if (share > SHARE_MAX) carried = perSecond;
    else tooMuch = perSecond;
    if (share > SHARE_MAX) perSecond = Math.min(perSecond * 2, Math.sqrt(perSecond * tooMuch));
    else {
      const good = all === undefined ? 0 : all.good / seconds;
      perSecond = Math.max(OVERLOAD * good, perSecond / 2, Math.sqrt(carried * perSecond));
    }
  }
  return { perSecond, runs };
}
