/** Workers that show no sign of life: dead without a word, or stuck in native code. */
import { assertEquals, assertRejects } from "@std/assert";
import { EngineClient, type StartOptions } from "./client.ts";
import { EngineError } from "../protocol/errors.ts";
import {
  type Behaviour,
  fakeRequest,
  FakeTimer,
  FakeWorkers,
  obedient,
  settle,
} from "../../tests/support/fake_workers.ts";

const HEARTBEAT_MS = 1000, GRACE_MS = 400;

async function start(options: Partial<StartOptions> = {}, behave?: Behaviour) {
  const workers = new FakeWorkers(behave);
  const timer = new FakeTimer();
  const stuck: string[] = [];
  const client = await EngineClient.start(workers.create, {
    path: "m.gguf",
    engine: {},
    timer,
    heartbeatMs: HEARTBEAT_MS,
    graceMs: GRACE_MS,
    onStuck: (reason) => stuck.push(reason),
    ...options,
  });
  return { client, workers, timer, stuck };
}

Deno.test("EngineClient replaces a worker that is silent between steps, but not one that has nothing to do", async () => {
  const { client, workers, timer, stuck } = await start();
  timer.advance(10 * HEARTBEAT_MS);
  assertEquals(workers.all.length, 1);
  const answer = client.generate(fakeRequest());
  workers.at(0).give(1, [3]);
  timer.advance(HEARTBEAT_MS);
  assertEquals(client.health().workers, [{ state: "ready", silentMs: HEARTBEAT_MS }]);
  timer.advance(HEARTBEAT_MS);
  await settle();
  const [load] = workers.at(0).of("load");
  assertEquals([workers.all.length, load.shareFrom, load.orphans], [2, { matrix: 1 }, [1]]);
  workers.at(0).give(1, [4], "stop");
  assertEquals((await answer.result).text, "34");
  assertEquals(stuck, []);
  await client.close();
});

Deno.test("EngineClient takes beats and messages as signs of life, and its own absence not as silence", async () => {
  const { client, workers, timer } = await start();
  client.generate(fakeRequest());
  for (let i = 0; i < 20; i++) {
    timer.advance(HEARTBEAT_MS * 0.9);
    if (i % 2 === 0) workers.at(0).beat();
    else workers.at(0).give(1, [i]);
  }
  for (let i = 0; i < 3; i++) timer.sleep(100 * HEARTBEAT_MS);
  assertEquals(workers.all.length, 1);
  timer.advance(2 * HEARTBEAT_MS);
  assertEquals(workers.all.length, 2);
  await settle();
  await client.close();
});

Deno.test("EngineClient does not free what a worker that is silent while it loads may be using", async () => {
  const { client, workers, timer } = await start({}, (message, worker) => {
    if (message.type !== "load" || worker.number !== 2) obedient(message, worker);
  });
  const answer = client.generate(fakeRequest());
  workers.at(0).die("out of luck");
  timer.advance(2 * HEARTBEAT_MS);
  await settle();
  assertEquals(workers.all.length, 3);
  const [load] = workers.at(0).of("load");
  assertEquals([load.shareFrom, load.orphans], [undefined, [1]]);
  workers.at(0).give(1, [1], "stop");
  assertEquals((await answer.result).text, "1");
  await client.close();
});

Deno.test("EngineClient asks a worker that is silent in a step to interrupt it, and waits once more", async () => {
  const { client, workers, timer, stuck } = await start();
  const answer = client.generate(fakeRequest());
  const worker = workers.at(0);
  worker.beginStep(1);
  timer.advance(HEARTBEAT_MS);
  assertEquals(worker.interrupts, 0);
  timer.advance(GRACE_MS);
  assertEquals(worker.interrupts, 1);
  worker.beat();
  timer.advance(HEARTBEAT_MS);
  assertEquals([client.health().ready, stuck], [true, []]);
  worker.endStep();
  worker.give(1, [1], "stop");
  assertEquals((await answer.result).text, "1");
  await client.close();
});

Deno.test("EngineClient fails what a stuck worker has, reports it, and recovers when it comes back", async () => {
  const { client, workers, timer, stuck } = await start();
  const answer = client.generate(fakeRequest());
  const worker = workers.at(0);
  worker.beginStep(1);
  const stats = client.stats();
  timer.advance(HEARTBEAT_MS + 2 * GRACE_MS);
  assertEquals(client.health().workers.map(({ state }) => state), ["stuck"]);
  assertEquals([client.health().ready, stuck.length], [false, 1]);
  await assertRejects(() => answer.result, EngineError, "stuck");
  assertEquals((await stats).workers, []);
  await assertRejects(() => client.generate(fakeRequest()).result, EngineError, "stuck");
  // It frees its own memory, and nothing of it is left to share or to free.
  worker.beat();
  timer.advance(GRACE_MS);
  await settle();
  assertEquals(worker.of("close").length, 1);
  const [load] = workers.at(0).of("load");
  assertEquals([load.shareFrom, load.orphans, client.health().ready], [undefined, undefined, true]);
  const next = client.generate(fakeRequest());
  workers.at(0).give(4, [1], "stop");
  assertEquals((await next.result).text, "1");
  await client.close();
});

Deno.test("EngineClient gives what a stuck worker has to another one", async () => {
  const { client, workers, timer, stuck } = await start({ workers: [{}, {}] });
  const answer = client.generate(fakeRequest());
  const [worker, other] = workers.all[0].of("work").length === 1 ? workers.all : workers.all.toReversed();
  worker.give(1, [8]);
  worker.beginStep(1);
  timer.advance(HEARTBEAT_MS + 2 * GRACE_MS);
  assertEquals([client.health().ready, stuck.length, workers.all.length], [false, 1, 2]);
  worker.give(1, [0], "stop");
  assertEquals(other.of("work")[0].request.restored, [8]);
  other.give(1, [9], "stop");
  assertEquals((await answer.result).text, "89");
  await client.close();
});

Deno.test("EngineClient.close() does not wait for a stuck worker, and not for ever for a silent one", async () => {
  const hung: Behaviour = (message, worker) => {
    if (message.type !== "close") obedient(message, worker);
  };
  const { client, workers, timer, stuck } = await start({ workers: [{}, {}, {}] }, hung);
  client.generate(fakeRequest());
  const [first, second] = workers.all;
  first.beginStep(1);
  timer.advance(HEARTBEAT_MS + 2 * GRACE_MS);
  assertEquals(client.health().workers[0].state, "stuck");
  second.beginStep(1);
  const closing = client.close();
  assertEquals([first, second].map(({ isTerminated }) => isTerminated), [true, false]);
  timer.advance(HEARTBEAT_MS + 2 * GRACE_MS);
  await closing;
  assertEquals(workers.all.map(({ isTerminated }) => isTerminated), [true, true, true]);
  assertEquals(stuck.length, 2);
});
