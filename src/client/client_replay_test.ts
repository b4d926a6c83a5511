/** What becomes of requests whose worker ends. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EngineClient, type StartOptions } from "./client.ts";
import { EngineError, QuarantineError } from "../protocol/errors.ts";
import {
  type Behaviour,
  fakeRequest,
  FakeTimer,
  type FakeWorker,
  FakeWorkers,
  obedient,
  settle,
} from "../../tests/support/fake_workers.ts";
import type { GenerationRequest } from "../protocol/request.ts";

async function start(options: Partial<StartOptions> = {}, behave?: Behaviour) {
  const workers = new FakeWorkers(behave);
  const timer = new FakeTimer();
  const client = await EngineClient.start(workers.create, { path: "m.gguf", engine: {}, timer, ...options });
  return { client, workers, timer };
}

/** What a worker was asked to generate: ids with the tokens that were restored. */
function generated(worker: FakeWorker): [number, number[] | undefined][] {
  return worker.of("work").map(({ id, request }) => [id, request.restored]);
}

/** Loads only when the test says so, after the first worker. */
const patient: Behaviour = (message, worker) => {
  if (message.type !== "load" || worker.number === 1) obedient(message, worker);
};

Deno.test("EngineClient replaces a worker that dies and goes on where it was", async () => {
  const { client, workers } = await start();
  const first = client.generate(fakeRequest()), second = client.generate(fakeRequest());
  const dead = workers.at(0);
  dead.give(1, [5, 6]);
  dead.give(1, [7]);
  dead.die("out of luck");
  assertEquals(client.health(), {
    ready: false,
    workers: [{ state: "loading", silentMs: 0, lost: "out of luck" }],
    restarts: 1,
  });
  await settle();
  const next = workers.at(0);
  assert(dead.isTerminated && next !== dead);
  const [load] = next.of("load");
  assertEquals([load.shareFrom, load.orphans], [{ matrix: 1 }, [1]]);
  assertEquals(generated(next), [[1, [5, 6, 7]], [2, []]]);
  next.give(1, [8], "stop");
  next.give(2, [9], "length");
  assertEquals((await first.result).text, "5678");
  assertEquals((await second.result).text, "9");
  assertEquals(client.health(), { ready: true, workers: [{ state: "ready", silentMs: 0 }], restarts: 1 });
  await client.close();
});

Deno.test("EngineClient goes on with another worker at once, and the new one shares its weights again", async () => {
  const { client, workers } = await start({ workers: [{}, {}] });
  for (let i = 0; i < 4; i++) client.generate(fakeRequest({ prompt: { tokens: [i] }, maxTokens: 9 }));
  const [dead, survivor] = workers.all;
  const lost = dead.of("work").map(({ id }) => id);
  assertEquals(lost.length, 2);
  dead.give(lost[0], [3]);
  dead.die("out of luck");
  assertEquals(generated(survivor).slice(2), [[lost[0], [3]], [lost[1], []]]);
  await settle();
  assertEquals(workers.at(0).of("load")[0].shareFrom, { matrix: 1 });
  client.generate(fakeRequest({ prompt: { tokens: [9] }, maxTokens: 9 }));
  assertEquals(generated(workers.at(0)).length, 1);
  await client.close();
});

Deno.test("EngineClient keeps the order of what waited, before and after a worker died", async () => {
  const { client, workers } = await start({}, patient);
  for (let i = 0; i < 3; i++) client.generate(fakeRequest());
  workers.at(0).die("out of luck");
  client.generate(fakeRequest());
  client.generate(fakeRequest());
  workers.at(0).loaded();
  await settle();
  assertEquals(generated(workers.at(0)), [[1, []], [2, []], [3, []], [4, undefined], [5, undefined]]);
  workers.at(0).die("out of luck again");
  workers.at(0).loaded();
  await settle();
  assertEquals(generated(workers.at(0)).map(([id]) => id), [1, 2, 3, 4, 5]);
  await client.close();
});

Deno.test("EngineClient does not listen to a worker that was given up", async () => {
  const { client, workers } = await start();
  const generation = client.generate(fakeRequest());
  const dead = workers.at(0);
  dead.give(1, [5]);
  dead.die("out of luck");
  dead.give(1, [6]);
  await settle();
  dead.give(1, [6], "stop");
  dead.die("out of luck");
  assertEquals(generated(workers.at(0)), [[1, [5]]]);
  workers.at(0).give(1, [6], "stop");
  const { text, usage } = await generation.result;
  assertEquals([text, usage.completionTokens], ["56", 2]);
  assertEquals(client.health().restarts, 1);
  await client.close();
});

