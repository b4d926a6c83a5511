import type { LatencyClass } from "./latency_class.ts";
import { attendedKv, type StepTimes } from "./step_cost.ts";

/**
 * Tokens of a prompt that are computed in spite of others' objectives, so that every prompt comes to an end.
 */
export const QUANTUM_TOKENS = 16;
/** Share of an objective that the engine's own work around a step leaves. */
const MARGIN = 0.95;
/**
 * While nobody has an ITL objective a step may take so many of the tightest one: whoever comes waits for its
 * end.
 */
const CALM_OBJECTIVES = 2;
/**
 * … or so many times what any step takes, however little it computes: then this fixed part costs 12 % at
 * most.
 */
const CALM_FIXED = 8;
/**
 * An ITL objective that cannot be met lets prompts stretch the step to this many times what decoding takes.
 */
const STRETCH_MAX = 2;
/** A prompt of this length is to keep the TTFT objective of its class. */
const TTFT_PROMPT_TOKENS = 512;
/** … and to use no more of it than this share: a request that is predicted to need all of it is refused. */
const TTFT_SHARE = 0.8;

/**
 * Ms that a step may take beside decode tokens with an ITL objective of `itlSloMs`, when these alone take
 * `decodeMs`. An objective that is missed without any prompt is not saved by leaving prompts out.
 */
export function itlLimitMs(itlSloMs: number, decodeMs: number): number {
  return decodeMs > itlSloMs ? STRETCH_MAX * decodeMs : itlSloMs;
}

/**
 * Tokens of its prompts that a class with an ITL objective computes in each step whatever that does to the
 * objective: as many as let a prompt of 512 tokens keep the TTFT objective beside decode tokens that alone
 * take `decodeMs`. Not more than stretch the step to twice that.
 */
export function promptFloor(
  { ttftSloMs = Infinity }: LatencyClass,
  decodeMs: number,
  model: StepTimes,
): number {
  const kv = attendedKv(0, TTFT_PROMPT_TOKENS);
  const promptMs = model.predict({ tokens: TTFT_PROMPT_TOKENS, kv }) - model.predict({ tokens: 0, kv: 0 });
  // What the prompt leaves of the objective is for decoding: in as many steps, and in the one under way when
  // it comes.
  const decodingMs = Math.max(TTFT_SHARE * ttftSloMs - promptMs - decodeMs, promptMs / (STRETCH_MAX - 1));
  return Math.max(QUANTUM_TOKENS, Math.ceil(TTFT_PROMPT_TOKENS * decodeMs / decodingMs));
}

/**
 * Ms that a step with prompts may take although nobody is hurt by it now: a request with an objective may
 * come while it runs. `itlSlosMs`: the classes' objectives; without any there is no limit.
 */
export function calmLimitMs(itlSlosMs: readonly number[], decodeMs: number, model: StepTimes): number {
  if (itlSlosMs.length === 0 || !model.isReady) return Infinity;
  const [fixedMs] = model.coefficients;
  return itlLimitMs(Math.max(CALM_OBJECTIVES * Math.min(...itlSlosMs), CALM_FIXED * fixedMs), decodeMs);
}

/** Ms that a step may be predicted to take so that one in a hundred takes longer than `limitMs`. */
export function plannedMs(limitMs: number, model: StepTimes): number {
  return limitMs * MARGIN / model.overrun;
}
