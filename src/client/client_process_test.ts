/** What is different where workers are processes: who is accused, and when the next one comes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { EngineClient, type StartOptions } from "./client.ts";
import { QuarantineError } from "../protocol/errors.ts";
import {
  type Behaviour,
  FAKE_INFO,
  fakeRequest,
  FakeTimer,
  type FakeWorker,
  FakeWorkers,
  obedient,
  settle,
} from "../../tests/support/fake_workers.ts";

/** Two short lives are forgiven. */
const BACK_OFF = { firstMs: 1000, mostMs: 4000, shortLifeMs: 5000 };

async function start(behave: Behaviour = obedient, options: Partial<StartOptions> = {}) {
  const workers = new FakeWorkers((message, worker) => behave(message, worker));
  const timer = new FakeTimer();
  const create = (slot: number) => {
    const worker = workers.create(slot);
    worker.isLocal = false;
    return worker;
  };
  const client = await EngineClient.start(create, {
    path: "m.gguf",
    engine: {},
    timer,
    shareWeights: false,
    backOff: BACK_OFF,
    ...options,
  });
  return { client, workers, timer };
}

/** What a worker was asked to generate: ids with the tokens that were restored. */
function generated(worker: FakeWorker): [number, number[] | undefined][] {
  return worker.of("work").map(({ id, request }) => [id, request.restored]);
}

Deno.test("EngineClient accuses nobody of the end of a process that was killed, however often that happens", async () => {
  const { client, workers, timer } = await start();
  const answer = client.generate(fakeRequest());
  const text = client.detokenize([1], false);
  for (let kill = 0; kill < 5; kill++) {
    timer.advance(10_000);
    const worker = workers.at(0);
    worker.beginStep(1);
    worker.give(1, [kill]);
    worker.die("it was killed", "nobody");
    await settle();
  }
  const last = workers.at(0);
  assertEquals([last.number, generated(last)], [6, [[1, [0, 1, 2, 3, 4]]]]);
  last.say({ type: "reply", id: last.of("detokenize")[0].id, value: "a" });
  last.give(1, [5], "stop");
  assertEquals([(await answer.result).text, await text], ["012345", "a"]);
  assertEquals((client.health()).restarts, 5);
  await client.close();
});

Deno.test("EngineClient gives a new process nothing of what the last one had in memory", async () => {
  const { client, workers } = await start();
  workers.at(0).die("it crashed");
  await settle();
  const [load] = workers.at(0).of("load");
  assertEquals([load.shareFrom, load.orphans], [undefined, undefined]);
  assertEquals(client.health().ready, true);
  await client.close();
});

Deno.test("EngineClient starts the next process later and later while lives are short, and tells it", async () => {
  const { client, workers, timer } = await start();
  const answer = client.generate(fakeRequest());
  /** Dies, and the number of the worker that is there then. */
  const die = async () => {
    workers.at(0).die("it was killed", "nobody");
    await settle();
    return workers.at(0).number;
  };
  assertEquals([await die(), client.health().ready], [2, true]);
  assertEquals(await die(), 2);
  const waiting = { state: "dead", silentMs: 0, lost: "it was killed" } as const;
  assertEquals(client.health(), { ready: false, workers: [{ ...waiting, restartInMs: 1000 }], restarts: 2 });
  // Who asks for figures does not wait for it.
  assertEquals((await client.stats()).workers, []);
  timer.advance(600);
  assertEquals(client.health().workers[0].restartInMs, 400);
  timer.advance(400);
  await settle();
  assertEquals([workers.at(0).number, client.health().workers], [3, [{ state: "ready", silentMs: 0 }]]);
  assertEquals([await die(), client.health().workers[0].restartInMs], [3, 2000]);
  timer.advance(2000);
  await settle();
  timer.advance(5000);
  assertEquals(await die(), 5);
  workers.at(0).give(1, [7], "stop");
  assertEquals((await answer.result).text, "7");
  await client.close();
});

