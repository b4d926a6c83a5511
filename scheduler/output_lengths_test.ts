import { assert, assertEquals } from "@std/assert";
import { Random } from "./testing/random.ts";
import { chanceOf, OutputLengths } from "./output_lengths.ts";

function mean(lengths: OutputLengths, generated: number, most: number): number {
  const count = 1000;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += lengths.drawn(generated, most, chanceOf(i));
  return sum / count;
}

/** One answer from its first token to its end. */
function answer(lengths: OutputLengths, tokens: number, isCut = false): void {
  for (let i = 1; i <= tokens; i++) lengths.pass(i);
  lengths.add(tokens, isCut);
}

Deno.test("OutputLengths takes answers that were cut off to be as long as is asked for", () => {
  const lengths = new OutputLengths();
  assert(lengths.remaining(0, 16) > 14, "before any has ended, short ones are believed");
  for (let i = 0; i < 20; i++) answer(lengths, 400, true);
  // One regime says nothing against the other.
  for (const most of [1, 16, 100, 400]) {
    assert(lengths.remaining(0, most) > 0.95 * most && lengths.remaining(0, most) <= most, `${most}`);
  }
  assertEquals(lengths.drawn(0, 16, 0.5), 16);
  assertEquals([lengths.drawn(400, 400, 0.5), lengths.remaining(400, 400)], [0, 0]);
});

Deno.test("OutputLengths learns when answers end by themselves, and what is left of one that goes on", () => {
  const random = new Random(1);
  const lengths = new OutputLengths();
  for (let i = 0; i < 300; i++) {
    const length = Math.ceil(random.exponential(100));
    // Some are cut off: they were not short.
    answer(lengths, Math.min(length, i % 2 === 0 ? 60 : 1000), i % 2 === 0 && length > 60);
  }
  for (const generated of [0, 50, 150]) {
    const left = lengths.remaining(generated, 2000);
    assert(left > 65 && left < 150, `${left} after ${generated}`);
    const drawn = mean(lengths, generated, 2000);
    assert(Math.abs(drawn / left - 1) < 0.05, `drawn ${drawn}, ${left} on the average`);
  }
  assert(lengths.drawn(0, 2000, 0.9) > 4 * lengths.drawn(0, 2000, 0.2), "some end early, some late");
});

Deno.test("OutputLengths follows answers that become shorter and longer", () => {
  const lengths = new OutputLengths();
  for (let i = 0; i < 100; i++) answer(lengths, 200);
  const long = lengths.remaining(0, 1000);
  for (let i = 0; i < 100; i++) answer(lengths, 20);
  const short = lengths.remaining(0, 1000);
  for (let i = 0; i < 100; i++) answer(lengths, 200);
  const again = lengths.remaining(0, 1000);
  assert(Math.abs(long - 200) < 20 && short < 0.5 * long && again > 1.8 * short, `${long} ${short} ${again}`);
  // Those that go on tell that they are longer before they end.
  for (let i = 1; i <= 400; i++) for (let j = 0; j < 64; j++) lengths.pass(i);
  assert(lengths.remaining(0, 1000) > again + 50);
  // Longer than any was.
  const beyond = lengths.remaining(900, 10_000);
  assert(beyond > 0 && beyond < 10_000 && lengths.remaining(1e9, 1e9 + 5) <= 5);
});
