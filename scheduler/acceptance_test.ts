import { assert } from "@std/assert";
import { Acceptance } from "./acceptance.ts";

Deno.test("Acceptance learns how often guesses are right, by the length of what was alike", () => {
  const acceptance = new Acceptance();
  assert(acceptance.chance(2) < acceptance.chance(30), "longer matches are believed more from the start");
  for (let i = 0; i < 400; i++) {
    acceptance.note(3, i % 4 === 0);
    acceptance.note(12, i % 10 !== 0);
  }
  assert(Math.abs(acceptance.chance(3) - 0.25) < 0.03, `${acceptance.chance(3)}`);
  assert(Math.abs(acceptance.chance(15) - 0.9) < 0.03, `${acceptance.chance(15)}`);
});

Deno.test("Acceptance of one text begins with what is known of all and follows its own", () => {
  const common = new Acceptance();
  for (let i = 0; i < 200; i++) common.note(5, true);
  const own = new Acceptance(common);
  assert(own.chance(5) > 0.9);
  for (let i = 0; i < 40; i++) own.note(5, false);
  assert(own.chance(5) < 0.2, `${own.chance(5)}`);
  assert(common.chance(5) < 0.9 && common.chance(5) > own.chance(5), "all texts learn from it, too");
});
