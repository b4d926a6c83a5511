/** The same load at another endpoint, within a cap on what it may cost. @module */

import type { Arrival } from "../loadtest/arrivals.ts";
import { sendLoad } from "../loadtest/generator.ts";
import { PromptMaker, type TokenRate } from "../loadtest/prompts.ts";
import type { RequestRecord } from "../loadtest/send.ts";
import { calibrate, type Target } from "../loadtest/target.ts";
import { measuresOf, NO_FIGURES } from "./measures.ts";
import type { TrialAlternative, TrialObjectives } from "./report_data.ts";
import { measuredSpeed } from "./upstream_speed.ts";

/** What is sent where. */
export interface AgainstOptions {
  readonly target: Target;
  /** Most tokens, prompts and answers together, that may be asked for. */
  readonly tokensMax: number;
  readonly arrivals: readonly Arrival[];
  readonly seconds: number;
  readonly drainMs: number;
  readonly perSecond: number;
  readonly objectives: TrialObjectives;
  readonly signal: AbortSignal;
}

/** Tokens of the requests that ask how many tokens a word is. */
const CALIBRATION_TOKENS = 200;
const IN_FLIGHT_MAX = 512;

/**
 * The requests that the cap allows, from the first on: each is counted with all that it may take, so that the
 * cap holds whatever the endpoint answers.
 */
export function withinCap(
  arrivals: readonly Arrival[],
  tokensMax: number,
): { arrivals: Arrival[]; tokens: number; capped: boolean } {
  const kept: Arrival[] = [];
  let tokens = CALIBRATION_TOKENS;
  for (const arrival of arrivals) {
    const next = tokens + arrival.promptTokens + arrival.maxTokens;
    if (next > tokensMax) return { arrivals: kept, tokens, capped: true };
    tokens = next;
    kept.push(arrival);
  }
  return { arrivals: kept, tokens, capped: false };
}

/** Runs the load. What goes wrong stands in the result; only the signal's reason is thrown. */
export async function runAgainst(options: AgainstOptions): Promise<TrialAlternative> {
  const { target, tokensMax, objectives, seconds, signal, perSecond } = options;
  const { arrivals, capped } = withinCap(options.arrivals, tokensMax);
  const about = {
    url: shownUrl(target.baseUrl),
    model: target.model,
    requestsPerSecond: perSecond,
    tokensMax,
    capped,
  };
  if (arrivals.length === 0) {
    return { ...about, measures: null, spentTokens: 0, problem: "the cap is below a single request" };
  }
  let rate: TokenRate;
  try {
    rate = await calibrate(target, Math.floor(Math.random() * 2 ** 31), signal);
  } catch (error) {
    signal.throwIfAborted();
    return { ...about, measures: null, spentTokens: 0, problem: (error as Error).message };
  }
  const giveUp = new AbortController();
  const lastMs = arrivals[arrivals.length - 1].atMs;
  const timer = setTimeout(() => giveUp.abort(), lastMs + options.drainMs);
  const overspent = new SpendingWatch(tokensMax, () => giveUp.abort());
  const records = await sendLoad(arrivals, {
    target,
    prompts: new PromptMaker(rate, { nonce: Math.floor(Math.random() * 2 ** 31) }),
    inFlightMax: IN_FLIGHT_MAX,
    timeoutMs: lastMs + options.drainMs,
    onEnd: (record) => overspent.add(record),
    signal: AbortSignal.any([signal, giveUp.signal]),
  });
  clearTimeout(timer);
  signal.throwIfAborted();
  const measures = measuresOf(records, capped ? lastMs / 1000 : seconds, objectives, NO_FIGURES);
  const result = {
    ...about,
    capped: capped || overspent.isOver,
    spentTokens: overspent.tokens,
    speed: measuredSpeed(records),
  };
  if (measures.all.ok > 0) return { ...result, measures };
  const problem = records.find((record) => record.problem !== undefined)?.problem ?? "no answer came in time";
  return { ...result, measures: null, problem };
}

/** Adds up what was used; a prompt may have more tokens than was thought. */
class SpendingWatch {
  tokens = CALIBRATION_TOKENS;
  isOver = false;
  readonly #max: number;
  readonly #onOver: () => void;

  constructor(max: number, onOver: () => void) {
    this.#max = max;
    this.#onOver = onOver;
  }

  add({ promptTokens, completionTokens }: RequestRecord): void {
    this.tokens += promptTokens + completionTokens;
    if (this.tokens <= this.#max || this.isOver) return;
    this.isOver = true;
    this.#onOver();
  }
}

/** An address as a report may have it: without names, keys and query. */
export function shownUrl(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return url.href.replace(/\/$/, "");
}
