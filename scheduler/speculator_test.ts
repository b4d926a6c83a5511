import { assert, assertEquals } from "@std/assert";
import { Sequence } from "./sequence.ts";
import { type DraftRoom, type DraftSource, type SpeculationOptions, Speculator } from "./speculator.ts";
import { StepCost } from "./step_cost.ts";
import { Random } from "./testing/random.ts";

/** A machine on which eight tokens take twice as long as one. */
const CHEAP = new StepCost([12, 1.6, 0]);
/** One on which each takes as long as the first: guesses cannot pay. */
const DEAR = new StepCost([0, 13, 0]);

function sequenceOf(
  tokens: readonly number[],
  more: Partial<ConstructorParameters<typeof Sequence>[0]> = {},
) {
  const request = { id: 1, class: "interactive", tokens, maxTokens: 1000, ...more };
  return new Sequence(request, { classIndex: 0, groups: 1, order: 0, now: 0 });
}

function roomFor(sequences: readonly Sequence[], more: Partial<DraftRoom> = {}): DraftRoom {
  const kv = sequences.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const reserve = (_: Sequence, tokens: number) => tokens;
  return {
    load: { tokens: sequences.length, kv },
    tokens: 31,
    limitMs: Infinity,
    betweenMs: 0,
    reserve,
    ...more,
  };
}

/** Says `tokens` one by one, as if nothing were guessed. */
function say(speculator: Speculator, sequence: Sequence, tokens: readonly number[]): void {
  for (const token of tokens) {
    sequence.tokens.push(token);
    speculator.propose([sequence], roomFor([sequence]));
  }
}

const PHRASE = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

Deno.test("Speculator guesses what repeats itself, the more the surer it is", () => {
  const speculator = new Speculator(CHEAP);
  const sequence = sequenceOf([...PHRASE, 1, 2]);
  say(speculator, sequence, [...PHRASE, 3, ...PHRASE, 4, ...PHRASE, 5, ...PHRASE.slice(0, 5)]);
  const [draft] = speculator.propose([sequence], roomFor([sequence]));
  assert(draft.length >= 4, `${draft}`);
  assertEquals(draft.slice(0, 5), PHRASE.slice(5, 5 + Math.min(5, draft.length)));
});

Deno.test("Speculator guesses nothing where nothing repeats, where it was wrong, and where it cannot pay", () => {
  const fresh = sequenceOf(PHRASE);
  assertEquals(new Speculator(CHEAP).propose([fresh], roomFor([fresh])), [[]]);
  // Pairs come back, and never what followed them.
  const wrong = sequenceOf([1, 2]);
  const speculator = new Speculator(CHEAP);
  say(speculator, wrong, Array.from({ length: 300 }, (_, i) => i % 3 === 2 ? 100 + i : 1 + i % 3));
  say(speculator, wrong, [1, 2]);
  assertEquals(speculator.propose([wrong], roomFor([wrong])), [[]]);
  const dear = new Speculator(DEAR), sequence = sequenceOf(PHRASE);
  say(dear, sequence, [...PHRASE, ...PHRASE, ...PHRASE.slice(0, 4)]);
  assertEquals(dear.propose([sequence], roomFor([sequence])), [[]]);
});

Deno.test("Speculator keeps to the step's room and time, the answer's limit and what the caller wants", () => {
  const speculator = new Speculator(CHEAP);
  const sequence = sequenceOf(PHRASE, { maxTokens: 27 });
  say(speculator, sequence, [...PHRASE, ...PHRASE, ...PHRASE.slice(0, 3)]);
  const lengthWith = (more: Partial<DraftRoom>) =>
    speculator.propose([sequence], roomFor([sequence], more))[0].length;
  assertEquals(lengthWith({}), 3, "the fourth token is the last one, whatever was guessed");
  assertEquals(lengthWith({ tokens: 2 }), 2);
  assertEquals(lengthWith({ tokens: 0 }), 0);
  assertEquals(lengthWith({ limitMs: 12 + 2.5 * 1.6 }), 1);
  const silent = sequenceOf([...PHRASE, ...PHRASE, ...PHRASE], { speculates: false });
  assertEquals(speculator.propose([silent], roomFor([silent])), [[]]);
});

