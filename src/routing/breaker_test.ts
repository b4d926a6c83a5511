import { assert, assertEquals } from "@std/assert";
import { CircuitBreaker } from "./breaker.ts";

function failed(times: number, now = 0): CircuitBreaker {
  const breaker = new CircuitBreaker();
  for (let i = 0; i < times; i++) breaker.fail(now);
  return breaker;
}

Deno.test("CircuitBreaker opens after failures in a row, and lets one request try after a pause", () => {
  assertEquals(failed(2).stateAt(0), "closed");
  const breaker = failed(3);
  assertEquals([breaker.stateAt(0), breaker.allows(1999), breaker.waitMs(500)], ["open", false, 1500]);
  assertEquals([breaker.stateAt(2000), breaker.allows(2000)], ["half-open", true]);
  breaker.begin(2000);
  assert(!breaker.allows(2001), "one at a time");
  breaker.succeed();
  assertEquals([breaker.stateAt(2001), breaker.allows(2001), breaker.opened], ["closed", true, 1]);
});

Deno.test("CircuitBreaker waits twice as long each time, at most a minute, and forgets that with a success", () => {
  const breaker = failed(3);
  const pauses: number[] = [];
  for (let now = 0, i = 0; i < 8; i++) {
    const pause = breaker.waitMs(now);
    pauses.push(pause);
    now += pause;
    breaker.begin(now);
    breaker.fail(now);
  }
  assertEquals(pauses, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  breaker.succeed();
  for (let i = 0; i < 3; i++) breaker.fail(1e6);
  assertEquals(breaker.waitMs(1e6), 2000);
});

Deno.test("CircuitBreaker opens when half of the last requests failed, though never three in a row", () => {
  const breaker = new CircuitBreaker();
  for (let i = 0; i < 10; i++) {
    assert(breaker.allows(0), `${i}`);
    breaker.succeed();
    breaker.fail(0);
  }
  assertEquals(breaker.stateAt(0), "open");
});

Deno.test("CircuitBreaker takes an upstream's word that it is full, within reason, and no failure for it", () => {
  const breaker = new CircuitBreaker();
  for (let i = 0; i < 9; i++) breaker.beBusy(1000, 0);
  assertEquals([breaker.allows(999), breaker.allows(1000), breaker.stateAt(0)], [false, true, "closed"]);
  breaker.beBusy(1e12, 1000);
  assertEquals(breaker.waitMs(1000), 120_000);
});

Deno.test("CircuitBreaker lets another request try where the first one's client left, or was told to wait", () => {
  for (const end of [(b: CircuitBreaker) => b.forget(), (b: CircuitBreaker) => b.beBusy(0, 2000)]) {
    const breaker = failed(3);
    breaker.begin(2000);
    end(breaker);
    assertEquals([breaker.stateAt(2000), breaker.allows(2000)], ["half-open", true]);
  }
});

Deno.test("CircuitBreaker counts failures of requests that were under way when it opened only once", () => {
  const breaker = failed(9);
  assertEquals([breaker.opened, breaker.waitMs(0)], [1, 2000]);
});
