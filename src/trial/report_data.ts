/**
 * The schema of a trial's `report.json`: everything that was asked, measured, chosen and reckoned. Plain
 * objects, so that it travels as JSON; no text of any request is in it. Times are in ms, rates per second,
 * sizes in bytes, shares from 0 to 1, unless a name says otherwise. Where something was not measured there is
 * null, never 0.
 *
 * What is measured, estimated and predicted never shares a key: `energy.measured` beside `energy.estimated`,
 * `highestLoad` beside `predictions`.
 * @module
 */

import type { TokenBend } from "../protocol/token_time.ts";
import type { PromptBound } from "../traffic/prompt_limit.ts";
import type { CostAssessment, CostInputs } from "../cost/mod.ts";
import type { RouteChoice } from "../capacity/plan_routes.ts";
import type { Price } from "../routing/rules.ts";
import type { MeasuredSpeed } from "./upstream_speed.ts";
import type {
  ChosenPoint,
  Measures,
  PointSettings,
  TrialEnergy,
  TrialNoise,
  TrialPercentiles,
  TrialSearch,
} from "./report_measures.ts";

export type * from "./report_measures.ts";

/** Raised when a reader of older reports would misunderstand a newer one. */
export const TRIAL_REPORT_VERSION = 1;

/** All of a trial. */
export interface TrialReport {
  readonly trialReport: typeof TRIAL_REPORT_VERSION;
  /** Version of kumi that measured. */
  readonly kumiVersion: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly budgetMinutes: number;
  /** Minutes that were used, those before an interruption counted. */
  readonly usedMinutes: number;
  /** How often the trial was interrupted and went on. */
  readonly resumed: number;
  /** What repeats it, word by word, beginning with "kumi". */
  readonly command: readonly string[];
  readonly seed: number;
  readonly machine: TrialMachine;
  readonly model: TrialModel;
  readonly traffic: TrialTraffic;
  readonly objectives: TrialObjectives;
  readonly search: TrialSearch;
  /** Null where no point answered any request within the objectives. */
  readonly chosen: ChosenPoint | null;
  readonly noise: TrialNoise;
  readonly energy: TrialEnergy;
  /** Null: quality was not tested. */
  readonly quality: TrialQuality | null;
  readonly alternatives: readonly TrialAlternative[];
  /** Null where no prices were given. */
  readonly cost: TrialCost | null;
  readonly stepModel: TrialStepModel | null;
  readonly predictions: readonly TrialPrediction[];
  /** Null where no other endpoint was measured; not there in reports of older versions. */
  readonly routing?: TrialRouting | null;
  readonly verdict: TrialVerdict;
  /** What a reader must know, in the order of weight. The words are the renderer's. */
  readonly notes: readonly TrialNote[];
}

/** The machine that measured. */
export interface TrialMachine {
  readonly processor: string | null;
  readonly arch: string;
  readonly system: string;
  /** Instruction set level that the kernels used, and why. */
  readonly level: string;
  readonly levelWhy: string;
  /** Levels of this architecture, best first. */
  readonly levels: readonly { readonly name: string; readonly supported: boolean }[];
  readonly features: readonly string[];
  readonly cores: number | null;
  /** CPUs that the process may use. */
  readonly cpus: readonly number[] | null;
  /** Threads that it should use at most. */
  readonly usableCpus: number;
  /** CPUs' worth of time that a control group grants; null without a limit. */
  readonly cpuQuota: number | null;
  readonly nodes: readonly {
    readonly id: number;
    readonly cpus: readonly number[];
    readonly memoryBytes: number | null;
  }[];
  /** Distinct caches of the first CPU, nearest first; empty where the system does not tell. */
  readonly caches: readonly { readonly level: number; readonly kind: string; readonly bytes: number }[];
  /** Memory of the machine, and what this process may use of it, control groups counted. */
  readonly memoryBytes: number;
  readonly availableBytes: number | null;
  /** Null where the trial had no time to measure it. */
  readonly readGBps: number | null;
  /** By number of threads. */
  readonly readGBpsByThreads: Readonly<Record<string, number>>;
  /** 10⁹ multiply-adds a second at most, by the arithmetic of the weights. */
  readonly peakGmacps: { readonly int8: number; readonly bf16: number; readonly float: number } | null;
  /** Load average of the minute before the trial. */
  readonly loadBefore: number | null;
}

/** The model that was tried. */
export interface TrialModel {
  /** As given. */
  readonly spec: string;
  readonly name: string;
  readonly architecture: string;
  /** Such as "Q4_1": the format of most of its weights. */
  readonly quantisation: string;
  readonly parameters: number;
  readonly fileBytes: number;
  readonly contextLength: number;
  readonly kvBytesPerToken: number;
  /** Seconds from the start of the server until it was ready. */
  readonly loadSeconds: number | null;
}