Deno.test("Speculator shares a step's guesses between two sequences by how likely they are", () => {
  const speculator = new Speculator(CHEAP);
  const sure = sequenceOf(PHRASE), unsure = sequenceOf([1, 2], { id: 2 });
  say(speculator, sure, [...PHRASE, ...PHRASE, ...PHRASE, ...PHRASE.slice(0, 5)]);
  const random = new Random(1);
  say(speculator, unsure, Array.from({ length: 90 }, (_, i) => i % 3 === 2 ? random.int(3, 9) : 1 + i % 3));
  say(speculator, unsure, [1, 2]);
  const [first, second] = speculator.propose([sure, unsure], roomFor([sure, unsure]));
  assert(first.length > second.length, `${first.length} ${second.length}`);
});

Deno.test("Speculator begins with a text that was foretold, and cuts what the answer's form does not allow", () => {
  const fits: SpeculationOptions["fits"] = (_, tokens) => Math.min(2, tokens.length);
  for (const [options, most] of [[{}, 15], [{ fits }, 2]] as const) {
    const speculator = new Speculator(CHEAP, options);
    const sequence = sequenceOf([1, 2, 3], { foretold: PHRASE });
    say(speculator, sequence, PHRASE.slice(0, 4));
    const [draft] = speculator.propose([sequence], roomFor([sequence]));
    assert(draft.length > 0 && draft.length <= most, `${draft}`);
    assertEquals(draft, PHRASE.slice(4, 4 + draft.length));
  }
});

/** Says what it was asked for. */
class Counter implements DraftSource {
  readonly msPerToken = 1;
  readonly asked: number[] = [];
  readonly forgotten: number[] = [];

  guess(_id: number, _tokens: readonly number[], count: number): number[] {
    this.asked.push(count);
    return new Array(count).fill(7);
  }

  forget(id: number): void {
    this.forgotten.push(id);
  }
}

Deno.test("Speculator takes what repeats itself where the source cannot guess, and no more than there is room for", () => {
  const source = Object.assign(new Counter(), { canGuess: () => false });
  const speculator = new Speculator(CHEAP, { source });
  const sequence = sequenceOf([...PHRASE, 1, 2]);
  say(speculator, sequence, [...PHRASE, 3, ...PHRASE, 4, ...PHRASE, 5, ...PHRASE.slice(0, 5)]);
  const [draft] = speculator.propose([sequence], roomFor([sequence]));
  assertEquals(draft.slice(0, 4), PHRASE.slice(5, 9));
  const reserve = (_: Sequence, tokens: number) => Math.min(2, tokens);
  assertEquals(speculator.propose([sequence], roomFor([sequence], { reserve })), [PHRASE.slice(5, 7)]);
  assertEquals(source.asked, []);
  const asking = new Counter(), other = new Speculator(CHEAP, { source: asking });
  other.propose([sequenceOf(PHRASE)], roomFor([sequence], { reserve }));
  assertEquals(asking.asked, [2], "it computes no guess for which there is no room");
});

/** Goes on with tokens that never repeat, of which the source guesses all or none right. */
function playSource(isRight: boolean, rounds: number): Counter {
  const source = new Counter();
  const speculator = new Speculator(CHEAP, { source });
  const sequence = sequenceOf([1, 2, 3], { maxTokens: 10_000 });
  for (let i = 0; i < rounds; i++) {
    const [draft] = speculator.propose([sequence], roomFor([sequence]));
    sequence.draft = draft;
    sequence.tokens.push(1000 + i);
    speculator.settle(sequence, isRight ? draft.length : 0);
    sequence.draft = [];
  }
  speculator.forget(1);
  return source;
}

Deno.test("Speculator asks a source as long as it pays, and tries it ever more rarely where it does not", () => {
  const good = playSource(true, 200);
  assert(good.asked.length > 190 && good.asked.at(-1)! >= 8, `${good.asked.length} ${good.asked.at(-1)}`);
  assertEquals(good.forgotten, [1]);
  const bad = playSource(false, 3000);
  assert(bad.asked.length >= 5 && bad.asked.length < 40, `${bad.asked.length}`);
});

Deno.test("Speculator's trials of a source share the room that a step has left", () => {
  const source: DraftSource = {
    msPerToken: 0.1,
    guess: (_, __, count) => new Array(count).fill(7),
    forget() {},
  };
  const speculator = new Speculator(DEAR, { source });
  const sequences = [1, 2].map((id) => sequenceOf(PHRASE, { id }));
  const random = new Random(3);
  let trials = 0;
  for (let step = 0; step < 2000; step++) {
    for (const sequence of sequences) sequence.tokens.push(random.int(0, 30_000));
    const drafts = speculator.propose(sequences, roomFor(sequences, { tokens: 1 }));
    assert(drafts[0].length + drafts[1].length <= 1, `step ${step}`);
    trials += drafts.filter(({ length }) => length > 0).length;
  }
  assert(trials > 2);
});
