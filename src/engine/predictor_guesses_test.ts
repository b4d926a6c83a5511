import { assertEquals } from "@std/assert";
import { tablesOf } from "../../scheduler/testing/tables.ts";
import type { StepItem } from "../../scheduler/mod.ts";
import { resolveSampling } from "../protocol/sampling.ts";
import type { SequenceSlice } from "../runner/batch.ts";
import { NO_STATE, OWN_STATE } from "../runner/step_predictor.ts";
import { PredictorGuesses, type PredictorGuessesParts } from "./predictor_guesses.ts";

const VOCAB = 100;
const sampling = resolveSampling({ seed: 1 }, VOCAB);

/** Notes what it is asked, and guesses the number after the last one. */
class FakePredictor {
  readonly group = 0;
  readonly kept: [row: number, place: number][] = [];
  readonly asked: [first: number, before: number][] = [];

  follow(): boolean {
    return true;
  }

  keep(row: number, place: number): void {
    this.kept.push([row, place]);
  }

  guess({ tokens, first, before }: SequenceSlice & { before: number }): number {
    this.asked.push([first, before]);
    return tokens[first] + 1;
  }
}

function guessesOf(more: Partial<PredictorGuessesParts> = {}) {
  const predictor = new FakePredictor();
  let now = 0;
  const parts = { predictor, blocks: 64, vocab: VOCAB, samplingOf: () => sampling, clock: () => now += 3 };
  return { predictor, guesses: new PredictorGuesses({ ...parts, ...more }) };
}

/** A sequence on its way. */
class Item implements StepItem {
  readonly id: number;
  readonly tokens: number[];
  readonly tables: StepItem["tables"];
  first = 0;
  count: number;
  draft: readonly number[] = [];

  constructor(id: number, tokens: number, blocks: readonly number[]) {
    this.id = id;
    this.tokens = Array.from({ length: tokens }, (_, i) => 1 + i % 7);
    this.count = tokens;
    this.tables = tablesOf(blocks);
  }

  get reachesEnd(): boolean {
    return this.first + this.count === this.tokens.length;
  }

  /** The step is over, and has chosen these tokens. */
  advance(chosen: readonly number[], guessed = 0): void {
    this.first += this.count + guessed;
    this.count = chosen.length - guessed;
    this.tokens.push(...chosen);
    this.draft = [];
  }
}

/** A step of all items, each of which then says a token. Gives where it found their states. */
function step(
  guesses: PredictorGuesses,
  items: readonly Item[],
  requests = items.length,
): (number | undefined)[] {
  const slices = guesses.follow(items, requests);
  for (const item of items) item.advance(item.reachesEnd ? [9] : []);
  guesses.settle();
  return slices.map(({ before }) => before);
}

Deno.test("PredictorGuesses follows sequences from their first token on, and keeps the state of the last right one", () => {
  const { guesses, predictor } = guessesOf();
  const one = new Item(1, 20, [0, 1, 2]), two = new Item(2, 5, [3]);
  assertEquals(step(guesses, [one, two]), [NO_STATE, NO_STATE]);
  const [[row, place], [otherRow, otherPlace]] = predictor.kept;
  assertEquals([row, otherRow, place === otherPlace], [19, 24, false]);
  assertEquals(guesses.guess(1, one.tokens, 3), [10, 11, 12]);
  assertEquals(predictor.asked, [[20, place], [21, OWN_STATE], [22, OWN_STATE]]);
  assertEquals(guesses.msPerToken, 1);
  one.draft = [10, 11, 12];
  const slices = guesses.follow([one, two], 2);
  assertEquals(slices.map(({ before, draft }) => [before, draft]), [[place, [10, 11, 12]], [otherPlace, []]]);
  // One of the guesses was right; the other sequence has lost its state and begins the step again.
  one.advance([10, 44], 1);
  guesses.settle();
  assertEquals(predictor.kept.slice(2), [[1, place]]);
  assertEquals(guesses.guess(1, one.tokens, 1), [45]);
  assertEquals(guesses.guess(2, two.tokens, 1), [10], "what it had is still there");
  assertEquals(guesses.guess(3, two.tokens, 1), [], "nobody knows it");
});