/** A distribution in a few figures. */
export interface TrialQuantiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The load that the company has, or a profile's. */
export interface TrialTraffic {
  readonly source: "profile" | "file";
  /** The profile, or the name of the file without its folders. */
  readonly name: string;
  /** Where a profile's lengths come from, one sentence each. */
  readonly sources: readonly string[];
  /** Requests that the figures here are of. */
  readonly requests: number;
  /** Seconds between the first and the last of them; null for a profile, which has no rate of its own. */
  readonly seconds: number | null;
  /** Mean rate and that of the busiest minute; null for a profile unless `--rate` or `--users` gave one. */
  readonly requestsPerSecond: number | null;
  readonly peakRequestsPerSecond: number | null;
  /** `--users`, and a profile's requests per user and second. */
  readonly users: number | null;
  readonly requestsPerUserSecond: number | null;
  readonly classes: readonly TrialTrafficClass[];
  /** What was left out of the loads: prompts that their objective has no time for, whatever the load. */
  readonly promptLimits: readonly PromptLimit[];
  /** Share of the prompts' tokens that an earlier request began with, too. */
  readonly sharedPromptShare: number;
  /** Coefficient of variation of the times between arrivals; 1 for a Poisson process. */
  readonly burstiness: number;
  /**
   * A sample of it, at most some thousands, in the order of arrival: what `kumi plan` plays. `cls` is an
   * index into `classes`, `at` ms since the first, `blocks` names of the prompt's first blocks of
   * `blockTokens` tokens: equal names, equal text.
   */
  readonly sample: readonly TrialTrafficRequest[];
  readonly blockTokens: number;
}

/** What was left out, and what would take it in. */
export interface PromptLimit extends PromptBound {
  /** An objective for the time to first token that would leave as few out as the share of good requests allows. */
  readonly ttftMsForAll: number;
}

export interface TrialTrafficRequest {
  readonly at: number;
  readonly cls: number;
  readonly prompt: number;
  readonly answer: number;
  readonly blocks?: readonly number[];
}

export interface TrialTrafficClass {
  readonly class: string;
  /** Of the requests. */
  readonly share: number;
  readonly promptTokens: TrialQuantiles;
  readonly answerTokens: TrialQuantiles;
}

/** What a good answer keeps, by class. */
export interface TrialObjectives {
  readonly classes: readonly TrialObjective[];
  /** Share of the requests that must be good for a load to count as carried. */
  readonly share: number;
}

export interface TrialObjective {
  readonly class: string;
  /** Null: no such objective. */
  readonly ttftMs: number | null;
  readonly itlMs: number | null;
  /** Which figure of an answer's times between tokens is held against `itlMs`. */
  readonly itlStat: "mean" | "p95";
  /** "given" by `--slo`, or the profile's "default". */
  readonly from: "given" | "default";
}

/** Whether the model answers well enough. */
export interface TrialQuality {
  /** Name of the file with questions. */
  readonly file: string;
  readonly questions: number;
  readonly results: readonly QualityResult[];
}

export interface QualityResult {
  /** This machine's model, another of `--eval-model`, or an alternative. */
  readonly subject: "model" | "alternative";
  readonly name: string;
  readonly quantisation: string | null;
  readonly passed: number;
  readonly graded: number;
  /** Questions without an answer: refused, failed, or beyond a cap. */
  readonly unanswered: number;
  /** By how a question is graded: text, regex, number, json, judge. */
  readonly byKind: Readonly<Record<string, { readonly passed: number; readonly graded: number }>>;
  /** By language of the question. */
  readonly byLanguage: Readonly<Record<string, { readonly passed: number; readonly graded: number }>>;
  /** Questions of the file that it failed, by id. */
  readonly failed: readonly string[];
}

/** The same load at another endpoint. */
export interface TrialAlternative {
  /** Without keys and query. */
  readonly url: string;
  readonly model: string;
  readonly requestsPerSecond: number;
  readonly measures: Measures | null;
  readonly spentTokens: number;
  readonly tokensMax: number;
  /** Whether the cap ended the run early. */
  readonly capped: boolean;
  /** How fast it is for one request; null where too few were answered. */
  readonly speed?: MeasuredSpeed | null;
  /** Why there are no measures. */
  readonly problem?: string;
}

/** What the cost model was given and what it says; see docs/cost.md. */
export interface TrialCost {
  /** ISO 4217. */
  readonly currency: string;
  /** The file with prices: its name and its date. */
  readonly pricesFile: string;
  readonly pricesDate: string;
  readonly inputs: CostInputs;
  readonly outputs: CostAssessment;
}

