/** The rest of a trial: the other endpoint, and questions. @module */

import { firstModel, type Target } from "../../loadtest/target.ts";
import { runAgainst, shownUrl, withinCap } from "../../trial/against.ts";
import { evaluate, tokensFor } from "../../trial/evaluate.ts";
import type { Journal } from "../../trial/journal.ts";
import type { LoadSource } from "../../trial/load_source.ts";
import type {
  QualityResult,
  TrialAlternative,
  TrialObjectives,
  TrialQuality,
} from "../../trial/report_data.ts";
import type { TrialModelFacts } from "./machine.ts";
import type { TrialWish } from "./options.ts";
import { printNote } from "../../process/print.ts";

/** What is asked, and by when it has to be over. */
export interface OthersOptions {
  readonly wish: TrialWish;
  readonly journal: Journal;
  readonly facts: TrialModelFacts;
  readonly source: LoadSource;
  readonly objectives: TrialObjectives;
  /** Requests per second and seconds of the load. */
  readonly perSecond: number;
  readonly seconds: number;
  readonly drainMs: number;
  readonly seed: number;
  /** Starts the chosen server, if it is not running. */
  readonly ownUrl: () => Promise<string>;
  /** Ms of the budget at which all has to be over. */
  readonly endMs: number;
  readonly signal: AbortSignal;
}

const REQUEST_MS_MAX = 120_000;
const PARALLEL = 4;

/** Says what will be sent to the other endpoint, before anything is measured. */
export function announceAgainst({ against, evaluation, judge }: TrialWish): void {
  if (against === null) return;
  const questions = evaluation === null ? 0 : tokensFor(evaluation.questions) * (judge ? 2 : 1);
  const extra = questions > 0 ? `, some ${questions} of them for questions` : "";
  printNote(
    `kumi: ${
      shownUrl(against.baseUrl)
    } will be asked for at most ${against.tokensMax} tokens, prompts included${extra}; ` +
      "--against-tokens changes that",
  );
}

/** The same load at the other endpoint. */
export async function measureAgainst(options: OthersOptions): Promise<TrialAlternative[]> {
  const { wish, journal, source, perSecond, seconds, seed, objectives, signal, drainMs } = options;
  if (wish.against === null) return [];
  const { tokensMax } = wish.against;
  const forQuestions = wish.evaluation === null
    ? 0
    : tokensFor(wish.evaluation.questions) * (wish.judge ? 2 : 1);
  const arrivals = source.arrivals({ perSecond, seconds, seed });
  const cap = Math.max(0, tokensMax - forQuestions);
  const asked = withinCap(arrivals, cap);
  printNote(
    `kumi: the other endpoint gets ${asked.arrivals.length} of ${arrivals.length} requests, at most ${asked.tokens} tokens`,
  );
  return [
    await journal.step("against", async () => {
      const target = await targetOf(wish, signal);
      if (typeof target === "string") {
        const about = { url: shownUrl(wish.against!.baseUrl), model: wish.against!.model ?? "unknown" };
        const nothing = { measures: null, spentTokens: 0, tokensMax, capped: false };
        return { ...about, ...nothing, requestsPerSecond: perSecond, problem: target };
      }
      return await runAgainst({
        target,
        tokensMax: cap,
        arrivals,
        seconds,
        drainMs,
        perSecond,
        objectives,
        signal,
      });
    }),
  ];
}

/** Asks both the questions. Null without any. */
export async function measureQuality(
  options: OthersOptions,
  alternatives: readonly TrialAlternative[],
): Promise<TrialQuality | null> {
  const { wish, journal, facts, signal, ownUrl, endMs } = options;
  if (wish.evaluation === null) return null;
  const { path, questions } = wish.evaluation;
  const other = wish.against === null ? null : await targetOf(wish, signal);
  const judge = wish.judge && other !== null && typeof other !== "string" ? other : null;
  const ask = async (
    key: string,
    target: () => Promise<Target>,
    about: Pick<QualityResult, "subject" | "name" | "quantisation">,
  ) =>
    await journal.step(key, async () => {
      const leftMs = Math.max(1000, endMs - journal.elapsedMs);
      const deadline = AbortSignal.timeout(leftMs);
      const { result } = await evaluate({
        ...about,
        target: await target(),
        questions,
        judge,
        parallel: PARALLEL,
        timeoutMs: Math.min(REQUEST_MS_MAX, leftMs),
        signal,
        until: deadline,
      });
      return result;
    });
  const results = [
    await ask("quality", async () => {
      const baseUrl = `${await ownUrl()}/v1`;
      const model = await firstModel(baseUrl, undefined, signal);
      return { baseUrl, model, api: "chat", sendsClass: false, ignoreEnd: false };
    }, { subject: "model", name: facts.model.name, quantisation: facts.model.quantisation }),
  ];
  const isThere = alternatives.some(({ measures }) => measures !== null);
  if (isThere && other !== null && typeof other !== "string") {
    const about = { subject: "alternative" as const, name: other.model, quantisation: null };
    results.push(await ask("quality of the alternative", () => Promise.resolve(other), about));
  }
  return { file: path.replace(/.*[/\\]/, ""), questions: questions.length, results };
}

/** How the other endpoint is spoken to, or why it cannot be. */
async function targetOf({ against }: TrialWish, signal: AbortSignal): Promise<Target | string> {
  const { baseUrl, apiKey, model } = against!;
  try {
    return {
      baseUrl,
      apiKey,
      model: model ?? await firstModel(baseUrl, apiKey, signal),
      api: "chat",
      sendsClass: false,
      ignoreEnd: false,
    };
  } catch (error) {
    signal.throwIfAborted();
    return (error as Error).message;
  }
}
