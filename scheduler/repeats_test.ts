import { assertEquals } from "@std/assert";
import { Repeats } from "./repeats.ts";
import { Random } from "./testing/random.ts";

Deno.test("Repeats guesses what came where the last tokens were seen before, and follows it", () => {
  const repeats = new Repeats();
  repeats.add([1, 2, 3, 4, 5, 9, 1, 2]);
  assertEquals([repeats.next, repeats.length], [3, 2]);
  assertEquals(repeats.guess(3), [3, 4, 5]);
  repeats.push(3);
  assertEquals([repeats.next, repeats.length], [4, 3]);
  repeats.push(7);
  assertEquals([repeats.next, repeats.guess(3)], [undefined, []]);
});

Deno.test("Repeats takes the longest match, and of several the latest", () => {
  const repeats = new Repeats();
  repeats.add([7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2]);
  assertEquals(repeats.next, 3, "7 1 2 was seen, and 8 1 2 came later");
  const alike = new Repeats();
  alike.add([1, 2, 3, 1, 2, 4, 1, 2]);
  assertEquals(alike.next, 4);
});

Deno.test("Repeats goes on with what repeats itself right now", () => {
  const repeats = new Repeats();
  repeats.add([5, 6, 7, 5, 6]);
  assertEquals(repeats.guess(8), [7, 5, 6, 7, 5, 6, 7, 5]);
});

Deno.test("Repeats begins with a foretold text, leaves it and finds its way back, and never crosses its end", () => {
  const repeats = new Repeats([10, 11, 12, 13, 14, 15]);
  repeats.add([1, 2, 3], true);
  assertEquals([repeats.guess(9), repeats.length], [[10, 11, 12, 13, 14, 15], 0]);
  repeats.push(10);
  assertEquals([repeats.next, repeats.length], [11, 1]);
  for (const token of [99, 12, 13]) repeats.push(token);
  assertEquals(repeats.guess(9), [14, 15]);
  for (const token of [14, 15]) repeats.push(token);
  assertEquals([repeats.next, repeats.guess(9)], [undefined, []]);
});

Deno.test("Repeats without a foretold text has no guess where nothing repeats", () => {
  for (const begins of [false, true]) {
    const repeats = new Repeats();
    repeats.add([1, 2, 3], begins);
    assertEquals(repeats.guess(4), []);
  }
});

/** The longest earlier match of at least two tokens, by looking everywhere. */
function naive(text: readonly number[]): number | undefined {
  let best = 1, next: number | undefined;
  for (let place = text.length - 1; place > 1; place--) {
    let length = 0;
    while (length < place && length < 32 && text[place - 1 - length] === text[text.length - 1 - length]) {
      length++;
    }
    if (length > best) [best, next] = [length, text[place]];
  }
  return next;
}

Deno.test("Repeats finds what looking everywhere finds", () => {
  const random = new Random(3);
  for (let round = 0; round < 50; round++) {
    const text = Array.from({ length: random.int(1, 60) }, () => random.int(1, 6));
    const repeats = new Repeats();
    repeats.add(text);
    assertEquals(repeats.next, naive(text), text.join(" "));
  }
});
