/** The highest load at which the objectives hold. @module */

import type { Journal } from "./journal.ts";
import type { Measurer, RunResult } from "./measurer.ts";
import { boundedDrain } from "./rounds.ts";
import type { HighestLoad, Measures, PointSettings, TrialObjectives } from "./report_data.ts";

/** How it is looked for. */
export interface HighestLoadOptions {
  readonly journal: Journal;
  readonly measurer: Pick<Measurer, "run">;
  readonly settings: PointSettings;
  readonly objectives: TrialObjectives;
  /** Requests per second to begin with. */
  readonly start: number;
  /** Of each try. */
  readonly seconds: number;
  readonly drainMs: number;
  /** What a run takes beside its load, as far as is known. */
  readonly overheadMs: number;
  readonly seed: number;
  readonly untilMs: number;
  readonly requestsPerUserSecond: number | null;
  readonly onTry?: (perSecond: number, tries: number) => void;
}

/** What was found, and the run at the highest load that held, or at the lowest that was tried. */
export interface FoundLoad {
  readonly highestLoad: HighestLoad;
  readonly result: RunResult | null;
}

/** The two loads between which the answer lies are so near in the end. */
const PRECISION = 0.06;
const TRIES_MAX = 12;
const STEP = 1.25;
/** Below this part of the start nothing is looked for any more. */
const LOWEST = 1 / 64;
/** Of fewer requests a share means little: one in twenty may miss. */
const REQUESTS_MIN = 24;
/** Where time is short, a load is tried so often at least. */
const TRIES_MIN = 3;
/** A load that is carried ends not much later than its last request was sent. */
const LATE = 0.3;

/**
 * Goes up or down from `start` by a quarter until the answer lies between two loads, then halves what is between.
 * A load holds where every class keeps its objectives in the share that is asked for, and the server kept up. All
 * tries are made with the same requests, nearer together or further apart.
 */
export async function findHighestLoad(options: HighestLoadOptions): Promise<FoundLoad> {
  const { journal, measurer, settings, objectives, start, seed, untilMs, overheadMs } = options;
  const tries: HighestLoad["tries"][number][] = [];
  let low = 0, high = Infinity, perSecond = start;
  let held: RunResult | null = null, lowest: RunResult | null = null;
  let longestMs = options.seconds * 1000 + overheadMs;
  for (let i = 0; i < TRIES_MAX; i++) {
    const beganMs = journal.usedMs;
    // One load is tried, however little time there is.
    if (i > 0 && (beganMs + longestMs > untilMs || perSecond < start * LOWEST)) break;
    options.onTry?.(perSecond, i);
    // A load of few requests needs longer to say anything, as far as there is time.
    const room = ((untilMs - beganMs) / Math.max(1, TRIES_MIN - i) - overheadMs) / 1000;
    const seconds = Math.max(options.seconds, Math.min(REQUESTS_MIN / perSecond, room));
    const drainMs = boundedDrain({ ...options, endMs: untilMs }, seconds);
    const wish = { settings, perSecond, seconds, seed, drainMs };
    const result = await journal.step(`load ${i} ${perSecond}`, () => measurer.run(wish));
    longestMs = Math.max(longestMs, journal.usedMs - beganMs);
    if (result.measures === null || result.measures.all.requests === 0) break;
    const judged = judge(result.measures, seconds, objectives);
    tries.push({ requestsPerSecond: perSecond, seconds: result.measures.seconds, ...judged });
    if (judged.held) {
      low = perSecond;
      held = result;
    } else {
      high = perSecond;
      if (held === null) lowest = result;
    }
    if (low > 0 && high / low <= 1 + PRECISION) break;
    perSecond = low === 0
      ? perSecond / STEP ** (1 + tries.length / 2)
      : high === Infinity
      ? perSecond * STEP
      : Math.sqrt(low * high);
  }
  const perUser = options.requestsPerUserSecond;
  return {
    highestLoad: {
      requestsPerSecond: low > 0 ? low : null,
      users: low > 0 && perUser !== null ? Math.floor(low / perUser) : null,
      aboveRequestsPerSecond: Number.isFinite(high) ? high : null,
      tries,
    },
    result: held ?? lowest,
  };
}

/** Whether every class has kept its objectives, and which one least. */
export function judge(
  { classes, all, seconds }: Measures,
  offeredSeconds: number,
  { share }: TrialObjectives,
): { goodShare: number; held: boolean; worstClass: string } {
  const shares = classes.map((each) => ({ name: each.class, share: each.goodShare ?? 0 }));
  const worst = shares.toSorted((a, b) => a.share - b.share)[0] ?? { name: "all", share: 0 };
  // Requests that take long by themselves may end late: nothing is wrong with that.
  const allowed = offeredSeconds * (1 + LATE) + 2 * (all.e2eMs.p95 ?? 0) / 1000;
  return {
    goodShare: all.goodShare ?? 0,
    held: worst.share >= share && seconds <= allowed,
    worstClass: worst.name,
  };
}
