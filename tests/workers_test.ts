/** Several workers behind one model: the same texts as from one, whatever happens to the workers. */
import { assert, assertEquals } from "@std/assert";
import { type GenerationResult, loadModel, Model } from "../mod.ts";
import { EngineClient } from "../src/client/client.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { WorkerTransport } from "../src/client/transport.ts";

const REQUESTS = 20;

/** Twenty conversations at once, and how many tokens were delivered for each. */
async function converse(model: Model): Promise<{ results: GenerationResult[]; delivered: number[] }> {
  const delivered = new Array<number>(REQUESTS).fill(0);
  const results = await Promise.all(delivered.map((_, i) => {
    const content = i % 2 === 0 ? "Tell me a story." : `What is ${i} plus ${i + 3}?`;
    return model.chat([{ role: "user", content }], {
      seed: i,
      temperature: 1,
      maxTokens: 24,
      ignoreEnd: true,
      onTokens: (tokens) => delivered[i] += tokens.length,
    }).result;
  }));
  return { results, delivered };
}

/** The demo model in workers of one thread each; `address` gives the worker's module at each start. */
async function loadWorkers(workers: number, address?: (start: number) => string | undefined): Promise<Model> {
  let starts = 0;
  const create = () => {
    const url = address?.(starts++);
    return new WorkerTransport(url === undefined ? undefined : new URL(url, import.meta.url));
  };
  const client = await EngineClient.start(create, {
    path: await locateModel("demo"),
    engine: { threads: 1, contextLength: 256 },
    workers: new Array(workers).fill({}),
  });
  return new Model(client);
}

Deno.test("Model gives the same texts with one worker, with two, and when one of them dies in between", async () => {
  const texts = ({ results }: { results: GenerationResult[] }) => results.map(({ text }) => text);
  await using one = await loadWorkers(1);
  const expected = await converse(one);
  assert(new Set(texts(expected)).size > REQUESTS / 2);
  {
    await using two = await loadWorkers(2);
    assertEquals(texts(await converse(two)), texts(expected));
    const { workers, restarts } = await two.stats();
    assert(workers.every(({ steps }) => steps > 0));
    assertEquals([workers.length, restarts], [2, 0]);
  }
  await using mortal = await loadWorkers(
    2,
    (start) => start === 0 ? "./support/mortal_worker.ts?steps=9" : undefined,
  );
  const replayed = await converse(mortal);
  assertEquals(texts(replayed), texts(expected));
  assertEquals(replayed.delivered, replayed.results.map(({ usage }) => usage.completionTokens));
  const { restarts, quarantined, pending, workers } = await mortal.stats();
  assertEquals([restarts, quarantined, pending, workers.length], [1, 0, 0, 2]);
  const health = mortal.health();
  assertEquals([health.ready, health.workers.map(({ state }) => state)], [true, ["ready", "ready"]]);
});

Deno.test("Model goes on when its only worker dies, and the next one too", async () => {
  await using one = await loadWorkers(1);
  const { results: expected } = await converse(one);
  await using mortal = await loadWorkers(
    1,
    (start) => start < 2 ? `./support/mortal_worker.ts?steps=${5 + start}` : undefined,
  );
  const { results, delivered } = await converse(mortal);
  assertEquals(results.map(({ text }) => text), expected.map(({ text }) => text));
  assertEquals(delivered, results.map(({ usage }) => usage.completionTokens));
  assertEquals(mortal.health().restarts, 2);
});

Deno.test("loadModel() divides the machine between workers", async () => {
  const workers = Math.min(2, navigator.hardwareConcurrency);
  await using model = await loadModel("demo", { workers, threads: 1, contextLength: 256 });
  const { results } = await converse(model);
  assertEquals(results.length, REQUESTS);
  assertEquals((await model.stats()).workers.length, workers);
  assertEquals(model.info.threads, 1);
});
