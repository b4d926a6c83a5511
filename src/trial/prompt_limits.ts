/**
 * Prompts that are too long for their objective, whatever the load: what they take alone, on a server with nothing
 * else to do, leaves no room for waiting. A trial says so, and looks for the load of the others.
 * @module
 */

import type { AlonePrompt } from "./measurer.ts";
import type { LimitedRequest } from "../traffic/prompt_limit.ts";
import type { PromptLimit, TrialObjectives } from "./report_data.ts";

/** A prompt may take so much of its objective by itself: the rest is for waiting. */
export const OWN_SHARE = 0.5;
/** Where so few would be left, the machine is no good for the class at all, and no limit says it better. */
const KEPT_MIN = 0.1;

/**
 * For each class of which more prompts are too long than may miss their objective: the longest prompt that is not.
 * `alone`: what prompts of some lengths took alone; empty: no limits.
 */
export function promptLimits(
  alone: readonly AlonePrompt[],
  requests: readonly LimitedRequest[],
  { classes, share }: TrialObjectives,
): PromptLimit[] {
  if (alone.length === 0) return [];
  const points = alone.toSorted((a, b) => a.promptTokens - b.promptTokens);
  return classes.flatMap(({ class: name, ttftMs }) => {
    const lengths = requests.filter((each) => each.class === name).map(({ promptTokens }) => promptTokens)
      .sort((a, b) => a - b);
    if (ttftMs === null || lengths.length === 0) return [];
    const longest = Math.floor(lengthTaking(points, OWN_SHARE * ttftMs) + 1e-6);
    const above = lengths.filter((length) => length > longest).length;
    const part = above / lengths.length;
    if (part <= 1 - share + 1e-9 || part > 1 - KEPT_MIN) return [];
    const nearly = lengths[Math.min(lengths.length - 1, Math.ceil(share * lengths.length) - 1)];
    return [{
      class: name,
      tokens: longest,
      share: above / requests.length,
      ttftMsForAll: msOf(points, nearly) / OWN_SHARE,
    }];
  });
}

/** Ms that a prompt of a length takes: along the lines between the points, and on beyond the last. */
function msOf(points: readonly AlonePrompt[], promptTokens: number): number {
  const [a, b] = lineAt(points, (point) => point.promptTokens >= promptTokens);
  const slope = (b.ttftMs - a.ttftMs) / Math.max(1, b.promptTokens - a.promptTokens);
  return a.ttftMs + slope * (promptTokens - a.promptTokens);
}

function lengthTaking(points: readonly AlonePrompt[], ms: number): number {
  const [a, b] = lineAt(points, (point) => point.ttftMs >= ms);
  const slope = (b.ttftMs - a.ttftMs) / Math.max(1, b.promptTokens - a.promptTokens);
  return slope > 0 ? a.promptTokens + (ms - a.ttftMs) / slope : Infinity;
}

/** The two points between which, or beyond which, it lies; before the first one the line comes from nothing. */
function lineAt(
  points: readonly AlonePrompt[],
  isAbove: (point: AlonePrompt) => boolean,
): [AlonePrompt, AlonePrompt] {
  const all = [{ promptTokens: 0, ttftMs: 0 }, ...points];
  const found = all.findIndex((point, i) => i > 0 && isAbove(point));
  const end = found < 0 ? all.length - 1 : found;
  return [all[end - 1], all[end]];
}
