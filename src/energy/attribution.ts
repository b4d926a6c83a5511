/** What energy was for: prompts or answers, and whose. @module */

import type { EstimatedEnergy, MeasuredEnergy } from "./joules.ts";

/** What the engine's steps did for a class. */
export interface PhaseWork {
  readonly class: string;
  /** Share of the steps' time, in ms: see `docs/energy.md`. */
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** Tokens of prompts that were computed: not those that the prefix cache had. */
  readonly prefillTokens: number;
  /** Tokens of answers that were computed. */
  readonly decodeTokens: number;
}

/** Joules for a token. Null where there was none of its kind. */
export interface JoulesPerToken {
  /** All energy over all tokens of answers. */
  readonly perAnswerToken: number;
  /** For a token of a prompt that was computed. */
  readonly prefill: number | null;
  /** For a token of an answer. */
  readonly decode: number | null;
  /** By class, for a token of its answers, its prompts included. */
  readonly classes: Readonly<Record<string, number>>;
}

/** Measured Joules by what they were for. */
export interface MeasuredPerToken {
  readonly joulesPerToken: JoulesPerToken;
}

/** Estimated Joules by what they may have been for. */
export interface EstimatedPerToken {
  readonly estimatedJoulesPerToken: JoulesPerToken;
}

/**
 * Energy goes with the time of the steps: each kind of work gets the share of all energy, that of the time
 * between steps included, which it has of the steps' time. `answerTokens`: of all answers in that time.
 */
export function perToken(
  energy: MeasuredEnergy,
  work: readonly PhaseWork[],
  answerTokens: number,
): MeasuredPerToken;
export function perToken(
  energy: EstimatedEnergy,
  work: readonly PhaseWork[],
  answerTokens: number,
): EstimatedPerToken;
export function perToken(
  energy: MeasuredEnergy | EstimatedEnergy,
  work: readonly PhaseWork[],
  answerTokens: number,
): MeasuredPerToken | EstimatedPerToken {
  return energy.kind === "measured"
    ? { joulesPerToken: attribute(energy.grossJoules, work, answerTokens) }
    : { estimatedJoulesPerToken: attribute(energy.estimatedJoules, work, answerTokens) };
}

function attribute(joules: number, work: readonly PhaseWork[], answerTokens: number): JoulesPerToken {
  const sum = (read: (each: PhaseWork) => number) => work.reduce((total, each) => total + read(each), 0);
  const ms = sum(({ prefillMs, decodeMs }) => prefillMs + decodeMs);
  const share = (part: number, tokens: number) => ms > 0 && tokens > 0 ? joules * part / ms / tokens : null;
  // The first token of an answer comes with its prompt's last step.
  const classes = work.flatMap((each) => {
    const value = share(each.prefillMs + each.decodeMs, each.decodeTokens);
    return value === null ? [] : [[each.class, value] as const];
  });
  return {
    perAnswerToken: joules / Math.max(1, answerTokens),
    prefill: share(sum((each) => each.prefillMs), sum((each) => each.prefillTokens)),
    decode: share(sum((each) => each.decodeMs), sum((each) => each.decodeTokens)),
    classes: Object.fromEntries(classes),
  };
}

/** What was done between two looks at a server: later less earlier, by class. */
export function workBetween(earlier: readonly PhaseWork[], later: readonly PhaseWork[]): PhaseWork[] {
  return later.map((now) => {
    const before = earlier.find((each) => each.class === now.class);
    if (before === undefined) return now;
    return {
      class: now.class,
      prefillMs: now.prefillMs - before.prefillMs,
      decodeMs: now.decodeMs - before.decodeMs,
      prefillTokens: now.prefillTokens - before.prefillTokens,
      decodeTokens: now.decodeTokens - before.decodeTokens,
    };
  });
}
