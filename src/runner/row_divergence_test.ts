import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { compareRow } from "./row_divergence.ts";

/** The definitions, in the order of a textbook. */
function naive(a: readonly number[], b: readonly number[], target: number) {
  const softmax = (logits: readonly number[]) => {
    const powers = logits.map(Math.exp);
    const sum = powers.reduce((total, x) => total + x, 0);
    return powers.map((x) => x / sum);
  };
  const [p, q] = [softmax(a), softmax(b)];
  const divergence = p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]), 0);
  return { divergence, logprobA: Math.log(p[target]), logprobB: Math.log(q[target]) };
}

Deno.test("compareRow() computes the divergence and what both give the next token", () => {
  const a = [1, -2, 0.5, 3, 0.25], b = [0.5, -1, 0.75, 1, 2];
  const actual = compareRow(Float32Array.from(a), Float32Array.from(b), 2);
  const expected = naive(a, b, 2);
  assertAlmostEquals(actual.divergence, expected.divergence, 1e-12);
  assertAlmostEquals(actual.logprobA, expected.logprobA, 1e-12);
  assertAlmostEquals(actual.logprobB, expected.logprobB, 1e-12);
  assertEquals(actual.isSameBest, false);
});

Deno.test("compareRow() of equal rows is zero, however large the logits are", () => {
  const row = Float32Array.of(1000, 990, -1000, 999.5);
  assertEquals(compareRow(row, row, 1).divergence, 0);
  assertEquals(compareRow(row, row, 1).isSameBest, true);
  const shifted = row.map((x) => x + 64);
  assertAlmostEquals(compareRow(row, shifted, 1).divergence, 0, 1e-9);
});

Deno.test("compareRow() is no distance: it depends on which is the original", () => {
  const a = Float32Array.of(0, 0, 0), b = Float32Array.of(5, 0, 0);
  assert(Math.abs(compareRow(a, b, 0).divergence - compareRow(b, a, 0).divergence) > 0.1);
});

Deno.test("compareRow() refuses logits that are not finite", () => {
  const good = Float32Array.of(1, 2);
  for (const bad of [Float32Array.of(NaN, 1), Float32Array.of(Infinity, 1)]) {
    assertThrows(() => compareRow(good, bad, 0), RangeError, "not finite");
    assertThrows(() => compareRow(bad, good, 0), RangeError, "not finite");
  }
});
