/** One pillar, switched off and on. @module */

import { relativeSpread } from "../../src/trial/statistics.ts";

/** A condition of a pillar: what it is called and what was measured in each round, more is better. */
export interface Condition {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a pillar brings for one model and one kind of request. */
export interface ClaimResult {
  readonly pillar: string;
  readonly model: string;
  /** Such as "64 in, 64 out". */
  readonly load: string;
  readonly unit: string;
  /** The first one is the pillar switched off. */
  readonly conditions: readonly Condition[];
  readonly processor: string;
  readonly date: string;
}

/** The middle one; of an even number the mean of both in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many times as much as with the pillar switched off. */
export function factorOf({ conditions }: ClaimResult, condition: Condition): number {
  return median(condition.values) / median(conditions[0].values);
}

/** How far equal runs of the result differ; null of a single round. */
export function spreadOf({ conditions }: ClaimResult): number | null {
  return relativeSpread(conditions.map(({ values }) => values));
}

/** Keeps the later of two results of the same thing. */
export function merge(old: readonly ClaimResult[], now: readonly ClaimResult[]): ClaimResult[] {
  const key = ({ pillar, model, load }: ClaimResult) => `${pillar}|${model}|${load}`;
  const all = new Map([...old, ...now].map((result) => [key(result), result]));
  return [...all.values()];
}