/** A step's time as the engine has fitted it: `fixedMs + its tokens' + msPerKvEntry · attended tokens + msPerRow · tokens chosen`. */
export interface StepFit {
  readonly fixedMs: number;
  /** Of a token beyond the last of the bends. */
  readonly msPerToken: number;
  /** What the first tokens of a step take each, up to so many; none of an engine that tells no bends. */
  readonly bends: readonly TokenBend[];
  readonly msPerKvEntry: number;
  /** For each token that is chosen. */
  readonly msPerRow: number;
  /** Typical error of a prediction, as a share. */
  readonly relativeError: number;
  /** How many times as long as the model says steps took of late. */
  readonly stretch: number;
  /** Between two steps, and what each sequence of a step adds to it. */
  readonly betweenMs: number;
  readonly betweenMsPerSequence: number;
  /** Steps that it was fitted to. */
  readonly steps: number;
}

/** The step model of the chosen point. */
export interface TrialStepModel extends StepFit {
  /** The settings under which those steps ran. */
  readonly settings: PointSettings;
  /** What the server adds to a request and to a token, outside of the steps. */
  readonly requestOverheadMs: number;
  readonly tokenOverheadMs: number;
  /** Multiply-adds and bytes of a token, for reckoning with other machines. */
  readonly matrixBytes: number;
  readonly macsPerToken: number;
}

/** What the real scheduler would do in simulated time, by the step model. */
export interface TrialPrediction {
  /** Times the traffic's own rate. */
  readonly load: number;
  readonly requestsPerSecond: number;
  /** Machines like this one that carry it within the objectives; null: no number does. */
  readonly machines: number | null;
  /** Of the load spread over so many machines. */
  readonly goodShare: number;
  readonly answerTokensPerSecond: number;
  readonly classes: readonly {
    readonly class: string;
    readonly ttftMs: TrialPercentiles;
    readonly itlMs: TrialPercentiles;
    readonly e2eMs: TrialPercentiles;
    readonly goodShare: number;
  }[];
}

/** When to send requests to the other endpoint, by simulating both under the traffic. */
export interface TrialRouting {
  /** Of the endpoint. */
  readonly url: string;
  readonly model: string;
  readonly speed: MeasuredSpeed;
  /** Of its tokens, in the cost's currency; null where the prices have none for it. */
  readonly price: Price | null;
  /** By load; the least costly way that keeps the objectives, or else the one that keeps most. */
  readonly plans: readonly TrialRoute[];
}

/** A way of routing, with what becomes of the traffic. */
export interface TrialRoute extends Omit<RouteChoice, "costPerHour"> {
  /** Times the traffic's own rate. */
  readonly load: number;
  /** Null without a price: then fewest tokens go there. */
  readonly costPerHour: number | null;
  /** What it costs less than sending all there. */
  readonly savedPerHour: number | null;
}

/** What the first page says. */
export interface TrialVerdict {
  /**
   * Whether this machine, or `machines` of them, can carry the traffic: "yes", "partly" where some classes
   * keep their objectives and those of `classesElsewhere` do not, or where the traffic's `promptLimits` leave
   * long prompts out, "no".
   */
  readonly carries: "yes" | "partly" | "no";
  /** Classes that belong onto other hardware. */
  readonly classesElsewhere: readonly string[];
  /** For the traffic's peak; null where the traffic has no rate of its own, or none would do. */
  readonly machines: number | null;
  /** Of them at the peak. */
  readonly utilisation: number | null;
  readonly next: readonly TrialAdvice[];
}

/** What to do next: the renderer has a sentence for each. */
export type TrialAdvice =
  | "serve with the configuration"
  | "add machines"
  | "move classes elsewhere"
  | "move long prompts elsewhere"
  | "try a smaller model or format"
  | "loosen objectives"
  | "repeat on a quiet machine"
  | "repeat with a longer budget"
  | "record own traffic"
  | "test quality"
  | "measure energy"
  | "give prices";

/** Something that a reader must know. */
export type TrialNote =
  /** Repeated runs differ by more than the threshold. */
  | { readonly note: "noisy"; readonly spread: number }
  /** Others used the machine when the trial began. */
  | { readonly note: "busy before"; readonly load: number }
  /** Fewer points were run than were planned. */
  | { readonly note: "budget short"; readonly planned: number; readonly measured: number }
  /** Runs had fewer requests than percentiles need. */
  | { readonly note: "few requests"; readonly requests: number }
  | { readonly note: "generator late"; readonly p99Ms: number }
  | { readonly note: "energy estimated" }
  | { readonly note: "energy not measured"; readonly why: string }
  | { readonly note: "quality not tested" }
  /** The profile is nobody's traffic. */
  | { readonly note: "synthetic traffic"; readonly profile: string }
  /** Requests of the traffic that were longer than the model's context were cut. */
  | { readonly note: "requests cut to the context"; readonly share: number }
  /** Prompts that were too long even alone are in none of the figures. */
  | { readonly note: "long prompts left out"; readonly share: number }
  | { readonly note: "spending cap reached"; readonly url: string }
  | { readonly note: "random weights" }
  | { readonly note: "container limits"; readonly cpuQuota: number };
