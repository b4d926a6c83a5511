import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { FakeMemory, sharedModels } from "../../../tests/support/shared_models.ts";
import { ApiError } from "../api_error.ts";
import type { Wish } from "../models.ts";
import type { SharedModels } from "./shared_models.ts";

const wish = (more: Partial<Wish> = {}): Wish => ({ startedAt: performance.now(), ...more });

/** Until nothing is on its way in or out. */
async function settled(models: SharedModels): Promise<void> {
  const isMoving = () => models.list().some(({ state }) => state === "loading" || state === "unloading");
  do await new Promise((resolve) => setTimeout(resolve, 1)); while (isMoving());
}

async function refusal(promise: PromiseLike<unknown> | (() => unknown)): Promise<ApiError> {
  if (typeof promise === "function") return assertThrows(promise, ApiError);
  return await assertRejects(() => Promise.resolve(promise), ApiError);
}

Deno.test("SharedModels load a model once for all who ask at the same time", async () => {
  const memory = new FakeMemory({ a: 60, b: 30 }, 100);
  const models = sharedModels(memory);
  const leases = await Promise.all(Array.from({ length: 50 }, () => models.lease("a", wish())));
  assertEquals([memory.log, memory.measures], [["+a"], 1]);
  assertEquals(models.find("a").uses, 50);
  assert(leases.every(({ host }) => host === leases[0].host));
  assert(!(models.lease("a", wish()) instanceof Promise), "what is in memory is had at once");
  await models.close();
});

Deno.test("SharedModels give the room of what was used longest ago, and never of what is in use", async () => {
  const memory = new FakeMemory({ a: 40, b: 40, c: 40 }, 100);
  const models = sharedModels(memory);
  const a = await models.lease("a", wish());
  (await models.lease("b", wish()))[Symbol.dispose]();
  a[Symbol.dispose]();
  const c = await models.lease("c", wish());
  assertEquals(memory.log, ["+a", "+b", "-b", "+c"]);
  const again = await models.lease("a", wish());
  memory.use("a", 1);
  memory.use("c", 1);
  const waiting = models.lease("b", wish());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([memory.log.length, models.find("b").state], [4, "waiting"]);
  memory.use("c", -1);
  c[Symbol.dispose]();
  c[Symbol.dispose]();
  const b = await waiting;
  assertEquals(memory.log.slice(4), ["-c", "+b"]);
  memory.use("a", -1);
  b[Symbol.dispose]();
  again[Symbol.dispose]();
  await models.close();
  assertEquals(memory.heldMib, 0);
});

Deno.test("SharedModels refuse with figures what cannot fit, and at a deadline what could not in time", async () => {
  const memory = new FakeMemory({ a: 60, b: 50, d: 101 }, 100);
  const models = sharedModels(memory);
  const large = await refusal(models.lease("d", wish()) as Promise<unknown>);
  assertEquals([large.status, large.code], [503, "model_too_large"]);
  assertStringIncludes(large.message, "needs 101 MiB and the models of this server may use 100 MiB");
  const a = await models.lease("a", wish());
  const late = await refusal(models.lease("b", wish({ deadlineMs: 30 })) as Promise<unknown>);
  assertEquals([late.status, late.code], [503, "no_room"]);
  assertStringIncludes(late.message, 'needs 50 MiB, and 40 MiB of 100 MiB are free: "a" (60 MiB, 1 request)');
  // Nobody wants its room any more.
  const again = models.lease("a", wish());
  assert(!(again instanceof Promise));
  for (const lease of [a, again]) lease[Symbol.dispose]();
  assertEquals(memory.log, ["+a"]);
  await models.close();
});

Deno.test("SharedModels wait as long as the class of a request has it", async () => {
  const memory = new FakeMemory({ a: 10 }, 100);
  memory.gate = new Promise(() => {});
  const [interactive, batch] = [{ ttftSloMs: 20 }, {}].map((more, i) => ({
    ...{ name: `c${i}`, priority: -i, maxBatch: 1, maxWaitMs: 0, preemptible: true, ...more },
    queueLimit: { requests: 2, tokens: 100 },
  }));
  const models = sharedModels(memory, { load: { classes: [interactive, batch] }, loadWaitMs: 60 });
  const ends: string[] = [];
  const ask = async (name: string, more: Partial<Wish> = {}) => {
    const { code } = await refusal(models.lease("a", wish({ class: name, ...more })) as Promise<unknown>);
    ends.push(`${name} ${code}`);
  };
  const asked = [ask("c1"), ask("c0"), ask("c0", { deadlineMs: 40 }), ask("c1", { deadlineMs: 150 })];
  assertEquals((await refusal(() => models.lease("a", wish({ class: "c0" })))).code, "queue_full");
  await Promise.all(asked);
  assertEquals(ends, ["c0 loading", "c0 loading", "c1 loading", "c1 loading"]);
  await models.close();
});

