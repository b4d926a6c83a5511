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

import type { CostAssessment, CostInputs } from "../cost/mod.ts";

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

/** What can be set about a server: one point of the sweep. */
export interface PointSettings {
  readonly workers: number;
  /** Of each worker. */
  readonly threads: number;
  /** A list such as "0-3"; null: all that the process may use. */
  readonly cpus: string | null;
  readonly sequencesMax: number;
  /** Most tokens of a step. */
  readonly batchTokens: number;
  /** How long classes that tolerate delay wait for company. */
  readonly maxWaitMs: number;
  readonly kvFormat: string;
  readonly kvTokens: number;
  readonly prefixCache: boolean;
}

/** How points were searched. */
export interface TrialSearch {
  /** Values of each dimension that were allowed; their product is the grid. */
  readonly dimensions: Readonly<Record<string, readonly (string | number | boolean | null)[]>>;
  readonly gridPoints: number;
  /** Points that were run at least once. */
  readonly measuredPoints: number;
  readonly rounds: readonly TrialRound[];
  /** In the order in which the plan had them; a point's `id` is its place in the grid. */
  readonly points: readonly TrialPoint[];
}

/** A round of successive halving: so many points, run so long at the same load. */
export interface TrialRound {
  readonly round: number;
  readonly points: number;
  readonly secondsPerRun: number;
  readonly requestsPerSecond: number;
}

export interface TrialPoint {
  readonly id: number;
  readonly settings: PointSettings;
  /** Throughput that the screening expected, relative to the best; null without a screening. */
  readonly screeningScore: number | null;
  readonly runs: readonly PointRun[];
  /** The last round that it took part in, and why it went no further. */
  readonly lastRound: number;
  readonly outcome: "chosen" | "equal" | "beaten" | "failed" | "not run";
  /** Why a server with these settings did not start or answer. */
  readonly problem?: string;
}

/** One run of a point under load. */
export interface PointRun {
  readonly round: number;
  /** 0 for the first run in a round. */
  readonly repeat: number;
  /** Minutes since the trial began. */
  readonly atMinutes: number;
  readonly seed: number;
  /** Offered. */
  readonly requestsPerSecond: number;
  readonly measures: Measures;
}

/** p95 is what objectives and predictions speak of. */
export interface TrialPercentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** What clients saw of one run, and what the server used. */
export interface Measures {
  /** From the first request to the end of the last. */
  readonly seconds: number;
  readonly all: ClassMeasures;
  readonly classes: readonly ClassMeasures[];
  /** Resident memory of the server at its highest; null where the system does not tell. */
  readonly residentBytes: number | null;
  /** The KV cache when it was fullest, as far as it was looked at. */
  readonly kv: {
    readonly reservedBytes: number;
    readonly allocatedBytes: number;
    readonly usedBytes: number;
    /** 1 − used ÷ allocated. */
    readonly waste: number;
    /** What reserving the longest sequence for each would have taken. */
    readonly maxLengthReservationBytes: number;
  } | null;
  readonly preemptions: number | null;
  /** Of the CPUs that the server may use; null where the system does not tell. */
  readonly cpuShare: number | null;
  /** How late the load generator was at p99: above some 20 ms it spoils the figures itself. */
  readonly lagP99Ms: number | null;
}

export interface ClassMeasures {
  readonly class: string;
  readonly requests: number;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  /** Still under way when the run was ended. */
  readonly cut: number;
  readonly ttftMs: TrialPercentiles;
  readonly itlMs: TrialPercentiles;
  readonly e2eMs: TrialPercentiles;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly answerTokens: number;
  readonly promptTokensPerSecond: number;
  readonly answerTokensPerSecond: number;
  /** Answered to the end and within the objectives. */
  readonly good: number;
  readonly goodShare: number | null;
  readonly goodPerSecond: number;
}

