/** The parts of a trial's report that were measured: points, loads, noise, energy. @module */

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
