import { type Arrival, chooseClass, type ClassShare } from "../loadtest/arrivals.ts";
import { randomFrom } from "../loadtest/random.ts";
import { scaleTraffic } from "./scale.ts";
import type { Traffic } from "./traffic.ts";

/** How traffic is played. */
export interface PlayOptions {
  /** So many times as fast as it was recorded. Default 1. */
  readonly speed?: number;
  /** So many times as many users. Default 1. */
  readonly users?: number;
  /** Seconds of the played traffic; the rest is left out. */
  readonly seconds?: number;
  /** Longest prompt and answer: longer ones are cut. */
  readonly promptMax?: number;
  readonly answerMax?: number;
  /** Classes for requests that name none. */
  readonly classes: readonly ClassShare[];
  readonly seed: number;
}

/** Traffic as requests that a load test or a simulation sends; the first is sent at 0. */
export function playTraffic(traffic: Traffic, options: PlayOptions): Arrival[] {
  const { speed, users, seed, seconds = Infinity, promptMax = Infinity, answerMax = Infinity, classes } =
    options;
  const { requests, blockTokens } = scaleTraffic(traffic, { speed, users, seed });
  const random = randomFrom(seed);
  const startMs = requests[0]?.atMs ?? 0;
  return requests.map(({ atMs, class: name, promptTokens, answerTokens, blocks }) => ({
    atMs: atMs - startMs,
    class: name ?? chooseClass(classes, random).name,
    promptTokens: Math.max(1, Math.min(promptTokens, promptMax)),
    maxTokens: Math.max(1, Math.min(answerTokens, answerMax)),
    ...blocks === undefined ? {} : { blocks, blockTokens },
  })).filter(({ atMs }) => atMs < seconds * 1000);
}
