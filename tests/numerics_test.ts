/** Whether the same tokens give what they have always given, and the version of the numbers says so where they do not. */

import { assertEquals, assertThrows } from "@std/assert";
import { NUMERICS_VERSION } from "../src/protocol/numerics.ts";
import {
  changedGoldens,
  computeGoldens,
  digestOf,
  type Goldens,
  GOLDENS_FILE,
  renewed,
} from "./numerics/goldens.ts";

const ADVICE = "see tests/numerics/goldens.ts: a change of the numbers needs a higher NUMERICS_VERSION";

Deno.test("the numbers are those of their version", async () => {
  const { goldens, history }: Goldens = JSON.parse(await Deno.readTextFile(GOLDENS_FILE));
  const computed = await computeGoldens((name) => name in goldens);
  assertEquals(changedGoldens(goldens, computed), [], ADVICE);
  // New families and formats have none until somebody writes them.
  assertEquals(Object.keys(goldens).filter((name) => !(name in computed)), [], ADVICE);
  assertEquals(history[NUMERICS_VERSION], digestOf(goldens), ADVICE);
  assertEquals(Math.max(...Object.keys(history).map(Number)), NUMERICS_VERSION, ADVICE);
});

Deno.test("renewed() takes what is new, and what has changed only with another version", () => {
  const first = renewed({ history: {}, goldens: {} }, { a: "1", b: "2" }, 1);
  assertEquals(first.history, { "1": digestOf({ a: "1", b: "2" }) });
  const more = renewed(first, { a: "1", b: "2", c: "3" }, 1);
  assertEquals(Object.keys(more.goldens), ["a", "b", "c"]);
  assertThrows(() => renewed(more, { a: "1", b: "x", c: "3" }, 1), Error, "(b)");
  const second = renewed(more, { a: "1", b: "x", c: "3" }, 2);
  assertEquals([Object.keys(second.history), second.goldens.b], [["1", "2"], "x"]);
});