Deno.test("SharedModels say why a model cannot be loaded, not where it lies, and the others go on", async () => {
  const memory = new FakeMemory({ "/secret/a.gguf": 10, b: 10 }, 100);
  const named = [{ name: "a", model: "/secret/a.gguf" }, { name: "b", model: "b" }];
  const notes: string[] = [];
  const models = sharedModels(memory, { models: named, note: (text) => notes.push(text) });
  memory.errors.set("/secret/a.gguf", new Error("/secret/a.gguf: no magic bytes, see /home/me/x"));
  const b = await models.lease("b", wish());
  const errors = await Promise.all([0, 1].map(() => refusal(models.lease("a", wish()) as Promise<unknown>)));
  for (const { status, code, message } of errors) {
    assertEquals([status, code], [503, "load_failed"]);
    assertEquals(message, 'The model "a" could not be loaded: its file: no magic bytes, see …');
  }
  assert(
    notes.some((note) => note.includes("/secret/a.gguf: no magic bytes")),
    "who runs the server sees it all",
  );
  assertEquals(models.find("a").state, "failed");
  // Not tried again with each request.
  assertEquals((await refusal(() => models.lease("a", wish()))).code, "load_failed");
  assertEquals(memory.measures, 2);
  assert(!(models.lease("b", wish()) instanceof Promise));
  assertEquals(b.host.readiness().ready, true);
  await models.close();
});

Deno.test("SharedModels try a model again after a while, and give its room back where loading fails", async () => {
  const memory = new FakeMemory({ a: 80, b: 80 }, 100);
  const models = sharedModels(memory);
  memory.errors.set("load a", new Error("the file ends too early"));
  assertEquals((await refusal(models.lease("a", wish()) as Promise<unknown>)).code, "load_failed");
  assertEquals(memory.heldMib, 0);
  (await models.lease("b", wish()))[Symbol.dispose]();
  memory.errors.clear();
  let lease;
  while (lease === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (models.find("a").state !== "failed") lease = await models.lease("a", wish());
  }
  assertEquals([models.find("a").state, models.find("a").problem], ["ready", undefined]);
  await models.close();
});

Deno.test("SharedModels let models leave after their time, as requests have it, or when they are told to", async () => {
  const memory = new FakeMemory({ a: 10, b: 10 }, 100);
  const models = sharedModels(memory, { keepAliveMs: 1 });
  (await models.lease("a", wish()))[Symbol.dispose]();
  while (models.find("a").state !== "unloaded") await settled(models);
  assertEquals(memory.log, ["+a", "-a"]);
  (await models.lease("b", wish({ keepAliveMs: Infinity })))[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([models.find("b").state, models.find("b").leavesAt], ["ready", undefined]);
  const lease = await models.lease("b", wish({ keepAliveMs: Infinity }));
  assertEquals(models.dismiss("b"), true);
  assertEquals(models.find("b").state, "ready", "it is in use");
  lease[Symbol.dispose]();
  await settled(models);
  assertEquals([models.find("b").state, memory.log], ["unloaded", ["+a", "-a", "+b", "-b"]]);
  assertEquals(models.dismiss("a"), true, "it is not there, and is not loaded for that");
  assertEquals(memory.log.length, 4);
  assertEquals((await refusal(() => models.dismiss("x"))).status, 404);
  await models.close();
});

Deno.test("SharedModels forget a request whose client has left, and load nothing for nobody", async () => {
  const memory = new FakeMemory({ a: 60, b: 60 }, 100);
  const models = sharedModels(memory);
  const a = await models.lease("a", wish());
  let leave = () => {};
  const onLeft = (listener: () => void) => {
    leave = listener;
    return () => {};
  };
  const gone = refusal(models.lease("b", wish({ onLeft })) as Promise<unknown>);
  await new Promise((resolve) => setTimeout(resolve, 5));
  leave();
  assertEquals((await gone).code, "client_left");
  a[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([memory.log, models.find("b").state], [["+a"], "unloaded"]);
  const early = refusal(
    models.lease(
      "b",
      wish({
        onLeft: (listener) => {
          listener();
          return () => {};
        },
      }),
    ) as Promise<unknown>,
  );
  assertEquals((await early).code, "client_left");
  await models.close();
});

Deno.test("SharedModels that are to end stop loading, and those who wait hear of it", async () => {
  const memory = new FakeMemory({ a: 10, b: 10 }, 100);
  const models = sharedModels(memory);
  const b = await models.lease("b", wish());
  memory.gate = new Promise(() => {});
  const waiting = refusal(models.lease("a", wish()) as Promise<unknown>);
  while (memory.log.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  models.drain();
  assertEquals([(await waiting).status, (await waiting).code], [503, "draining"]);
  assertEquals((await refusal(() => models.lease("b", wish()))).code, "draining");
  assertEquals(models.readiness().state, "draining");
  assertEquals(memory.log, ["+b", "+a"], "what is in use is not taken away");
  b[Symbol.dispose]();
  await models.close();
  assertEquals([memory.log, memory.heldMib], [["+b", "+a", "-b"], 0]);
});

Deno.test("three models that do not fit together, under a storm of requests: none is lost, memory is never above", async () => {
  const memory = new FakeMemory({ a: 70, b: 40, c: 50 }, 100);
  const models = sharedModels(memory);
  let served = 0;
  const use = async (name: string, ms: number) => {
    using _lease = await models.lease(name, wish({ class: "batch" }));
    memory.use(name, 1);
    await new Promise((resolve) => setTimeout(resolve, ms));
    memory.use(name, -1);
    served++;
  };
  const uses = Array.from({ length: 400 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i % 97));
    await use("abc"[i * 7 % 3], i % 5);
  });
  await Promise.all(uses);
  assertEquals(served, 400);
  const loads = memory.log.filter((each) => each.startsWith("+")).length;
  assert(loads > 3 && loads < 200, `${loads} loads`);
  await models.close();
  assertEquals(memory.heldMib, 0);
});
