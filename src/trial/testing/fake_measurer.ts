/** A machine that is only reckoned, for tests of the search. @module */

import { randomFrom } from "../../loadtest/random.ts";
import type { AlonePrompt, Measurer, RunResult, RunWish, Sounding } from "../measurer.ts";
import type { ClassMeasures, PointSettings, TrialPercentiles } from "../report_data.ts";
import { expectedRate, type StepFigures, type TypicalRequest } from "../screening.ts";

/** How the fake machine is. */
export interface FakeMachine {
  /** Relative spread of equal runs. */
  readonly noise: number;
  readonly seed: number;
  /** Requests per second that a point carries; default: as the screening would expect, and a little otherwise. */
  readonly carries?: (settings: PointSettings) => number;
  /** Points that do not start. */
  readonly fails?: (settings: PointSettings) => boolean;
  readonly loadSeconds: number;
  /** What prompts take alone; default: nothing is known. */
  readonly alone?: readonly AlonePrompt[];
}

const NO_EXTRAS = { msPerRow: 0, stretch: 1, betweenMs: 0, betweenMsPerSequence: 0 };
const STEP = {
  fixedMs: 4,
  msPerToken: 0.4,
  bends: [],
  msPerKvEntry: 1e-4,
  relativeError: 0.05,
  steps: 500,
  ...NO_EXTRAS,
};
export const FAKE_REQUEST: TypicalRequest = {
  promptTokens: 300,
  answerTokens: 100,
  sharedShare: 0.3,
  itlMs: 150,
};
const DEFAULTS: PointSettings = {
  workers: 1,
  threads: 2,
  cpus: null,
  sequencesMax: 32,
  batchTokens: 512,
  maxWaitMs: 2000,
  kvFormat: "f16",
  kvTokens: 16_384,
  prefixCache: true,
};
const FIGURES: StepFigures = { ...STEP, settings: DEFAULTS };
const NO_WINDOW = { fromMs: 0, toMs: 0 };
const NOTHING = { energy: null, work: [], window: NO_WINDOW };
/** Of an answer that nothing disturbs. */
const ALONE_MS = 600;

/** What a point of the fake machine really carries: not quite what the screening expects of it. */
export function fakeCapacity(settings: PointSettings): number {
  const expected = expectedRate(settings, FIGURES, FAKE_REQUEST);
  const own = randomFrom(hash(JSON.stringify(settings)))();
  return expected * (0.85 + 0.3 * own);
}

/** Measures nothing and takes no time of its own: `advance` is told how long it would have taken. */
export class FakeMeasurer implements Measurer {
  readonly wishes: RunWish[] = [];
  readonly #machine: FakeMachine;
  readonly #advance: (ms: number) => void;
  #runs = 0;

  constructor(machine: FakeMachine, advance: (ms: number) => void) {
    this.#machine = machine;
    this.#advance = advance;
  }

  sound(): Promise<Sounding> {
    const { loadSeconds } = this.#machine;
    this.#advance(1000 * loadSeconds + ALONE_MS);
    return Promise.resolve({
      loadSeconds,
      ttftMs: 130,
      itlMs: 4.7,
      e2eMs: ALONE_MS,
      step: STEP,
      promptTokens: 300,
      alone: this.#machine.alone ?? [],
      idleWatts: null,
      idleWindow: NO_WINDOW,
    });
  }

  run(wish: RunWish): Promise<RunResult> {
    const { noise, seed, loadSeconds, fails = () => false, carries = fakeCapacity } = this.#machine;
    this.wishes.push(wish);
    this.#advance(1000 * (loadSeconds + wish.seconds) + ALONE_MS);
    if (fails(wish.settings)) {
      return Promise.resolve({ measures: null, problem: "no memory", step: null, ...NOTHING });
    }
    // The same run again gives another value, and a run that was not made again the same.
    const random = randomFrom(hash(`${seed} ${this.#runs++}`));
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const carried = Math.max(1e-9, carries(wish.settings) * (1 + noise * normal));
    return Promise.resolve({ measures: fakeMeasures(wish, carried), step: STEP, ...NOTHING });
  }
}

function fakeMeasures({ perSecond, seconds }: RunWish, carried: number) {
  const load = perSecond / carried;
  const share = load <= 1 ? 1 : 0.97 / load;
  const times = (p50: number): TrialPercentiles => ({ p50, p90: p50 * 1.5, p95: p50 * 1.7, p99: 2 * p50 });
  const requests = Math.max(1, perSecond * seconds);
  const all: ClassMeasures = {
    class: "all",
    requests,
    ok: requests * share,
    refused: requests * (1 - share),
    failed: 0,
    cut: 0,
    ttftMs: times(100 + 400 * Math.min(2, load)),
    itlMs: times(10 + 80 * Math.min(2, load)),
    e2eMs: times(ALONE_MS * (1 + load)),
    promptTokens: 300 * requests * share,
    cachedTokens: 0,
    answerTokens: 100 * requests * share,
    promptTokensPerSecond: 300 * perSecond * share,
    answerTokensPerSecond: 100 * perSecond * share,
    good: requests * share,
    goodShare: share,
    goodPerSecond: perSecond * share,
  };
  return {
    seconds: seconds + ALONE_MS / 1000,
    all,
    classes: [{ ...all, class: "interactive" }],
    residentBytes: 1e9,
    kv: null,
    preemptions: 0,
    cpuShare: Math.min(1, load),
    lagP99Ms: 1,
  };
}

function hash(text: string): number {
  let h = 7;
  for (const letter of text) h = Math.imul(h, 31) + letter.charCodeAt(0) | 0;
  return h;
}
