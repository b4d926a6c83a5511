/** Seeded changes of JSON: of its text, and of what it says. */

import { RandomWords } from "../../src/gguf/random_blocks.ts";

/** Random integers from a stream of their own, so that one mutation can be repeated alone. */
export class Dice {
  readonly #random: RandomWords;
  readonly #word = new Uint32Array(1);

  constructor(seed: number, stream: number) {
    this.#random = new RandomWords(seed, stream);
  }

  /** 0 … n − 1 */
  below(n: number): number {
    this.#random.fill(this.#word);
    return this.#word[0] % n;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  255,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e308,
  "",
  "a",
  " ",
  "\u2581",
  "\ud800",
  "__proto__",
  "constructor",
  "x".repeat(5000),
  [],
  [[]],
  [null],
  ["a", "b"],
  {},
  { type: "Sequence" },
  { type: "Sequence", normalizers: [null], pretokenizers: [3], processors: ["x"] },
  { content: 5 },
  { __proto__: null },
];

/** A place in a document: a container, and the key of an item in it. */
interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesOf(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value as Record<string, unknown>, key });
    placesOf((value as Record<string, unknown>)[key], found);
  }
  return found;
}

/** The text of a document in which something was replaced, dropped, repeated, nested or moved. */
export function mutateJson(document: unknown, dice: Dice): string {
  const copy = structuredClone(document);
  for (let n = 1 + dice.below(3); n > 0; n--) {
    const places = placesOf(copy);
    if (places.length === 0) break;
    // Half of them near the top, where the settings are: most places are tokens.
    const { holder, key } = dice.pick(
      dice.below(2) === 0 ? places : places.filter((_, i) => i < 60 || i % 37 === 0),
    );
    const kind = dice.below(8);
    if (kind < 3) holder[key] = structuredClone(dice.pick(VALUES));
    else if (kind === 3) delete holder[key];
    else if (kind === 4) holder[`${key}x`] = holder[key];
    else if (kind === 5) holder[key] = [holder[key]];
    else if (kind === 6) holder[key] = structuredClone(dice.pick(places).holder);
    else if (typeof holder[key] === "number") {
      holder[key] = (holder[key] as number) * dice.pick([-1, 2, 1000, 1e9]);
    } else holder[key] = { value: holder[key] };
  }
  return dice.below(8) === 0 ? mutateText(JSON.stringify(copy), dice) : JSON.stringify(copy);
}

/** A text of which some characters were changed, dropped or repeated. */
export function mutateText(text: string, dice: Dice): string {
  const start = dice.below(text.length + 1);
  const end = Math.min(text.length, start + dice.below(20));
  switch (dice.below(4)) {
    case 0:
      return text.slice(0, start);
    case 1:
      return text.slice(0, start) + text.slice(end);
    case 2:
      return text.slice(0, end) + text.slice(start);
    default:
      return text.slice(0, start) +
        dice.pick(["[", "{", "\0", '"', "9".repeat(400), "[".repeat(20_000), "\u2028"]) +
        text.slice(end);
  }
}
