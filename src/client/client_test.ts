import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { EngineClient } from "./client.ts";
import { EngineError, RefusedError } from "../protocol/errors.ts";
import type { Machine, ToEngine } from "../protocol/messages.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import {
  FAKE_INFO,
  fakeRequest,
  FakeWorker,
  FakeWorkers,
  obedient,
  settle,
} from "../../tests/support/fake_workers.ts";

const options = { path: "m.gguf", engine: {} };

Deno.test("EngineClient.start() gives the model's info and close() waits for the engine", async () => {
  const workers = new FakeWorkers();
  const client = await EngineClient.start(workers.create, options);
  assertEquals(client.info, FAKE_INFO);
  assertEquals(client.health(), { ready: true, workers: [{ state: "ready", silentMs: 0 }], restarts: 0 });
  await client.close();
  await client.close();
  assertEquals(workers.all.map(({ isTerminated }) => isTerminated), [true]);
  assertEquals(client.health().ready, false);
  assertThrows(() => client.generate(fakeRequest()), EngineError, "closed");
});

Deno.test("EngineClient.start() rejects with the engine's error and leaves nothing behind", async () => {
  for (const bad of [1, 2]) {
    const workers = new FakeWorkers((message, self) => {
      if (message.type === "load" && self.number === bad) {
        self.say({ type: "failed", error: { name: "ModelError", message: "bad" } });
      } else obedient(message, self);
    });
    const starting = EngineClient.start(workers.create, { ...options, workers: [{}, {}] });
    const error = await assertRejects(() => starting, Error, "bad");
    assertEquals((error as Error).name, "ModelError");
    assertEquals(workers.all.map(({ isTerminated }) => isTerminated), [true, true]);
  }
});

Deno.test("EngineClient.start() rejects with the signal's reason while loading", async () => {
  const controller = new AbortController();
  const workers = new FakeWorkers((message, self) => {
    if (message.type === "load") controller.abort(new DOMException("enough", "AbortError"));
    else obedient(message, self);
  });
  const starting = EngineClient.start(workers.create, { ...options, signal: controller.signal });
  await assertRejects(() => starting, DOMException, "enough");
  assertEquals(workers.all[0].isTerminated, true);
});

Deno.test("EngineClient.start() rejects when a worker dies, or when the caller's progress throws", async () => {
  const dying = new FakeWorkers((message, self) => {
    if (message.type === "load") self.die("no luck");
  });
  await assertRejects(() => EngineClient.start(dying.create, options), EngineError, "no luck");
  const telling = new FakeWorkers((message, self) => {
    if (message.type === "load") self.say({ type: "progress", doneBytes: 1, totalBytes: 2 });
    else obedient(message, self);
  });
  const progress = () => {
    throw new RangeError("too slow for me");
  };
  await assertRejects(() => EngineClient.start(telling.create, { ...options, progress }), RangeError);
  assertEquals(telling.all[0].isTerminated, true);
});

/** Loads `workers` and gives what each was asked to load, and the progress. */
async function load(workers: EngineOptions[], shareWeights?: boolean) {
  const seen: number[][] = [];
  const fakes = new FakeWorkers((message, self) => {
    if (message.type === "load" && message.shareFrom === undefined) {
      self.say({ type: "progress", doneBytes: 50, totalBytes: 100 });
      self.say({ type: "progress", doneBytes: 100, totalBytes: 100 });
    }
    obedient(message, self);
  });
  const progress = (done: number, total: number) => seen.push([done, total]);
  await using _client = await EngineClient.start(fakes.create, {
    ...options,
    workers,
    shareWeights,
    progress,
  });
  const loads = fakes.all.map((fake) => fake.of("load")[0]);
  return { seen, sources: loads.map(({ shareFrom }) => shareFrom?.matrix), loads };
}

Deno.test("EngineClient.start() reads the file once and shares it, once for each node, or once for each worker", async () => {
  const shared = await load([{ threads: 1 }, { threads: 2 }]);
  assertEquals(shared.sources, [undefined, 1]);
  assertEquals(shared.loads.map((each) => each.options.threads), [1, 2]);
  assertEquals(shared.seen, [[50, 100], [100, 100]]);

  const nodes = await load([{ numaNode: 0 }, { numaNode: 1 }, { numaNode: 1 }]);
  assertEquals(nodes.sources, [undefined, undefined, 2]);
  assertEquals(nodes.seen, [[50, 200], [100, 200], [150, 200], [200, 200]]);

  assertEquals((await load([{}, {}], false)).sources, [undefined, undefined]);
});

