/** A report of a trial that never was: its figures are invented, and agree with one another. @module */

import type {
  ClassMeasures,
  Measures,
  PointSettings,
  TrialPercentiles,
  TrialPoint,
  TrialReport,
} from "../../src/trial/report_data.ts";
import { TRIAL_REPORT_VERSION } from "../../src/trial/report_data.ts";

const SETTINGS: PointSettings = {
  workers: 1,
  threads: 2,
  cpus: null,
  sequencesMax: 32,
  batchTokens: 256,
  maxWaitMs: 2000,
  kvFormat: "f16",
  kvTokens: 16_384,
  prefixCache: true,
};

/** Times of a long-tailed kind. */
function times(p50: number, tail = 1.6): TrialPercentiles {
  return { p50, p90: p50 * tail, p95: p50 * tail * 1.15, p99: p50 * tail * 1.6 };
}

interface ClassOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly ttftMs: number;
  readonly itlMs: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly goodShare: number;
}

/** A class whose counts follow from its rate. */
function classMeasures(name: string, options: ClassOptions): ClassMeasures {
  const { perSecond, seconds, ttftMs, itlMs, promptTokens, answerTokens, goodShare } = options;
  const requests = Math.round(perSecond * seconds);
  const refused = Math.round(requests * (1 - goodShare) / 2);
  const ok = requests - refused;
  const good = Math.round(requests * goodShare);
  return {
    class: name,
    requests,
    ok,
    refused,
    failed: 0,
    cut: 0,
    ttftMs: times(ttftMs),
    itlMs: times(itlMs, 1.3),
    e2eMs: times(ttftMs + itlMs * answerTokens),
    promptTokens: ok * promptTokens,
    cachedTokens: Math.round(ok * promptTokens * 0.4),
    answerTokens: ok * answerTokens,
    promptTokensPerSecond: ok * promptTokens / seconds,
    answerTokensPerSecond: ok * answerTokens / seconds,
    good,
    goodShare: good / requests,
    goodPerSecond: good / seconds,
  };
}

/** A run at so many requests per second; `strain` of 1 is all that the machine carries. */
function measures(perSecond: number, strain: number, seconds = 60): Measures {
  const goodShare = Math.min(1, 1.12 - 0.17 * strain);
  const stretch = 0.5 + 0.5 * strain;
  const common = { seconds, goodShare };
  const interactive = classMeasures("interactive", {
    ...common,
    perSecond: perSecond * 0.8,
    ttftMs: 420 * stretch,
    itlMs: 48 * stretch,
    promptTokens: 300,
    answerTokens: 120,
  });
  const batch = classMeasures("batch", {
    ...common,
    perSecond: perSecond * 0.2,
    ttftMs: 2600 * stretch,
    itlMs: 70 * stretch,
    promptTokens: 1200,
    answerTokens: 200,
  });
  const sum = (read: (each: ClassMeasures) => number) => read(interactive) + read(batch);
  const all: ClassMeasures = {
    ...interactive,
    class: "all",
    requests: sum(({ requests }) => requests),
    ok: sum(({ ok }) => ok),
    refused: sum(({ refused }) => refused),
    ttftMs: times(480 * stretch, 3),
    itlMs: times(51 * stretch, 1.4),
    e2eMs: times(7200 * stretch, 2),
    promptTokens: sum(({ promptTokens }) => promptTokens),
    cachedTokens: sum(({ cachedTokens }) => cachedTokens),
    answerTokens: sum(({ answerTokens }) => answerTokens),
    promptTokensPerSecond: sum((each) => each.promptTokensPerSecond),
    answerTokensPerSecond: sum((each) => each.answerTokensPerSecond),
    good: sum(({ good }) => good),
    goodShare: sum(({ good }) => good) / sum(({ requests }) => requests),
    goodPerSecond: sum((each) => each.goodPerSecond),
  };
  return {
    seconds,
    all,
    classes: [batch, interactive],
    residentBytes: 640e6,
    kv: {
      reservedBytes: 755e6,
      allocatedBytes: 210e6,
      usedBytes: 203e6,
      waste: 1 - 203 / 210,
      maxLengthReservationBytes: 1500e6,
    },
    preemptions: 0,
    cpuShare: Math.min(1, 0.97 * strain),
    lagP99Ms: 3.2,
  };
}

const CARRIED = 2.4;

function point(id: number, settings: Partial<PointSettings>, speed: number, rounds: number): TrialPoint {
  return {
    id,
    settings: { ...SETTINGS, ...settings },
    screeningScore: speed,
    lastRound: rounds - 1,
    outcome: rounds < 3 ? "beaten" : id === 17 ? "chosen" : "equal",
    runs: Array.from({ length: rounds }, (_, round) => ({
      round,
      repeat: 0,
      atMinutes: 1 + 2 * round + id / 40,
      seed: 1000 + round,
      requestsPerSecond: CARRIED * 1.2,
      measures: measures(CARRIED * 1.2, 1.2 / speed, 12 * 2 ** round),
    })),
  };
}