/** The operating point. */
export interface ChosenPoint {
  readonly id: number;
  readonly settings: PointSettings;
  /** Contents of `kumi.config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** At the highest load that it carries; the objectives hold there. */
  readonly measures: Measures;
  readonly highestLoad: HighestLoad;
  /** Goodput of the repeated last runs, and the interval that holds its mean with 95 %. */
  readonly goodPerSecond: { readonly mean: number; readonly low: number; readonly high: number };
  /** Points of the last round that cannot be told from it. */
  readonly equals: readonly number[];
}

/** The highest load at which the objectives hold. */
export interface HighestLoad {
  /** Null: not even the lowest load that was tried. */
  readonly requestsPerSecond: number | null;
  /** By the traffic's requests per user; null where it has none. */
  readonly users: number | null;
  /** The lowest load that did not hold; null where all did. */
  readonly aboveRequestsPerSecond: number | null;
  readonly tries: readonly {
    readonly requestsPerSecond: number;
    readonly goodShare: number;
    readonly seconds: number;
    readonly held: boolean;
    /** The class that kept its objectives least. */
    readonly worstClass: string;
  }[];
}

/** How far repeated runs of the same point differ. */
export interface TrialNoise {
  /** Pairs or more of runs that were alike. */
  readonly repeats: number;
  /** Standard deviation of the throughput of equal runs, relative; null without repeats. */
  readonly throughputSpread: number | null;
  readonly ttftSpread: number | null;
  readonly isNoisy: boolean;
  /** The spread from which on it counts as noisy. */
  readonly threshold: number;
  /** Others' share of the CPUs meanwhile; null where the system does not tell. */
  readonly stolenShare: number | null;
}

/** At most one of `measured` and `estimated` is there. */
export interface TrialEnergy {
  readonly measured: MeasuredEnergy | null;
  readonly estimated: EstimatedEnergy | null;
  /** Why nothing was measured, with the command that would change it; null where it was. */
  readonly notMeasuredBecause: string | null;
}

/** Energy that a counter or a meter has counted, at the chosen point under its highest load. */
export interface MeasuredEnergy {
  readonly source: "rapl" | "perf" | "meter";
  /** Such as "package-0", "dram-0". */
  readonly domains: readonly string[];
  readonly seconds: number;
  readonly grossJoules: number;
  readonly meanWatts: number;
  /** Of the machine with the model loaded and nothing to do; null where it was not measured. */
  readonly idleWatts: number | null;
  readonly idleSubtractedJoules: number | null;
  readonly joulesPerToken: JoulesPerToken;
}

/** From the processor's TDP and its utilisation: no measurement. */
export interface EstimatedEnergy {
  readonly estimatedFrom: "tdp";
  readonly tdpWatts: number;
  /** "given" by `--tdp`, or a "table" by processor, with its date. */
  readonly tdpFrom: string;
  readonly utilisation: number;
  readonly estimatedSeconds: number;
  readonly estimatedJoules: number;
  readonly estimatedWatts: number;
  readonly estimatedJoulesPerToken: JoulesPerToken;
}

/** Joules for a token, by what it was for. */
export interface JoulesPerToken {
  /** All energy over all tokens of answers. */
  readonly perAnswerToken: number;
  readonly prefill: number | null;
  readonly decode: number | null;
  readonly classes: Readonly<Record<string, number>>;
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

/**
 * What a step of the engine takes: `fixedMs + msPerToken · tokens + msPerKvEntry · attended tokens + msPerRow · tokens
 * chosen`.
 */
export interface TrialStepModel {
  readonly fixedMs: number;
  readonly msPerToken: number;
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
  /** Steps that it was fitted to, and the settings under which they ran. */
  readonly steps: number;
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

/** What the first page says. */
export interface TrialVerdict {
  /**
   * Whether this machine, or `machines` of them, can carry the traffic: "yes", "partly" where some classes
   * keep their objectives and those of `classesElsewhere` do not, "no".
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
  | { readonly note: "spending cap reached"; readonly url: string }
  | { readonly note: "random weights" }
  | { readonly note: "container limits"; readonly cpuQuota: number };