Deno.test("EngineClient.start() gives all workers the sizes that the first one found, and replacements whatever memory is left", async () => {
  const sizes = { contextLength: 20_000, kvTokens: 20_000 };
  const workers = new FakeWorkers((message, self) => {
    if (message.type !== "load") return obedient(message, self);
    self.say({ type: "loaded", info: { ...FAKE_INFO, ...sizes }, weights: { matrix: self.number } });
  });
  await using _client = await EngineClient.start(workers.create, {
    ...options,
    workers: [{}, { threads: 2 }],
  });
  const loads = () => workers.all.map((each) => each.of("load")[0].options);
  const second = { threads: 2, memorySharers: 2, ...sizes };
  assertEquals(loads(), [{ memorySharers: 2 }, second]);
  workers.at(1).die("no luck");
  await settle();
  assertEquals(loads()[2], { ...second, kv: { overcommit: true } });

  const alone = new FakeWorkers();
  await using _one = await EngineClient.start(alone.create, options);
  assertEquals(alone.at(0).of("load")[0].options, {});
});

Deno.test("EngineClient.start() lets the caller divide the machine that the first worker sees", async () => {
  const machine: Machine = { nodes: [{ id: 0, cpus: [0, 1] }], usable: 2 };
  const workers = new FakeWorkers((message, self) => {
    if (message.type === "machine") self.say({ type: "machine", machine });
    else obedient(message, self);
  });
  const divide = ({ nodes }: Machine) => nodes[0].cpus.map((cpu) => ({ cpus: [cpu] }));
  await using _client = await EngineClient.start(workers.create, { ...options, workers: divide });
  assertEquals(workers.all.map((each) => each.of("load")[0].options.cpus), [[0], [1]]);
  assertEquals(workers.all[0].sent.map(({ type }) => type), ["machine", "load"]);
});

Deno.test("EngineClient delivers steps to their requests and keeps errors apart", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, options);
  const good = client.generate(fakeRequest()), bad = client.generate(fakeRequest());
  const error = { name: "RangeError", message: "too long" };
  workers.at(0).say({ type: "step", events: [{ id: 2, tokens: [], text: "", error }] });
  workers.at(0).give(1, [7], "stop");
  assertEquals((await good.result).text, "7");
  assertInstanceOf(await bad.result.catch((error) => error), RangeError);
});

Deno.test("EngineClient interrupts a step once nobody wants what it computes, and no sooner", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, options);
  const aborts = [1, 2, 3].map(() => new AbortController());
  for (const { signal } of aborts) client.generate(fakeRequest(), { signal });
  await settle();
  const [worker] = workers.all;
  worker.beginStep(1, 2);
  aborts[2].abort();
  aborts[0].abort();
  assertEquals([worker.of("abort").length, worker.interrupts], [2, 0]);
  aborts[1].abort();
  assertEquals([worker.of("abort").length, worker.interrupts], [3, 1]);
  for (const id of [1, 2, 3]) worker.give(id, [], "abort");
});

Deno.test("EngineClient sends an abort for a signal; a request nobody wants by then says so itself", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, options);
  client.generate(fakeRequest(), { signal: AbortSignal.abort() });
  const controller = new AbortController();
  client.generate(fakeRequest(), { signal: controller.signal });
  controller.abort();
  const { sent, interrupts } = workers.at(0);
  assertEquals(sent.map(({ type }) => type), ["load", "work", "work", "abort"]);
  assertEquals(workers.at(0).of("work").map(({ aborted }) => aborted), [true, undefined]);
  assertEquals(interrupts, 1);
});

Deno.test("EngineClient fails a request whose message cannot be sent, and only that one", async () => {
  class Picky extends FakeWorker {
    override post(message: ToEngine): void {
      if (message.type === "work" && message.request.tenant === "odd") throw new TypeError("no clone");
      super.post(message);
    }
  }
  const worker = new Picky(0, 1, obedient);
  await using client = await EngineClient.start(() => worker, options);
  const odd = client.generate(fakeRequest({ tenant: "odd" })), plain = client.generate(fakeRequest());
  await assertRejects(() => odd.result, TypeError, "no clone");
  worker.give(2, [1], "stop");
  assertEquals((await plain.result).text, "1");
});

