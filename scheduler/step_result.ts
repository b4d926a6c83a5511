import type { Sequence } from "./sequence.ts";

/** The token that was chosen for a sequence whose slice reached its end. */
export interface StepResult {
  readonly id: number;
  /** The token that was chosen; none: the request wanted none and ends. */
  readonly token?: number;
  /** Tokens behind it: guesses that were right, what was chosen behind them, and tokens that were no choice. */
  readonly more?: readonly number[];
  /** So many of all these tokens, from the first on, are what was guessed: the step has computed them. */
  readonly guessed?: number;
  /** Whether the request ends with it. */
  readonly isLast?: boolean;
}

/**
 * Results by the ids of the sequences that a step has computed. Throws a RangeError where one that reached its end has none, unless it
 * `isLeaving`, or has more right guesses than were made.
 */
export function resultsById(
  { number, items }: { readonly number: number; readonly items: readonly Sequence[] },
  results: readonly StepResult[],
  isLeaving: (sequence: Sequence) => boolean,
): Map<number, StepResult> {
  const byId = new Map<number, StepResult>();
  for (const result of results) byId.set(result.id, result);
  for (const item of items) {
    if (item.reachesEnd && !isLeaving(item) && !byId.has(item.id)) {
      throw new RangeError(`Step ${number} has no result for request ${item.id}`);
    }
    const { guessed = 0, more = [] } = byId.get(item.id) ?? {};
    if (guessed > Math.min(item.draft.length, 1 + more.length)) {
      throw new RangeError(`Request ${item.id} cannot have ${guessed} right guesses of ${item.draft.length}`);
    }
  }
  return byId;
}
