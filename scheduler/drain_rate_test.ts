import { assert, assertEquals } from "@std/assert";
import { DrainRate } from "./drain_rate.ts";

Deno.test("DrainRate predicts from what has ended, recent work first", () => {
  const rate = new DrainRate();
  assertEquals(rate.msForRequests(1), undefined);
  for (let i = 0; i < 100; i++) rate.add(100, 1, 50);
  assert(Math.abs(rate.msForRequests(3)! - 300) < 1e-6);
  assert(Math.abs(rate.msForTokens(100)! - 200) < 1e-6);
  for (let i = 0; i < 2000; i++) rate.add(100, 2, 50);
  assert(Math.abs(rate.msForRequests(1)! - 50) < 1);
  rate.add(-1, 5, 5);
  assert(Math.abs(rate.msForRequests(1)! - 50) < 1);
});
