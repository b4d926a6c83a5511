import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomFrom } from "../../loadtest/random.ts";
import { accepts } from "../automata/dfa.ts";
import { GrammarError } from "../error.ts";
import { decimal, type NumberBounds, numberDfa } from "./decimals.ts";

const isText = (bounds: NumberBounds, text: string) =>
  accepts(numberDfa(bounds, ""), new TextEncoder().encode(text));

Deno.test("decimal() writes numbers without exponents", () => {
  assertEquals(decimal(-12.5), { negative: true, whole: "12", fraction: "5" });
  assertEquals(decimal(1e21), { negative: false, whole: "1000000000000000000000", fraction: "" });
  assertEquals(decimal(1.5e-7), { negative: false, whole: "0", fraction: "00000015" });
  assertEquals(decimal(0), { negative: false, whole: "0", fraction: "" });
});

Deno.test("numberDfa() accepts the integers within bounds that are multiples, and no other text", () => {
  const random = randomFrom(3);
  const within = (max: number) => Math.floor(random() * (2 * max + 1)) - max;
  for (let i = 0; i < 25; i++) {
    const least = random() < 0.7 ? within(300) : undefined;
    const most = random() < 0.7 ? (least ?? -300) + Math.floor(random() * 400) : undefined;
    const step = random() < 0.5 ? 1 + Math.floor(random() * 12) : undefined;
    const bounds = {
      integer: true,
      least,
      most,
      above: random() < 0.3,
      below: random() < 0.3,
      multipleOf: step === undefined ? [] : [step],
    };
    const dfa = numberDfa(bounds, "");
    for (let value = -750; value <= 750; value++) {
      const fits = (least === undefined || (bounds.above ? value > least : value >= least)) &&
        (most === undefined || (bounds.below ? value < most : value <= most)) &&
        (step === undefined || value % step === 0);
      assertEquals(
        accepts(dfa, new TextEncoder().encode(String(value))),
        fits,
        `${value} ${JSON.stringify(bounds)}`,
      );
    }
  }
});

Deno.test("numberDfa() accepts decimals within bounds", () => {
  const random = randomFrom(5);
  let inside = 0;
  for (let i = 0; i < 12; i++) {
    const least = Math.round((random() - 0.5) * 400) / 10 ** Math.floor(random() * 3);
    const most = least + Math.round(random() * 100) / 10;
    const bounds = {
      integer: false,
      least,
      most,
      above: random() < 0.5,
      below: random() < 0.5,
      multipleOf: [],
    };
    const dfa = numberDfa(bounds, "");
    for (let j = 0; j < 100; j++) {
      const digits = Math.floor(random() * 4);
      const text = ((random() - 0.5) * 500).toFixed(digits);
      const value = Number(text);
      if (Object.is(value, -0) || text === "-0") continue;
      const fits = (bounds.above ? value > least : value >= least) &&
        (bounds.below ? value < most : value <= most);
      assertEquals(accepts(dfa, new TextEncoder().encode(text)), fits, `${text} ${JSON.stringify(bounds)}`);
      if (fits) inside++;
    }
    for (const edge of [least, most]) {
      const isIn = edge === least ? !bounds.above && (edge < most || !bounds.below) : !bounds.below;
      if (!Object.is(edge, -0) && edge !== 0) {
        assertEquals(
          accepts(dfa, new TextEncoder().encode(String(edge))),
          isIn || least === most && !bounds.above && !bounds.below,
        );
      }
    }
  }
  assert(inside > 5, `${inside}`);
});

Deno.test("numberDfa() writes numbers as JSON does", () => {
  const any = { integer: false, multipleOf: [] };
  for (const text of ["0", "-0", "12", "-1.50", "1e5", "2.5E-10"]) assert(isText(any, text), text);
  for (const text of ["", "-", "01", "1.", ".5", "+1", "1e", "0x1", "NaN"]) assert(!isText(any, text), text);
  assert(isText({ integer: false, multipleOf: [0.01] }, "3.14"));
  assert(!isText({ integer: false, multipleOf: [0.01] }, "3.141"));
  assert(
    isText({ integer: false, multipleOf: [0.5, 0.2] }, "-3") &&
      !isText({ integer: false, multipleOf: [0.5, 0.2] }, "1.5"),
  );
  assertThrows(
    () => numberDfa({ integer: false, multipleOf: [1e-9, 7919] }, "/a"),
    GrammarError,
    "multipleOf",
  );
});