Deno.test("EngineClient goes on trying where a new process cannot load the model, or loads another one", async () => {
  const { client, workers, timer } = await start((message, worker) => {
    if (message.type !== "load" || worker.number === 1 || worker.number > 4) return obedient(message, worker);
    if (worker.number < 4) {
      worker.say({ type: "failed", error: { name: "ModelError", message: "no memory" } });
    } else worker.say({ type: "loaded", info: { ...FAKE_INFO, fingerprint: "other" }, weights: {} });
  });
  const answer = client.generate(fakeRequest());
  timer.advance(10_000);
  workers.at(0).die("it was killed", "nobody");
  for (const [waitMs, lost] of [[0, "no memory"], [1000, "not the one that was"]]) {
    timer.advance(waitMs as number);
    await settle();
    const [worker] = client.health().workers;
    assert(worker.lost?.includes(lost as string), worker.lost);
    // Nothing is asked of a model that is not the same.
    assertEquals(generated(workers.at(0)).length, workers.at(0).number === 1 ? 1 : 0);
  }
  timer.advance(2000);
  await settle();
  assertEquals(generated(workers.at(0)), [[1, []]]);
  workers.at(0).give(1, [7], "stop");
  assertEquals((await answer.result).text, "7");
  await client.close();
});

Deno.test("EngineClient.close() does not wait for a process that is not started yet", async () => {
  const { client, workers } = await start();
  for (const _ of "12") {
    workers.at(0).die("it was killed", "nobody");
    await settle();
  }
  assert(client.health().workers[0].restartInMs !== undefined);
  await client.close();
  assertEquals(workers.all.length, 2);
  assert(workers.all.every(({ isTerminated }) => isTerminated));
});

Deno.test("EngineClient kills a process that is stuck in a step, and accuses those in it", async () => {
  const { client, workers, timer } = await start(obedient, { heartbeatMs: 1000, graceMs: 400 });
  const [stuck, other] = [client.generate(fakeRequest()), client.generate(fakeRequest())];
  for (let turn = 0; turn < 2; turn++) {
    const worker = workers.at(0);
    worker.beginStep(1);
    timer.advance(2000);
    assert(worker.isTerminated && worker.interrupts > 0);
    await settle();
    // The next one comes at once, or after its wait.
    timer.advance(1000);
    await settle();
  }
  await assertRejects(() => stuck.result, QuarantineError, "cannot be stopped");
  workers.at(0).give(2, [7], "stop");
  assertEquals((await other.result).text, "7");
  await client.close();
});

Deno.test("EngineClient clears a request that gets further, and at the second time only at its end", async () => {
  const { client, workers, timer } = await start();
  const answers = [1, 2, 3].map(() => client.generate(fakeRequest()));
  const crash = async (...ids: number[]) => {
    timer.advance(10_000);
    workers.at(0).beginStep(...ids);
    workers.at(0).die("it crashed");
    await settle();
    return generated(workers.at(0)).map(([id]) => id);
  };
  // The third one is in each step in which it crashes, a little further each time.
  assertEquals(await crash(1, 2, 3), [1]);
  for (const id of [1, 2, 3]) workers.at(0).give(id, [id]);
  assertEquals(generated(workers.at(0)).length, 3);
  assertEquals(await crash(1, 2, 3), [1]);
  workers.at(0).give(1, [1]);
  // It is still suspected, alone.
  assertEquals(generated(workers.at(0)).length, 1);
  workers.at(0).give(1, [1], "stop");
  workers.at(0).give(2, [2], "stop");
  assertEquals(generated(workers.at(0)).map(([id]) => id), [1, 2, 3]);
  workers.at(0).give(3, [3]);
  await crash(3);
  const error = await assertRejects(() => answers[2].result, QuarantineError);
  assertEquals((error as QuarantineError).deaths, 3);
  assertEquals([(await answers[0].result).text, (await answers[1].result).text], ["111", "22"]);
  await client.close();
});
