import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../scheduler/testing/random.ts";
import { SlidingWindow } from "./sliding_window.ts";

const MINUTE_MS = 60_000, SLOT_MS = 1000;

Deno.test("SlidingWindow.used() has all of the last minute, and nothing that is a slot older", () => {
  const random = new Random(7);
  const window = new SlidingWindow(MINUTE_MS);
  const all: { at: number; amount: number }[] = [];
  const since = (ms: number, now: number) =>
    all.filter(({ at }) => at > now - ms).reduce((sum, { amount }) => sum + amount, 0);
  let now = 0;
  for (let i = 0; i < 5000; i++) {
    now += random.int(0, 19) === 0 ? random.int(0, 90_000) : random.int(0, 2000);
    const amount = random.int(0, 50);
    window.add(amount, now);
    all.push({ at: now, amount });
    const used = window.used(now);
    const [least, most] = [since(MINUTE_MS, now), since(MINUTE_MS + SLOT_MS, now)];
    assert(used >= least && used <= most, `${used} at ${now} is not from ${least} to ${most}`);
  }
  assertEquals(window.used(now + MINUTE_MS + SLOT_MS), 0);
});

Deno.test("SlidingWindow.untilAtMost() is the first moment at which so much is left", () => {
  const random = new Random(8);
  const window = new SlidingWindow(MINUTE_MS);
  let now = 0;
  for (let i = 0; i < 2000; i++) {
    now += random.int(0, 3000);
    window.add(random.int(0, 10), now);
    const most = random.int(0, 100);
    const ms = window.untilAtMost(most, now);
    if (window.used(now) <= most) assertEquals(ms, 0);
    else assert(ms > 0 && ms <= MINUTE_MS + SLOT_MS, `${ms}`);
    if (i % 100 > 0 || ms === 0) continue;
    now += ms - 1;
    assert(window.used(now) > most);
    now += 1;
    assert(window.used(now) <= most);
  }
});

Deno.test("SlidingWindow forgets nothing where the clock goes back, and all after a long silence", () => {
  const window = new SlidingWindow(MINUTE_MS);
  window.add(3, 100_000);
  assertEquals([window.used(50_000), window.used(100_000)], [3, 3]);
  assertEquals([window.untilAtMost(2, 100_500), window.untilAtMost(3, 100_500)], [60_500, 0]);
  assertEquals(window.used(1e12), 0);
});
