/** What guesses cost and bring, in simulated time: the scheduler's own policy against texts and machines that are known. */

import { assert } from "@std/assert";
import { MemoryAllocator, Scheduler } from "../scheduler/mod.ts";
import { Random } from "../scheduler/testing/random.ts";
import { ROOT } from "../src/setup/paths.ts";

/** Ms of a step by its tokens, from one on; between them straight lines. */
type Machine = readonly (readonly [tokens: number, ms: number])[];

const MACHINES: Readonly<Record<string, Machine>> = {
  // A model of a billion weights on two cores, as batches of 1 to 16 answers were measured.
  "two cores": [[1, 16], [4, 26], [8, 42], [16, 80], [512, 1780]],
  "steps for two tokens cost much more": [[1, 10], [2, 17], [4, 19], [8, 26], [16, 45], [512, 900]],
  "nearly nothing for more tokens": [[1, 10], [16, 12], [512, 300]],
  "each token costs as much": [[1, 10], [16, 160], [512, 5120]],
};

function stepMs(machine: Machine, tokens: number, random: Random): number {
  const i = Math.max(1, machine.findIndex(([most]) => most >= tokens));
  const [[x0, y0], [x1, y1]] = [machine[i - 1], machine[i]];
  return (y0 + (y1 - y0) * (tokens - x0) / (x1 - x0)) * (0.97 + 0.06 * random.next());
}

/** Ms that an engine takes to say these texts one after another, each behind its prompt. */
function play(
  texts: readonly (readonly number[])[],
  promptTokens: number,
  machine: Machine,
  guesses: boolean,
): number {
  const random = new Random(1);
  const scheduler = new Scheduler({
    allocator: new MemoryAllocator(1024),
    blockTokens: 16,
    stepTokensMax: 512,
    stepSequencesMax: 8,
    stepRowsMax: 32,
    speculation: guesses ? {} : undefined,
    classes: [{
      name: "all",
      priority: 0,
      maxBatch: 8,
      maxWaitMs: 0,
      queueLimit: { requests: 1000, tokens: 1e9 },
      preemptible: true,
    }],
  });
  let now = 0, decodeMs = 0;
  texts.forEach((text, id) => {
    const prompt = text.slice(0, promptTokens);
    scheduler.submit({ id, class: "all", tokens: prompt, maxTokens: text.length - promptTokens }, now);
    while (scheduler.isBusy) {
      const { step, items: [item], load } = scheduler.plan(now);
      const ms = stepMs(machine, load.tokens, random);
      now += ms;
      if (item.first >= promptTokens) decodeMs += ms;
      if (!item.reachesEnd) {
        scheduler.complete(step, [], ms, now);
        continue;
      }
      const at = item.tokens.length;
      let guessed = 0;
      while (guessed < item.draft.length && item.draft[guessed] === text[at + guessed]) guessed++;
      const [token, ...more] = text.slice(at, at + guessed + 1);
      scheduler.complete(step, [{ id, token, more, guessed: Math.min(guessed, 1 + more.length) }], ms, now);
    }
  });
  return decodeMs;
}

/** The pages of this repository as numbers of words and signs: a text that nobody wrote for this. */
function prose(): number[] {
  const ids = new Map<string, number>();
  const names = [...Deno.readDirSync(`${ROOT}/docs`)].map(({ name }) => name).filter((name) =>
    name.endsWith(".md")
  );
  const text = names.sort().map((name) => Deno.readTextFileSync(`${ROOT}/docs/${name}`)).join("\n");
  return (text.match(/[a-z]+|[A-Z]+[a-z]*|[0-9]|\s?[^\sa-zA-Z0-9]/g) ?? [])
    .map((word) => ids.getOrInsertComputed(word, () => ids.size));
}

/** Words drawn as often as those of a language, each without regard to the one before. */
function drawn(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => Math.floor(Math.exp(random.next() * Math.log(5000))));
}

/** A text that is said again with a few changes. */
function edited(random: Random, count: number): number[] {
  const text = Array.from({ length: count }, () => random.int(1, 30_000));
  return [...text, ...text.map((word) => random.chance(0.04) ? random.int(1, 30_000) : word)];
}

const speedUp = (texts: readonly number[][], promptTokens: number, machine: Machine) =>
  play(texts, promptTokens, machine, false) / play(texts, promptTokens, machine, true);

const random = new Random(7);
const words = prose();
const TEXTS = {
  drawn: Array.from({ length: 12 }, () => drawn(random, 300)),
  prose: Array.from({ length: 24 }, (_, i) => words.slice(1200 * i, 1200 * i + 300)),
  edited: Array.from({ length: 6 }, () => edited(random, 200)),
};

for (const [name, machine] of Object.entries(MACHINES)) {
  Deno.test(`guesses never cost 2 % where nothing repeats: ${name}`, () => {
    const ofDrawn = speedUp(TEXTS.drawn, 50, machine), ofProse = speedUp(TEXTS.prose, 100, machine);
    assert(ofDrawn >= 0.98 && ofProse >= 0.98, `${ofDrawn} and ${ofProse} times as fast`);
  });
}

Deno.test("guesses bring more the more a text repeats and the less more tokens cost, and nothing where each costs as much", () => {
  const gains = Object.values(MACHINES).map((machine) => speedUp(TEXTS.edited, 200, machine));
  const [cores, stepped, cheap, dear] = gains;
  assert(cores > 1.8 && stepped > 2 && cheap > 5, `${gains}`);
  assert(dear > 0.98 && dear < 1.02, `${dear}`);
});
