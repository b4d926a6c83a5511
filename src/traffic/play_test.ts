import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseClasses } from "../loadtest/arrivals.ts";
import { playTraffic } from "./play.ts";
import { scaleTraffic } from "./scale.ts";
import type { Traffic } from "./traffic.ts";

/** A request a second; all begin with block 0, each third with a conversation's own. */
const TRAFFIC: Traffic = {
  format: "kumi",
  blockTokens: 16,
  requests: Array.from({ length: 600 }, (_, i) => ({
    atMs: 5000 + 1000 * i,
    promptTokens: 40,
    answerTokens: 8,
    blocks: [0, 1 + i % 200],
  })),
  refused: 0,
  skipped: [],
};

Deno.test("playTraffic() begins at 0, plays faster, cuts lengths and gives classes", () => {
  const arrivals = playTraffic(TRAFFIC, {
    speed: 2,
    seconds: 10,
    promptMax: 30,
    answerMax: 5,
    classes: parseClasses("x:1"),
    seed: 1,
  });
  assertEquals(arrivals.length, 20);
  assertEquals(arrivals[1], {
    atMs: 500,
    class: "x",
    promptTokens: 30,
    maxTokens: 5,
    blocks: [0, 2],
    blockTokens: 16,
  });
});

Deno.test("scaleTraffic() adds users with conversations of their own, and common blocks that all share", () => {
  const { requests } = scaleTraffic(TRAFFIC, { users: 2.5 });
  assert(Math.abs(requests.length - 1500) < 60, `${requests.length} requests`); // 5 standard deviations
  assert(requests.every(({ atMs }, i) => i === 0 || atMs >= requests[i - 1].atMs));
  const [first, last] = [requests[0].atMs, requests.at(-1)!.atMs];
  assert(first >= 5000 && last <= 5000 + 599_000, "no request lies beyond the ends");
  const roots = new Set(requests.map(({ blocks }) => blocks![0])),
    own = new Set(requests.map(({ blocks }) => blocks![1]));
  assertEquals([...roots], [0]);
  assert(own.size > 500, `${own.size} conversations`);
  // Each minute has its share of them.
  const minute = requests.filter(({ atMs }) => atMs >= 200_000 && atMs < 260_000).length;
  assertAlmostEquals(minute, 150, 25);
  assertEquals(scaleTraffic(TRAFFIC, { users: 2.5 }), scaleTraffic(TRAFFIC, { users: 2.5 }));
});

Deno.test("scaleTraffic() draws a share of the requests for fewer users, and refuses nonsense", () => {
  const { requests } = scaleTraffic(TRAFFIC, { users: 0.25, speed: 0.5 });
  assert(Math.abs(requests.length - 150) < 55, `${requests.length} requests`);
  assert(requests.every(({ atMs }) => atMs % 2000 === 0));
  for (const bad of [{ users: 0 }, { speed: -1 }, { speed: NaN }]) {
    assertThrows(() => scaleTraffic(TRAFFIC, bad), RangeError, "above 0");
  }
});
