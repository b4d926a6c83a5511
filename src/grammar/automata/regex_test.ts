import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomFrom } from "../../loadtest/random.ts";
import { Budget, GrammarError } from "../error.ts";
import { accepts, type Dfa } from "./dfa.ts";
import { matchDfa, searchDfa } from "./regex.ts";

const budget = () => new Budget(400_000, "The pattern");
const points = (text: string) => Array.from(text, (c) => c.codePointAt(0)!);

const PIECES = [
  "a",
  "b",
  "c",
  ".",
  "[ab]",
  "[^a]",
  "[a-c]",
  "\\d",
  "\\w",
  "\\s",
  "\\W",
  "é",
  "\\u{1F600}",
  "\\x41",
  "^",
  "$",
  "\\.",
  "(?=a)",
  "(?!b)",
  "(?=.c|b$)",
  "(?!.*c)",
];
const SIGNS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"];

function randomPattern(random: () => number, depth: number): string {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];
  let pattern = "";
  for (let n = Math.floor(random() * 4); n >= 0; n--) {
    if (depth < 3 && random() < 0.25) {
      pattern += `(${random() < 0.5 ? "?:" : ""}${randomPattern(random, depth + 1)}|${
        randomPattern(random, depth + 1)
      })${pick(SIGNS)}`;
    } else {
      const piece = pick(PIECES);
      pattern += /^(\^|\$|\(\?.*)$/.test(piece) ? piece : piece + pick(SIGNS);
    }
  }
  return pattern;
}

Deno.test("searchDfa() and matchDfa() accept what the engine's own expressions match, on random patterns and texts", () => {
  const random = randomFrom(7);
  const alphabet = [..."abcA.1 é😀\n_-"];
  let matches = 0;
  for (let i = 0; i < 300; i++) {
    const pattern = randomPattern(random, 0);
    const search = new RegExp(pattern, "u"), whole = new RegExp(`^(?:${pattern})$`, "u");
    let found: Dfa, matched: Dfa;
    try {
      [found, matched] = [searchDfa(pattern, budget()), matchDfa(pattern, budget())];
    } catch (error) {
      // Some combinations have too many states, or lookaheads where they cannot be followed.
      assert(
        error instanceof GrammarError &&
          /too large|\^ behind a lookahead|lookahead inside/.test(error.message),
        pattern,
      );
      continue;
    }
    for (let j = 0; j < 30; j++) {
      const text = Array.from(
        { length: Math.floor(random() * 7) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join("");
      assertEquals(accepts(found, points(text)), search.test(text), `${pattern} in ${JSON.stringify(text)}`);
      assertEquals(accepts(matched, points(text)), whole.test(text), `${pattern} is ${JSON.stringify(text)}`);
      if (search.test(text)) matches++;
    }
  }
  assert(matches > 1000, `${matches}`);
});

Deno.test("searchDfa() knows Unicode's properties", () => {
  const letters = searchDfa("^\\p{L}+$", budget());
  assertEquals(["abc", "日本", "a1", "-"].map((text) => accepts(letters, points(text))), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("searchDfa() refuses by name what it does not understand, and what is too large", () => {
  for (
    const [pattern, message] of [
      ["(?:(?=a)b)*", "lookahead inside of a repetition"],
      ["(?=a)^b", "^ behind a lookahead"],
      ["(?=a", ") is missing"],
      ["(?<!a)b", "lookbehind"],
      ["(a)\\1", "reference back"],
      ["\\bword", "\\b is not supported"],
      ["a{3,1}", "wrong order"],
      ["[z-a]", "wrong order"],
      ["(a", "without an end"],
      ["a)", "unmatched )"],
      ["*a", "stands alone"],
      ["a**", "nothing to repeat"],
      ["\\p{Nothing}", "is not known"],
      ["(a|b)*a(a|b){20}", "too large"],
      ["((((a{99}){99}){99}){99})", "too large"],
      ["(".repeat(1000), "groups within each other"],
    ]
  ) assertThrows(() => searchDfa(pattern, budget()), GrammarError, message);
});