Deno.test("EngineClient tries suspects one by one and quarantines the one that workers die of", async () => {
  const { client, workers } = await start();
  const answers = [1, 2, 3, 4].map(() => client.generate(fakeRequest()));
  let worker = workers.at(0);
  // The second one is the culprit, the fourth still waits.
  worker.beginStep(1, 2, 3);
  worker.die("divided by zero");
  await settle();
  worker = workers.at(0);
  assertEquals(generated(worker).map(([id]) => id), [1, 4]);
  worker.give(1, [10]);
  assertEquals(generated(worker).map(([id]) => id), [1, 4, 2]);
  worker.beginStep(1, 2, 4);
  worker.die("divided by zero");
  const error = await assertRejects(() => answers[1].result, QuarantineError, "divided by zero");
  assertEquals((error as QuarantineError).deaths, 2);
  await settle();
  worker = workers.at(0);
  assertEquals(generated(worker).map(([id]) => id), [3, 1, 4]);
  for (const id of [1, 3, 4]) worker.give(id, [20 + id], "stop");
  const texts = await Promise.all([0, 2, 3].map(async (i) => (await answers[i].result).text));
  assertEquals(texts, ["1021", "23", "24"]);
  assertEquals(client.health().restarts, 2);
  await client.close();
});

Deno.test("EngineClient goes on with the next suspect when one ends, whatever way", async () => {
  const { client, workers } = await start();
  const abort = new AbortController();
  const answers = [1, 2, 3].map((i) =>
    client.generate(fakeRequest(), { signal: i === 1 ? abort.signal : undefined })
  );
  workers.at(0).beginStep(1, 2, 3);
  workers.at(0).die("out of luck");
  await settle();
  const worker = workers.at(0);
  abort.abort();
  assertEquals(worker.of("abort").map(({ id }) => id), [1]);
  worker.give(1, [], "abort");
  assertEquals(generated(worker).map(([id]) => id), [1, 2]);
  worker.say({
    type: "step",
    events: [{ id: 2, tokens: [], text: "", error: { name: "RangeError", message: "no" } }],
  });
  assertEquals(generated(worker).map(([id]) => id), [1, 2, 3]);
  worker.give(3, [1], "stop");
  assertEquals((await answers[0].result).finishReason, "abort");
  await assertRejects(() => answers[1].result, RangeError);
  assertEquals((await answers[2].result).text, "1");
  await client.close();
});

Deno.test("EngineClient accuses nobody when a worker dies between steps", async () => {
  const { client, workers } = await start({ restartsMax: 100 });
  const answer = client.generate(fakeRequest());
  for (let i = 0; i < 5; i++) {
    const worker = workers.at(0);
    worker.beginStep(1);
    worker.endStep();
    worker.die("out of luck");
    await settle();
  }
  workers.at(0).give(1, [1], "stop");
  assertEquals((await answer.result).text, "1");
  await client.close();
});

Deno.test("EngineClient repeats an abort that its worker did not live to see, or that came during the restart", async () => {
  const { client, workers } = await start({}, patient);
  const aborts = [new AbortController(), new AbortController()];
  const answers = aborts.map(({ signal }) => client.generate(fakeRequest(), { signal }));
  workers.at(0).give(1, [4]);
  aborts[0].abort();
  workers.at(0).die("out of luck");
  aborts[1].abort();
  const worker = workers.at(0);
  assertEquals(worker.of("abort"), []);
  worker.loaded();
  await settle();
  assertEquals(worker.sent.length, 3);
  assertEquals(worker.of("work").map(({ id, aborted }) => [id, aborted]), [[1, true], [2, true]]);
  worker.give(1, [], "abort");
  worker.give(2, [], "abort");
  const results = await Promise.all(answers.map(({ result }) => result));
  assertEquals(results.map(({ text, finishReason }) => [text, finishReason]), [["4", "abort"], [
    "",
    "abort",
  ]]);
  await client.close();
});

