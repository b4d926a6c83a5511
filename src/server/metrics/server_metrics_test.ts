import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { engineOf, FakeRunner, finish, request } from "../../../tests/support/fake_model.ts";
import type { Health, ModelStats } from "../../client/client.ts";
import { LIBRARY_CLASSES } from "../../protocol/classes.ts";
import { VERSION } from "../../protocol/version.ts";
import { queueReport } from "./queue_report.ts";
import { ServerMetrics } from "./server_metrics.ts";

const HEALTH: Health = {
  ready: true,
  restarts: 2,
  workers: [{ state: "stuck", silentMs: 3000 }, { state: "ready", silentMs: 0 }],
};

/** Figures of a worker that has computed two requests and computes a third. */
function modelStats(): ModelStats {
  const classes = LIBRARY_CLASSES.map((each) => ({ ...each, maxWaitMs: 0 }));
  const engine = engineOf(new FakeRunner(128, 256), { classes });
  engine.add(1, request("HELLO", { maxTokens: 3 }));
  engine.add(2, request("A", { maxTokens: 2, class: "batch" }));
  finish(engine);
  engine.add(3, request("B".repeat(20)));
  engine.step();
  engine.add(4, request("C".repeat(9)));
  return { workers: [{ worker: 1, ...engine.stats() }], restarts: 2, quarantined: 1, pending: 2 };
}

function metricsOf(stats: () => Promise<ModelStats>, now = () => 0): ServerMetrics {
  const source = () => ({ stats, health: () => HEALTH });
  return new ServerMetrics({ modelName: "m", classes: LIBRARY_CLASSES, source, patienceMs: 1, now });
}

Deno.test("ServerMetrics.scrape() tells what workers say, by their place", async () => {
  const text = await metricsOf(() => Promise.resolve(modelStats())).scrape();
  for (
    const line of [
      'vllm:num_requests_running{model_name="m",engine="1",class="interactive"} 1',
      'vllm:num_requests_waiting{model_name="m",engine="1",class="interactive"} 1',
      'kumi:waiting_tokens{model_name="m",engine="1",class="interactive"} 9',
      'vllm:kv_cache_usage_perc{model_name="m",engine="1"} 0.125',
      'kumi:kv_reserved_bytes{model_name="m",engine="1"} 512',
      'vllm:prefix_cache_queries_total{model_name="m",engine="1"} 6',
      'kumi:worker_restarts_total{model_name="m"} 2',
      'kumi:worker_state{model_name="m",engine="0",state="stuck"} 1',
      'kumi:worker_silent_seconds{model_name="m",engine="0"} 3',
      'kumi:requests_quarantined_total{model_name="m"} 1',
    ]
  ) assertStringIncludes(text, `${line}\n`);
  assert(!text.includes("kv_committed_bytes{"), "the allocator of this test has no pages");
});

Deno.test("ServerMetrics.scrape() writes every family once, each sample after its type", async () => {
  const metrics = metricsOf(() => Promise.resolve(modelStats()));
  metrics.requests.accepted({ id: "a", class: "interactive" });
  metrics.requests.firstToken("a", 3);
  metrics.requests.refused({ class: "batch", reason: "slo", status: 429 });
  const types = new Map<string, string>();
  let family = "";
  for (const line of (await metrics.scrape()).trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      assert(!types.has(type[1]), `${type[1]} is there twice`);
      types.set(family = type[1], type[2]);
    } else if (!line.startsWith("# HELP ")) {
      const sample = /^([a-z_:]+)(?:\{(?:[a-z_]+="[^"]*",?)*\})? (?:[-+0-9.e]+|NaN|\+Inf)$/.exec(line);
      assert(sample !== null, line);
      const suffix = sample[1].slice(family.length);
      assert(sample[1].startsWith(family), `${line} does not belong to ${family}`);
      const isHistogram = types.get(family) === "histogram";
      assert(isHistogram ? ["_bucket", "_sum", "_count"].includes(suffix) : suffix === "", line);
      const isCounter = types.get(family) === "counter";
      assert(!isCounter || family.endsWith("_total"), `${family} is a counter`);
    }
  }
  assert(types.size > 30);
});

Deno.test("ServerMetrics.scrape() tells the last figures and their age when workers take too long", async () => {
  let calls = 0, now = 0;
  const never = new Promise<ModelStats>(() => {});
  const metrics = metricsOf(() => calls++ === 0 ? Promise.resolve(modelStats()) : never, () => now);
  await metrics.scrape();
  now = 7000;
  const late = await Promise.all([metrics.scrape(), metrics.scrape(), metrics.scrape()]);
  assertEquals(calls, 2, "one question at a time");
  for (const text of late) {
    assertStringIncludes(text, 'kumi:engine_figures_age_seconds{model_name="m"} 7\n');
    assertStringIncludes(text, 'kumi:kv_reserved_bytes{model_name="m",engine="1"} 512\n');
  }
});

Deno.test("ServerMetrics.scrape() answers while the model loads and when the engine is gone", async () => {
  const loading = new ServerMetrics({ modelName: "m", classes: LIBRARY_CLASSES, source: () => null });
  const text = await loading.scrape();
  assertStringIncludes(text, 'kumi:ready{model_name="m"} 0\n');
  assertStringIncludes(
    text,
    `kumi:build_info{model_name="m",version="${VERSION}",deno="${Deno.version.deno}"} 1\n`,
  );
  assertStringIncludes(
    text,
    'vllm:request_success_total{model_name="m",class="batch",finished_reason="stop"} 0\n',
  );
  const gone = metricsOf(() => Promise.reject(new Error("gone")));
  assertStringIncludes(await gone.scrape(), 'kumi:ready{model_name="m"} 1\n');
});

Deno.test("ServerMetrics.scrape() tells what the machine took only while somebody counts it", async () => {
  let figures: { source: "rapl"; joules: number } | undefined = { source: "rapl", joules: 12.5 };
  const options = { modelName: "m", classes: LIBRARY_CLASSES, source: () => null, energy: () => figures };
  const metrics = new ServerMetrics(options);
  assertStringIncludes(
    await metrics.scrape(),
    'kumi:energy_joules_total{model_name="m",source="rapl"} 12.5\n',
  );
  figures = undefined;
  assert(!(await metrics.scrape()).includes("energy"));
});

Deno.test("queueReport() sums classes over workers and keeps the place of one that cannot tell", () => {
  const stats = modelStats();
  const two = { ...stats, workers: [{ ...stats.workers[0], worker: 0 }, ...stats.workers] };
  const both = queueReport(two, HEALTH);
  assertEquals(both.classes.map(({ name, running, waiting }) => [name, running, waiting]), [
    ["interactive", 2, 2],
    ["batch", 0, 0],
  ]);
  assertEquals(both.classes[0].finished, { stop: 0, length: 2, abort: 0, deadline: 0 });
  assertEquals([both.classes[0].waiting_tokens, both.classes[1].accepted], [18, 2]);
  assertEquals(both.pending, 2);
  const one = queueReport(stats, HEALTH);
  assertEquals(one.workers[0], { worker: 0, state: "stuck" });
  assertEquals([one.workers[1].running, one.workers[1].kv_usage], [1, 0.125]);
  assertEquals(queueReport(null, HEALTH).classes, []);
});
