/** Chooses tokens after a step: one behind each sequence, and more where guesses of them were computed, too. @module */

import type { StepItem, StepResult } from "../../scheduler/mod.ts";
import type { SampledToken, SampleRequest } from "../runner/sample_batch.ts";
import type { Chooser, Work } from "./work.ts";

/** What samples: the runner, after a step. */
interface Sampling {
  readonly hyperparameters: { readonly vocab: number };
  logits(indices: ArrayLike<number>): void;
  sample(requests: readonly SampleRequest[], rowFirst?: number): SampledToken[];
}

/** A sequence that wants its next token. */
export interface Ready {
  readonly item: StepItem;
  readonly work: Work;
  readonly chooser: Chooser;
  /** Its last token's row of the step; those of its guesses follow. */
  readonly row: number;
}

/** How the engine chooses. */
export interface ChoosingParts {
  readonly runner: Sampling;
  readonly now: () => number;
  /** Told of a sequence that cannot go on. */
  readonly onError: (work: Work, error: unknown) => void;
}

/**
 * Chooses the next tokens of all sequences that want one. Where the token that is chosen is the one that was guessed, its row has the
 * logits for the one behind it, and so on: each token is chosen from the logits, by the random number and in the state of
 * penalties and grammar that it has when nothing is guessed.
 */
export function chooseTokens(ready: readonly Ready[], parts: ChoosingParts): StepResult[] {
  if (ready.length === 0) return [];
  const { runner } = parts;
  const rows = ready.map(({ row }) => row);
  const guessRows = ready.map(({ item, row }) => {
    const first = rows.length;
    for (let i = 1; i <= item.draft.length; i++) rows.push(row + i);
    return first;
  });
  runner.logits(rows);
  const firsts = runner.sample(ready.map(({ item, chooser }) => requestOf(chooser, item.tokens)));
  return ready.flatMap((each, i) => chooseBehind(each, firsts[i], guessRows[i], parts) ?? []);
}

function requestOf(chooser: Chooser, tokens: ArrayLike<number>): SampleRequest {
  return { params: chooser.sampling, tokens, constraint: chooser.constraint?.state };
}

/** `guessRow`: the row of the logits behind the first guess. */
function chooseBehind(
  { item: { id, tokens, draft }, work, chooser }: Ready,
  first: SampledToken,
  guessRow: number,
  parts: ChoosingParts,
): StepResult | null {
  const { runner, now } = parts;
  const chosen: number[] = [];
  const all = new Uint32Array(draft.length === 0 ? 0 : tokens.length + draft.length);
  if (draft.length > 0) {
    all.set(tokens);
    all.set(draft, tokens.length);
  }
  let sampled = first, guessed = 0;
  try {
    for (;;) {
      if (sampled.id >= runner.hyperparameters.vocab) {
        throw new Error("The model's logits are not numbers: its file may be damaged");
      }
      chosen.push(chooser.accept(sampled, now()));
      if (work.finishReason === undefined) chosen.push(...chooser.takeForced(now()));
      while (guessed < chosen.length && chosen[guessed] === draft[guessed]) guessed++;
      if (work.finishReason !== undefined || guessed < chosen.length) break;
      const known = all.subarray(0, tokens.length + guessed);
      [sampled] = runner.sample([requestOf(chooser, known)], guessRow + guessed - 1);
    }
  } catch (error) {
    parts.onError(work, error);
    return null;
  }
  if (draft.length > 0) chooser.noteGuesses(draft.length, guessed);
  const [token, ...more] = chosen;
  return { id, token, more, guessed, isLast: work.finishReason !== undefined };
}
