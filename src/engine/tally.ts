import type { ClassStats, LatencyClass } from "../../scheduler/mod.ts";
import type { FinishReason, Usage } from "../protocol/answer.ts";
import { Histogram } from "../protocol/histogram.ts";
import type { ClassFigures, EngineStats, PhaseFigures } from "../protocol/stats.ts";

const STEP_MS_BOUNDS = [0.5, 1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 1000, 2000, 5000, 10_000];
const STEP_TOKENS_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const STEP_SEQUENCES_BOUNDS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256];

/** A part of a step. */
export interface StepShare {
  readonly class: string;
  /** Whether it computed a token of an answer, and not of a prompt. */
  readonly isDecode: boolean;
  readonly tokens: number;
  /** What it took of the step, in any unit. */
  readonly weight: number;
}

/** What a step did. */
export interface StepCounts {
  readonly ms: number;
  readonly sequences: number;
  readonly computedTokens: number;
  readonly generatedTokens: number;
  /** Tokens that were guessed, and those of them that were right. */
  readonly draftTokens: number;
  readonly acceptedTokens: number;
}

/** Counts what happens in an engine. */
export class EngineTally {
  readonly #classes = new Map<string, Omit<ClassFigures, keyof ClassStats>>();
  readonly #sums = {
    steps: 0,
    computedTokens: 0,
    generatedTokens: 0,
    promptTokens: 0,
    cachedTokens: 0,
    draftTokens: 0,
    acceptedTokens: 0,
    preemptions: 0,
  };

  readonly #stepMs = new Histogram(STEP_MS_BOUNDS);
  readonly #stepTokens = new Histogram(STEP_TOKENS_BOUNDS);
  readonly #stepSequences = new Histogram(STEP_SEQUENCES_BOUNDS);

  constructor(classes: readonly LatencyClass[]) {
    for (const { name } of classes) {
      const finished = { stop: 0, length: 0, abort: 0, deadline: 0 };
      const work: PhaseFigures = { prefillMs: 0, decodeMs: 0, prefillTokens: 0, decodeTokens: 0 };
      this.#classes.set(name, { accepted: 0, refused: 0, finished, failed: 0, work });
    }
  }

  accept(name: string): void {
    this.#classes.get(name)!.accepted++;
  }

  /** The class may be one that does not exist. */
  refuse(name: string): void {
    const figures = this.#classes.get(name);
    if (figures !== undefined) figures.refused++;
  }

  finish(name: string, reason: FinishReason, usage: Usage): void {
    this.#classes.get(name)!.finished[reason]++;
    this.#sums.promptTokens += usage.promptTokens;
    this.#sums.cachedTokens += usage.cachedTokens;
  }

  fail(name: string): void {
    this.#classes.get(name)!.failed++;
  }

  step(step: StepCounts): void {
    this.#sums.steps++;
    this.#sums.computedTokens += step.computedTokens;
    this.#sums.generatedTokens += step.generatedTokens;
    this.#sums.draftTokens += step.draftTokens;
    this.#sums.acceptedTokens += step.acceptedTokens;
    this.#stepMs.observe(step.ms);
    this.#stepTokens.observe(step.computedTokens);
    this.#stepSequences.observe(step.sequences);
  }

  /** Divides the time of a step among its slices. */
  share(ms: number, slices: readonly StepShare[]): void {
    const all = slices.reduce((sum, { weight }) => sum + weight, 0);
    for (const { class: name, isDecode, tokens, weight } of slices) {
      const work = this.#classes.get(name)!.work;
      // Nothing is known yet of what takes how long.
      const own = ms * (all > 0 ? weight / all : 1 / slices.length);
      if (isDecode) {
        work.decodeMs += own;
        work.decodeTokens += tokens;
      } else {
        work.prefillMs += own;
        work.prefillTokens += tokens;
      }
    }
  }

  preempt(sequences: number): void {
    this.#sums.preemptions += sequences;
  }

  /** All of it, beside what the scheduler says of this moment. */
  figures(now: readonly ClassStats[]): Omit<EngineStats, "stepTime" | "kv"> {
    const classes = now.map((stats) => {
      const figures = this.#classes.get(stats.name)!;
      return { ...stats, ...figures, finished: { ...figures.finished }, work: { ...figures.work } };
    });
    const stepHistograms = {
      ms: this.#stepMs.figures(),
      tokens: this.#stepTokens.figures(),
      sequences: this.#stepSequences.figures(),
    };
    return { classes, ...this.#sums, stepHistograms };
  }
}