Deno.test("EngineClient asks again what a dead worker has not answered, but not for ever", async () => {
  const { client, workers } = await start({ workers: [{}, {}] }, (message, worker) => {
    if (worker.number > 2 && message.type === "stats") {
      worker.say({ type: "reply", id: message.id, value: { steps: worker.number } as never });
    }
    obedient(message, worker);
  });
  const [a, b] = workers.all;
  const stats = client.stats(), text = client.detokenize([1], false);
  b.say({ type: "reply", id: b.of("stats")[0].id, value: { steps: 2 } as never });
  const asked = (worker: FakeWorker) => worker.of("detokenize").length;
  assertEquals([asked(a), asked(b)], [1, 0]);
  a.die("out of luck");
  assertEquals([asked(a), asked(b)], [1, 1]);
  b.die("out of luck again");
  await assertRejects(() => text, QuarantineError, "out of luck again");
  const { workers: figures, restarts } = await stats;
  assertEquals([figures.map(({ steps }) => steps), restarts], [[3, 2], 2]);
  await client.close();
});

Deno.test("EngineClient reads the file when a second load is needed, and ends when that fails too", async () => {
  for (const isSecondGood of [true, false]) {
    const { client, workers } = await start({}, (message, worker) => {
      if (message.type === "load" && (worker.number === 2 || worker.number === 3 && !isSecondGood)) {
        worker.say({ type: "failed", error: { name: "ModelError", message: "stale id" } });
      } else obedient(message, worker);
    });
    const answer = client.generate(fakeRequest());
    workers.at(0).die("out of luck");
    await settle();
    assertEquals(workers.all.length, 3);
    const [load] = workers.at(0).of("load");
    assertEquals([load.shareFrom, load.orphans], [undefined, [1]]);
    if (isSecondGood) {
      workers.at(0).give(1, [1], "stop");
      assertEquals((await answer.result).text, "1");
    } else {
      await assertRejects(() => answer.result, EngineError, "stale id");
      assertThrows(() => client.generate(fakeRequest()), EngineError, "stale id");
      const lost = "a new worker cannot load the model: stale id";
      assertEquals(client.health().workers, [{ state: "dead", silentMs: 0, lost }]);
    }
    await client.close();
    assert(workers.all.every(({ isTerminated }) => isTerminated));
  }
});

Deno.test("EngineClient ends when workers die again and again before they complete a step", async () => {
  const { client, workers, timer } = await start({ restartsMax: 2, windowMs: 1000 });
  const answer = client.generate(fakeRequest());
  const die = async () => {
    workers.at(0).die("out of luck");
    await settle();
  };
  // A step in between, or enough time, and all is well.
  await die();
  await die();
  workers.at(0).give(1, [1]);
  await die();
  await die();
  timer.advance(1001);
  await die();
  await die();
  assertEquals(client.health().ready, true);
  await die();
  await assertRejects(() => answer.result, EngineError, "again and again");
  assertThrows(() => client.generate(fakeRequest()), EngineError, "again and again");
  await assertRejects(() => client.stats(), EngineError, "again and again");
  assertEquals(client.health().restarts, 6);
  await client.close();
});

Deno.test("EngineClient.close() during a restart waits until the dead worker's memory is freed", async () => {
  const { client, workers } = await start({}, patient);
  const answer = client.generate(fakeRequest());
  workers.at(0).die("out of luck");
  const worker = workers.at(0);
  const closing = client.close();
  await assertRejects(() => answer.result, EngineError, "closed");
  await settle();
  assertEquals(worker.of("close"), []);
  worker.loaded();
  await closing;
  assertEquals(worker.sent.map(({ type }) => type), ["load", "close"]);
  assertEquals(worker.isTerminated, true);
  assertEquals(workers.all.length, 2);
});

Deno.test("EngineClient tells the next worker how many tokens of a prompt have their scores", async () => {
  const { client, workers } = await start();
  const asked = client.generate(fakeRequest({ promptLogprobs: 0, maxTokens: 0 }));
  const scored = (id: number) => ({ id, text: "", bytes: [], logprob: null, rank: null, top: [] });
  const dead = workers.at(0);
  dead.say({
    type: "step",
    events: [{ id: 1, tokens: [], text: "", promptLogprobs: [scored(4), scored(5)] }],
  });
  dead.die("out of luck");
  await settle();
  const next = workers.at(0);
  const [{ request }] = next.of("work");
  assertEquals([(request as GenerationRequest).promptScored, request.restored], [2, []]);
  next.say({ type: "step", events: [{ id: 1, tokens: [], text: "", promptLogprobs: [scored(6)] }] });
  next.give(1, [], "length");
  assertEquals((await asked.result).promptLogprobs?.map(({ id }) => id), [4, 5, 6]);
  await client.close();
});