Deno.test("PredictorGuesses guesses as far as there are blocks and tokens", () => {
  const { guesses } = guessesOf();
  const item = new Item(1, 13, [0]);
  step(guesses, [item]);
  assertEquals(guesses.guess(1, item.tokens, 9), [10, 11, 12]);
  const { guesses: small } = guessesOf({ vocab: 12 }), other = new Item(1, 13, [0]);
  step(small, [other]);
  assertEquals(small.guess(1, other.tokens, 9), [10, 11], "a row of logits that are no numbers");
});

Deno.test("PredictorGuesses goes on with blocks that it has filled for others, and with no others", () => {
  const first = new Item(1, 40, [0, 1, 2]);
  const sharing = (guesses: PredictorGuesses, blocks: readonly number[], known: number) => {
    const item = new Item(2, 50, blocks);
    item.first = known;
    item.count = 50 - known;
    const [before] = step(guesses, [item]);
    guesses.forget(2);
    return before;
  };
  const { guesses } = guessesOf();
  step(guesses, [first]);
  assertEquals(sharing(guesses, [0, 1, 5, 6], 32), NO_STATE);
  assertEquals(sharing(guesses, [0, 7, 5, 6], 32), undefined, "block 7 is nobody's");
  assertEquals(sharing(guesses, [0, 1, 2, 6], 40), NO_STATE);
  // Somebody who is not followed computes the second block anew.
  const stranger = new Item(3, 20, [8, 1]);
  assertEquals(step(guesses, [stranger], 5), [undefined]);
  assertEquals(sharing(guesses, [0, 1, 5, 6], 32), undefined);
  const { guesses: restoring } = guessesOf({ restoresBlocks: true });
  step(restoring, [new Item(1, 40, [0, 1, 2])]);
  assertEquals(sharing(restoring, [0, 1, 5, 6], 32), undefined, "somebody else may have written them");
});

Deno.test("PredictorGuesses follows nobody while there are many requests, nor who wants no guesses", () => {
  const { guesses } = guessesOf({ samplingOf: (id) => id === 9 ? undefined : sampling });
  const items = [1, 2, 3, 4, 5].map((id) => new Item(id, 20, [2 * id, 2 * id + 1]));
  assertEquals(step(guesses, items.slice(0, 4)), [NO_STATE, NO_STATE, NO_STATE, NO_STATE]);
  assertEquals(step(guesses, items), Array(5).fill(undefined));
  assertEquals(step(guesses, items.slice(0, 2)), [undefined, undefined], "a token is missing");
  assertEquals(guesses.guess(1, items[0].tokens, 2), []);
  assertEquals(step(guesses, [new Item(9, 20, [30, 31])]), [undefined]);
  // A sequence that lost its blocks begins again.
  const again = new Item(1, 22, [40, 41]);
  assertEquals(step(guesses, [again]), [NO_STATE]);
});

Deno.test("PredictorGuesses rests where nobody wants its guesses, ever longer", () => {
  const { guesses } = guessesOf();
  let block = 0, id = 0;
  /** Whether a sequence is followed, and whether it still is after a long answer. */
  const answered = (): boolean[] => {
    const item = new Item(++id, 4, Array.from({ length: 20 }, (_, i) => (block + i) % 64));
    block += 20;
    const followed = [step(guesses, [item])[0] !== undefined];
    for (let i = 0; i < 280; i++) followed[1] = step(guesses, [item])[0] !== undefined;
    guesses.forget(id);
    return followed;
  };
  const found = Array.from({ length: 10 }, () => answered()[0]);
  assertEquals(found, [true, false, true, false, false, true, false, false, false, false]);
});
