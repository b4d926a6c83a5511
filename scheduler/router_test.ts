import { assert, assertEquals } from "@std/assert";
import { Router } from "./mod.ts";

function request(id: number, tokens: readonly number[], { tenant = "", priority = 0 } = {}) {
  return { id, tenant, priority, tokens, expectedTokens: 10 };
}

const PREFIX = Array.from({ length: 512 }, (_, i) => i);

function create(workers = 2): Router {
  const router = new Router();
  for (let worker = 0; worker < workers; worker++) router.addWorker(worker);
  return router;
}

Deno.test("Router.route() spreads work that shares nothing", () => {
  const router = create();
  const chosen = [1, 2, 3, 4].map((id) => router.route(request(id, [id, id, id])));
  assertEquals(chosen.toSorted(), [0, 0, 1, 1]);
  assertEquals(new Router().route(request(1, [1])), null);
});

Deno.test("Router.route() goes where the prefix is, for the same tenant, unless too much waits there", () => {
  const router = create();
  const home = router.route(request(1, PREFIX, { tenant: "a" }));
  router.progress(1, 10);
  assertEquals(router.route(request(2, [...PREFIX, 1], { tenant: "a" })), home);
  assert(router.route(request(3, [...PREFIX, 1], { tenant: "b" })) !== home);
  for (let id = 10; id < 30; id++) router.route(request(id, [...PREFIX, id], { tenant: "a" }));
  assert(
    Math.abs(router.costOf(0) - router.costOf(1)) < 2 * PREFIX.length,
    `${router.costOf(0)} ${router.costOf(1)}`,
  );
});

Deno.test("Router.route() counts units of a text as the tokens that they will be", () => {
  const router = create();
  const units = PREFIX.slice(0, 256);
  const home = router.route({ ...request(1, units), unitsPerToken: 4 });
  assertEquals(router.costOf(home!), 64 + 4 * 10);
  router.progress(1, 0);
  const next = { ...request(2, [...units, 7, 7, 7, 7]), unitsPerToken: 4 };
  assertEquals(router.route(next), home);
  assertEquals(router.costOf(home!), 1 + 4 * 10);
  const short = { ...request(3, units.slice(0, 64)), unitsPerToken: 4 };
  assert(router.route(short) !== home);
});

Deno.test("Router.route() lets work of lower priority count little", () => {
  const router = create();
  const bulk = router.route(request(1, PREFIX));
  const urgent = router.route(request(2, PREFIX.slice(0, 300).toReversed(), { priority: 10 }));
  assert(urgent !== bulk);
  assertEquals(router.route(request(3, [1, 2, 3], { priority: 10 })), bulk);
});

Deno.test("Router.end() takes the work off", () => {
  const router = create(1);
  router.route(request(1, [1, 2, 3]));
  router.progress(1, 4);
  assertEquals(router.costOf(0), 16);
  router.end(1);
  router.end(1);
  assertEquals(router.costOf(0), 0);
});

Deno.test("Router.loseWorker() replays, and quarantines what two workers died of", () => {
  const router = create(1);
  for (const id of [1, 2]) router.route(request(id, [id]));
  assert(router.owns(0, 1));
  assertEquals(router.loseWorker(0, [1]), { replay: [1, 2], quarantined: [] });
  assert(!router.owns(0, 1));
  router.addWorker(7);
  for (const id of [1, 2]) assertEquals(router.route(request(id, [id])), 7);
  assertEquals(router.loseWorker(7, [1]), { replay: [2], quarantined: [1] });
});

Deno.test("Router.promptTokens() leaves out what the worker probably has", () => {
  const router = create(1);
  router.route(request(1, PREFIX));
  router.route(request(2, [...PREFIX, 1, 2]));
  assertEquals([1, 2, 3].map((id) => router.promptTokens(id)), [512, 2, 0]);
  router.end(2);
  assertEquals(router.promptTokens(2), 0);
});
