/** What a trial asks of whoever measures for it: a server under load, or a fake. @module */

import type { MeasuredEnergy } from "../energy/joules.ts";
import type { PhaseWork } from "../energy/attribution.ts";
import type { Measures, PointSettings, PromptLimit, StepFit } from "./report_data.ts";

/** One run of a point under load. */
export interface RunWish {
  readonly settings: PointSettings;
  readonly perSecond: number;
  /** In which requests are sent. */
  readonly seconds: number;
  readonly seed: number;
  /** How long the last ones may take after that; then they are cut off and count as not good. */
  readonly drainMs: number;
  /** What of the traffic is left out; `perSecond` is what is sent. */
  readonly promptLimits?: readonly PromptLimit[];
}

/** What a run showed. Plain data. */
export interface RunResult {
  /** Null where the server did not start, or could not be asked. */
  readonly measures: Measures | null;
  readonly problem?: string;
  readonly step: StepFit | null;
  /** What the machine's counters counted while requests were under way; null without any. */
  readonly energy: MeasuredEnergy | null;
  /** What the engine's steps were for meanwhile; empty of a server that does not tell. */
  readonly work: readonly PhaseWork[];
  /** When that was: ms since 1970, for readings of a meter. */
  readonly window: TimeWindow;
}

/** Ms since 1970. */
export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a prompt took with nothing else to do. */
export interface AlonePrompt {
  readonly promptTokens: number;
  readonly ttftMs: number;
}

/** One request alone on a server with nothing else to do. */
export interface Sounding {
  /** Seconds until the server was ready. */
  readonly loadSeconds: number;
  readonly ttftMs: number;
  readonly itlMs: number;
  readonly e2eMs: number;
  readonly step: StepFit | null;
  readonly promptTokens: number;
  /** Prompts of the traffic's lengths, one after another, until one took too much of its objective. */
  readonly alone: readonly AlonePrompt[];
  /** Of the machine with the model loaded and nothing to do; null where nothing counts it. */
  readonly idleWatts: number | null;
  /** When nothing was to do. */
  readonly idleWindow: TimeWindow;
}

export interface Measurer {
  /** Throws where not even the default settings give a server that answers. */
  sound(settings: PointSettings, seed: number): Promise<Sounding>;
  run(wish: RunWish): Promise<RunResult>;
}

/** What is done now, for whoever watches. */
export interface TrialProgress {
  /** Such as "round 1 of 3". */
  readonly phase: string;
  /** Of the phase's runs. */
  readonly done: number;
  readonly of: number;
  /** What is going to be measured, in few words. */
  readonly what: string;
}
