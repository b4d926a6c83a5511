/** Figures over time, made of counts since the start. Pure. @module */

import type { FeedClass, FeedFrame } from "../../feed.ts";

/** Percentiles are of what came in so many frames: of one second there is too little. */
const WINDOW = 15;

/** What happened in a second between two frames. */
export function rate(before: number, after: number, ms: number): number {
  return ms <= 0 ? 0 : Math.max(0, after - before) / ms * 1000;
}

const classIn = (frame: FeedFrame, name: string): FeedClass | undefined =>
  frame.classes.find((each) => each.name === name);

/** Tokens a second of answers, frame by frame; null where nothing can be said yet. */
export function tokenRates(frames: readonly FeedFrame[], name: string): (number | null)[] {
  return frames.map((frame, i) => {
    const after = classIn(frame, name), before = i === 0 ? undefined : classIn(frames[i - 1], name);
    if (after === undefined || before === undefined) return null;
    return rate(before.generatedTokens, after.generatedTokens, frame.at - frames[i - 1].at);
  });
}

/** A quantile of a histogram's values, in the unit of its bounds; null where there are none. */
export function quantile(counts: readonly number[], bounds: readonly number[], share: number): number | null {
  const all = counts.reduce((sum, each) => sum + each, 0);
  if (all === 0) return null;
  let left = share * all;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] > 0 && left <= counts[i]) {
      // As Prometheus does: as if values were spread evenly over their bucket.
      const low = i === 0 ? 0 : bounds[i - 1];
      return i >= bounds.length ? low : low + (bounds[i] - low) * left / counts[i];
    }
    left -= counts[i];
  }
  return bounds[bounds.length - 1];
}

/** The quantile of what came in the last {@linkcode WINDOW} frames before each, in ms. */
export function latencies(
  frames: readonly FeedFrame[],
  name: string,
  kind: "ttft" | "itl",
  bounds: readonly number[],
  share: number,
): (number | null)[] {
  return frames.map((frame, i) => {
    const now = classIn(frame, name)?.[kind], then = classIn(frames[Math.max(0, i - WINDOW)], name)?.[kind];
    if (now === undefined || then === undefined) return null;
    const value = quantile(now.map((count, k) => count - then[k]), bounds, share);
    return value === null ? null : value * 1000;
  });
}

/** Share of a CPU that the process used between two frames: 2 is two cores. */
export function cpuShare(frames: readonly FeedFrame[]): number | null {
  const [before, after] = frames.slice(-2);
  if (after === undefined) return null;
  return rate(before.cpuSeconds, after.cpuSeconds, after.at - before.at);
}

/** Watts that the machine took between two frames, and J for each token of answers; null where nothing is known. */
export function energyUse(
  frames: readonly FeedFrame[],
): { watts: number; joulesPerToken: number | null } | null {
  const after = frames.at(-1), before = frames.at(-1 - WINDOW) ?? frames[0];
  if (after?.joules === undefined || before.joules === undefined || after === before) return null;
  const joules = after.joules - before.joules;
  const tokens = (frame: FeedFrame) => frame.classes.reduce((sum, each) => sum + each.generatedTokens, 0);
  const made = tokens(after) - tokens(before);
  return {
    watts: rate(before.joules, after.joules, after.at - before.at),
    joulesPerToken: made > 0 ? joules / made : null,
  };
}

/** Share of prompts' tokens that the prefix cache had, since the start; null before any. */
export function hitShare({ workers }: FeedFrame): number | null {
  let prompt = 0, cached = 0;
  for (const { engine } of workers) {
    prompt += engine?.promptTokens ?? 0;
    cached += engine?.cachedTokens ?? 0;
  }
  return prompt === 0 ? null : cached / prompt;
}