Deno.test("EngineClient spreads requests over workers, and keeps prompts that begin alike together", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, { ...options, workers: [{}, {}] });
  for (let i = 0; i < 6; i++) {
    client.generate(fakeRequest({ prompt: { tokens: [i] }, maxTokens: 100 }));
  }
  const [a, b] = workers.all;
  assertEquals([a, b].map((each) => each.of("work").length), [3, 3]);

  const system = { role: "system", content: "Be brief and kind. ".repeat(200) };
  const chat = (content: string) =>
    fakeRequest({ prompt: { messages: [system, { role: "user", content }] } });
  client.generate({ ...chat("one"), maxTokens: 10 });
  const home = a.of("work").length === 4 ? a : b;
  home.give(7, [1]);
  for (const content of ["two", "three"]) client.generate({ ...chat(content), maxTokens: 10 });
  assertEquals(home.of("work").slice(3).map(({ id }) => id), [7, 8, 9]);
});

Deno.test("EngineClient asks any worker about tokens and every worker about itself", async () => {
  const workers = new FakeWorkers((message, self) => {
    const { type } = message;
    if (type === "tokenize") self.say({ type: "reply", id: message.id, value: [message.text.length] });
    if (type === "detokenize") {
      self.say({ type: "reply", id: message.id, error: { name: "RangeError", message: "none" } });
    }
    if (type === "stats") self.say({ type: "reply", id: message.id, value: { steps: self.number } as never });
    obedient(message, self);
  });
  await using client = await EngineClient.start(workers.create, { ...options, workers: [{}, {}] });
  assertEquals(await client.tokenize("abc", { addSpecial: true, parseSpecial: false }), [3]);
  await assertRejects(() => client.detokenize([1], false), RangeError, "none");
  client.generate(fakeRequest());
  const { workers: figures, ...rest } = await client.stats();
  assertEquals(figures.map(({ steps }) => steps), [1, 2]);
  assertEquals(rest, { restarts: 0, quarantined: 0, pending: 1 });
});

Deno.test("EngineClient.close() ends what is pending", async () => {
  const workers = new FakeWorkers();
  const client = await EngineClient.start(workers.create, { ...options, workers: [{}, {}] });
  const generation = client.generate(fakeRequest());
  const tokens = client.tokenize("a", { addSpecial: true, parseSpecial: false });
  const closing = client.close();
  await assertRejects(() => generation.result, EngineError, "closed");
  await assertRejects(() => tokens, EngineError, "closed");
  await closing;
  await settle();
  assert(workers.all.every(({ isTerminated }) => isTerminated));
});

Deno.test("EngineClient refuses at once what a worker has said it would refuse", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, options);
  const [worker] = workers.all;
  const first = client.generate(fakeRequest());
  const tell = (places: number, asked: number) =>
    worker.say({
      type: "step",
      events: [],
      outlook: [{ name: "interactive", priority: 0, places, placesTokens: 1000, asked }],
    });
  tell(1, 1);
  const second = client.generate(fakeRequest()), third = client.generate(fakeRequest());
  assertInstanceOf(await third.result.catch((error) => error), RefusedError);
  assertEquals([worker.of("work").length, worker.of("refused").length], [2, 1]);
  tell(1, 2);
  const fourth = client.generate(fakeRequest());
  for (const id of [1, 2, 4]) worker.give(id, [id], "stop");
  for (const { result } of [first, second, fourth]) assertEquals((await result).finishReason, "stop");
});

Deno.test("EngineClient takes a share of what it would refuse, where refusals are to be judged", async () => {
  const workers = new FakeWorkers();
  await using client = await EngineClient.start(workers.create, {
    ...options,
    overrule: { share: 0.5, seed: 1 },
  });
  const [worker] = workers.all;
  worker.say({
    type: "step",
    events: [],
    outlook: [{ name: "interactive", priority: 0, places: 0, placesTokens: 0, asked: 0 }],
  });
  const results = Array.from({ length: 40 }, () => client.generate(fakeRequest()).result.catch(() => null));
  const sent = worker.of("work");
  assert(sent.length > 10 && sent.length < 30, `${sent.length} of 40`);
  assertEquals(worker.of("refused").length, 40 - sent.length, "who is taken is not counted as refused");
  for (const { id, request } of sent) {
    assertEquals(request.overrule, { reason: "queue-full" });
    worker.give(id, [id], "stop");
  }
  assertEquals((await Promise.all(results)).filter((result) => result !== null).length, sent.length);
});
