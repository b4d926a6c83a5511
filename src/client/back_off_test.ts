import { assertEquals } from "@std/assert";
import { BackOff } from "./back_off.ts";

Deno.test("BackOff waits longer after each short life, up to its most, and not after a long one", () => {
  const policy = new BackOff({ firstMs: 100, mostMs: 1000, shortLifeMs: 5000 });
  let now = 0;
  /** A worker that is ready at once and lives so long. */
  const live = (ms: number) => {
    policy.noteReady(now);
    return policy.next(now += ms);
  };
  assertEquals([60_000, 10, 10, 10, 4999, 10, 10, 10].map(live), [0, 0, 100, 200, 400, 800, 1000, 1000]);
  assertEquals([5000, 10, 10].map(live), [0, 0, 100]);
});

Deno.test("BackOff counts a worker that cannot load as a short life, however long it took", () => {
  const policy = new BackOff({ firstMs: 100, mostMs: 1000 });
  policy.noteReady(0);
  assertEquals([60_000, 120_000, 180_000, 240_000].map((now) => policy.next(now)), [0, 0, 100, 200]);
});