/** Another one for each call; `change` replaces parts of it. */
export function sampleReport(change: Partial<TrialReport> = {}): TrialReport {
  const chosen = measures(CARRIED, 1);
  const meanOf = (mean: number) => ({
    mean,
    p50: mean * 0.8,
    p90: mean * 2,
    p99: mean * 3.5,
    max: mean * 5,
  });
  const classes = [
    { class: "interactive", share: 0.8, promptTokens: meanOf(300), answerTokens: meanOf(120) },
    { class: "batch", share: 0.2, promptTokens: meanOf(1200), answerTokens: meanOf(200) },
  ];
  return {
    trialReport: TRIAL_REPORT_VERSION,
    kumiVersion: "0.1.0",
    startedAt: "2026-11-30T09:00:00.000Z",
    endedAt: "2026-11-30T09:29:12.000Z",
    budgetMinutes: 30,
    usedMinutes: 29.2,
    resumed: 0,
    command: ["kumi", "trial", "--model", "smollm2", "--profile", "mixed", "--users", "400", "--seed", "1"],
    seed: 1,
    machine: {
      processor: "Example CPU 8000 <2 cores>",
      arch: "x86_64",
      system: "linux",
      level: "amx",
      levelWhy: "best supported",
      levels: [{ name: "amx", supported: true }, { name: "x86_64_v3", supported: true }],
      features: ["avx2", "fma", "avx512f", "amx_int8"],
      cores: 2,
      cpus: [0, 1],
      usableCpus: 2,
      cpuQuota: null,
      nodes: [{ id: 0, cpus: [0, 1], memoryBytes: 16e9 }],
      caches: [
        { level: 1, kind: "data", bytes: 48 << 10 },
        { level: 2, kind: "unified", bytes: 2 << 20 },
        { level: 3, kind: "unified", bytes: 105 << 20 },
      ],
      memoryBytes: 16e9,
      availableBytes: 12e9,
      readGBps: 35,
      readGBpsByThreads: { "1": 18, "2": 35 },
      peakGmacps: { int8: 900, bf16: 450, float: 90 },
      loadBefore: 0.1,
    },
    model: {
      spec: "smollm2",
      name: "SmolLM2 135M Instruct",
      architecture: "llama",
      quantisation: "Q4_1",
      parameters: 134_515_008,
      fileBytes: 98e6,
      contextLength: 8192,
      kvBytesPerToken: 46_080,
      loadSeconds: 1.4,
    },
    traffic: {
      source: "profile",
      name: "mixed",
      sources: ["Lengths after a public trace of conversations."],
      requests: 1000,
      seconds: null,
      requestsPerSecond: 4,
      peakRequestsPerSecond: 5.5,
      users: 400,
      requestsPerUserSecond: 0.01,
      classes,
      promptLimits: [],
      sharedPromptShare: 0.4,
      burstiness: 1,
      sample: Array.from({ length: 40 }, (_, i) => ({
        at: i * 250,
        cls: i % 5 === 0 ? 1 : 0,
        prompt: i % 5 === 0 ? 1200 : 300,
        answer: i % 5 === 0 ? 200 : 120,
        blocks: [1, 2 + i % 3],
      })),
      blockTokens: 64,
    },
    objectives: {
      share: 0.95,
      classes: [
        { class: "interactive", ttftMs: 2000, itlMs: 150, itlStat: "mean", from: "default" },
        { class: "batch", ttftMs: 30_000, itlMs: null, itlStat: "mean", from: "given" },
      ],
    },
    search: {
      dimensions: {
        workers: [1, 2],
        threads: [1, 2],
        sequencesMax: [8, 16, 32, 64],
        batchTokens: [128, 256, 512],
        maxWaitMs: [0, 2000],
        kvFormat: ["f16", "q8_0"],
        prefixCache: [true],
      },
      gridPoints: 96,
      measuredPoints: 6,
      rounds: [
        { round: 0, points: 6, secondsPerRun: 12, requestsPerSecond: CARRIED * 1.2 },
        { round: 1, points: 3, secondsPerRun: 24, requestsPerSecond: CARRIED * 1.2 },
        { round: 2, points: 2, secondsPerRun: 48, requestsPerSecond: CARRIED * 1.2 },
      ],
      points: [
        point(17, {}, 1, 3),
        point(18, { batchTokens: 512 }, 0.99, 3),
        point(5, { sequencesMax: 16 }, 0.95, 2),
        point(40, { workers: 2, threads: 1 }, 0.9, 1),
        point(41, { workers: 2, threads: 1, kvFormat: "q8_0" }, 0.86, 1),
        point(1, { sequencesMax: 8, batchTokens: 128 }, 0.7, 1),
      ],
    },
    chosen: {
      id: 17,
      settings: SETTINGS,
      config: { model: "smollm2", workers: 1, threads: 2, sequencesMax: 32, batchTokens: 256 },
      measures: chosen,
      highestLoad: {
        requestsPerSecond: CARRIED,
        users: CARRIED / 0.01,
        aboveRequestsPerSecond: CARRIED * 1.1,
        tries: [
          { requestsPerSecond: 1.5, goodShare: 1, seconds: 60, held: true, worstClass: "batch" },
          {
            requestsPerSecond: CARRIED,
            goodShare: 0.955,
            seconds: 60,
            held: true,
            worstClass: "interactive",
          },
          {
            requestsPerSecond: CARRIED * 1.1,
            goodShare: 0.91,
            seconds: 60,
            held: false,
            worstClass: "interactive",
          },
        ],
      },
      goodPerSecond: { mean: 2.3, low: 2.21, high: 2.39 },
      equals: [18],
    },
    noise: {
      repeats: 4,
      throughputSpread: 0.03,
      ttftSpread: 0.12,
      isNoisy: false,
      threshold: 0.1,
      stolenShare: 0.01,
    },
    energy: {
      measured: null,
      estimated: {
        estimatedFrom: "tdp",
        tdpWatts: 120,
        tdpFrom: "given",
        utilisation: 0.97,
        estimatedSeconds: 60,
        estimatedJoules: 120 * 0.97 * 60,
        estimatedWatts: 120 * 0.97,
        estimatedJoulesPerToken: {
          perAnswerToken: 120 * 0.97 * 60 / chosen.all.answerTokens,
          prefill: 0.1,
          decode: 0.28,
          classes: { interactive: 0.36, batch: 0.4 },
        },
      },
      notMeasuredBecause: "this machine has no energy counters (/sys/class/powercap is empty)",
    },
    quality: {
      file: "questions.jsonl",
      questions: 20,
      results: [
        {
          subject: "model",
          name: "SmolLM2 135M Instruct",
          quantisation: "Q4_1",
          passed: 11,
          graded: 20,
          unanswered: 0,
          byKind: { text: { passed: 6, graded: 10 }, number: { passed: 5, graded: 10 } },
          byLanguage: { en: { passed: 8, graded: 10 }, ja: { passed: 3, graded: 10 } },
          failed: ["sum-3", "capital-2"],
        },
        {
          subject: "alternative",
          name: "big-model",
          quantisation: null,
          passed: 19,
          graded: 20,
          unanswered: 0,
          byKind: { text: { passed: 10, graded: 10 }, number: { passed: 9, graded: 10 } },
          byLanguage: { en: { passed: 10, graded: 10 }, ja: { passed: 9, graded: 10 } },
          failed: ["sum-3"],
        },
      ],
    },
    alternatives: [{
      url: "https://llm.example.org/v1",
      model: "big-model",
      requestsPerSecond: CARRIED,
      measures: {
        ...measures(CARRIED, 0.4),
        residentBytes: null,
        kv: null,
        preemptions: null,
        cpuShare: null,
      },
      spentTokens: 98_000,
      tokensMax: 200_000,
      capped: false,
      speed: { firstTokenMs: 90, promptTokensPerSecond: 9000, tokensPerSecond: 90 },
    }],
    cost: null,
    stepModel: {
      fixedMs: 5.2,
      msPerToken: 0.61,
      msPerKvEntry: 1.1e-4,
      relativeError: 0.06,
      bends: [{ upTo: 4, msPerToken: 0.1 }],
      msPerRow: 0.05,
      stretch: 1,
      betweenMs: 0.4,
      betweenMsPerSequence: 0.02,
      steps: 4200,
      settings: SETTINGS,
      requestOverheadMs: 1.1,
      tokenOverheadMs: 0.05,
      matrixBytes: 84e6,
      macsPerToken: 134e6,
    },
    predictions: [1, 2, 10].map((load) => ({
      load,
      requestsPerSecond: 5.5 * load,
      machines: Math.ceil(5.5 * load / CARRIED),
      goodShare: 0.96,
      answerTokensPerSecond: 5.5 * load * 136,
      classes: classes.map(({ class: name }) => ({
        class: name,
        ttftMs: times(450),
        itlMs: times(50, 1.3),
        e2eMs: times(7000),
        goodShare: 0.96,
      })),
    })),
    verdict: {
      carries: "yes",
      classesElsewhere: [],
      machines: 3,
      utilisation: 5.5 / (3 * CARRIED),
      next: ["serve with the configuration", "add machines", "record own traffic"],
    },
    notes: [
      { note: "synthetic traffic", profile: "mixed" },
      { note: "energy estimated" },
    ],
    ...change,
  };
}
