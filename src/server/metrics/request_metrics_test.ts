import { assert, assertEquals } from "@std/assert";
import { MetricsText } from "./exposition.ts";
import { RequestMetrics } from "./request_metrics.ts";

const CLASSES = [
  {
    name: "fast",
    priority: 1,
    maxBatch: 1,
    maxWaitMs: 0,
    ttftSloMs: 333,
    itlSloMs: 42,
    queueLimit: { requests: 1, tokens: 1 },
    preemptible: false,
  },
  {
    name: "slow",
    priority: 0,
    maxBatch: 1,
    maxWaitMs: 0,
    queueLimit: { requests: 1, tokens: 1 },
    preemptible: true,
  },
];

const END = { status: 200, promptTokens: 10, cachedTokens: 4, completionTokens: 3 };

/** Samples by name and labels. */
function samples(metrics: RequestMetrics): Map<string, number> {
  const text = new MetricsText();
  metrics.write(text);
  const lines = `${text}`.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

function answer(metrics: RequestMetrics, id: string, ttftMs: number, itlMs: number[], name = "fast"): void {
  metrics.accepted({ id, class: name });
  metrics.firstToken(id, ttftMs);
  metrics.tokens(id, 1, []);
  metrics.tokens(id, itlMs.length, itlMs);
  const e2eMs = ttftMs + itlMs.reduce((sum, ms) => sum + ms, 0);
  metrics.finished(id, {
    ...END,
    reason: "stop",
    completionTokens: 1 + itlMs.length,
    queueMs: ttftMs / 2,
    e2eMs,
  });
}

Deno.test("RequestMetrics counts an answer's tokens and times by class", () => {
  const metrics = new RequestMetrics(CLASSES);
  answer(metrics, "a", 200, [20, 60]);
  answer(metrics, "b", 100, [], "slow");
  const found = samples(metrics);
  const get = (name: string) => found.get(name);
  assertEquals(get('vllm:time_to_first_token_seconds_sum{class="fast"}'), 0.2);
  assertEquals(get('vllm:time_to_first_token_seconds_count{class="slow"}'), 1);
  assertEquals(get('vllm:inter_token_latency_seconds_count{class="fast"}'), 2);
  assertEquals(get('vllm:request_time_per_output_token_seconds_sum{class="fast"}'), 0.04);
  assertEquals(get('vllm:request_time_per_output_token_seconds_count{class="slow"}'), undefined);
  assertEquals(get('vllm:e2e_request_latency_seconds_sum{class="fast"}'), 0.28);
  assertEquals(get('vllm:request_queue_time_seconds_sum{class="fast"}'), 0.1);
  assertEquals(get('vllm:request_prefill_time_seconds_sum{class="fast"}'), 0.1);
  assertEquals(get('vllm:generation_tokens_total{class="fast"}'), 3);
  assertEquals(get('vllm:prompt_tokens_total{class="slow"}'), 10);
  assertEquals(get('kumi:cached_prompt_tokens_total{class="slow"}'), 4);
  assertEquals(get('vllm:request_success_total{class="fast",finished_reason="stop"}'), 1);
  assertEquals(get('kumi:responses_total{class="fast",status="200"}'), 1);
  assertEquals(metrics.running, 0);
});

Deno.test("RequestMetrics counts tokens while an answer is under way, those told at its end once", () => {
  const metrics = new RequestMetrics(CLASSES);
  const tokens = () => samples(metrics).get('vllm:generation_tokens_total{class="fast"}');
  metrics.accepted({ id: "a", class: "fast" });
  assertEquals(tokens(), 0);
  metrics.firstToken("a", 5);
  metrics.tokens("a", 2, [1, 1]);
  assertEquals([tokens(), metrics.running], [2, 1]);
  metrics.finished("a", { ...END, reason: "length", e2eMs: 10 });
  assertEquals([tokens(), metrics.running], [3, 0]);
  metrics.tokens("a", 5, []);
  metrics.finished("a", { ...END, reason: "length", e2eMs: 10 });
  assertEquals(tokens(), 3);
});

Deno.test("RequestMetrics has the classes' objectives among its bounds and judges requests by them", () => {
  const metrics = new RequestMetrics(CLASSES);
  answer(metrics, "a", 333, [42, 42]);
  answer(metrics, "b", 334, [10, 10]);
  answer(metrics, "c", 100, [43, 43]);
  answer(metrics, "d", 100, [], "slow");
  metrics.accepted({ id: "e", class: "fast" });
  // Left before its first token.
  metrics.finished("e", { ...END, reason: "abort", completionTokens: 0, e2eMs: 900 });
  metrics.accepted({ id: "f", class: "fast" });
  metrics.finished("f", { ...END, reason: "error", status: 500, completionTokens: 0, e2eMs: 9 });
  const found = samples(metrics);
  const slo = (name: string, objective: string) =>
    found.get(`kumi:slo_${name}{class="fast",objective="${objective}"}`);
  assertEquals([slo("requests_total", "ttft"), slo("met_total", "ttft")], [4, 2]);
  assertEquals([slo("requests_total", "itl"), slo("met_total", "itl")], [4, 2]);
  assertEquals(slo("attainment_ratio", "ttft"), 0.5);
  assertEquals(found.get('vllm:time_to_first_token_seconds_bucket{class="fast",le="0.333"}'), 2);
  assertEquals(found.get('vllm:inter_token_latency_seconds_bucket{class="fast",le="0.042"}'), 4);
  assertEquals(found.get('kumi:requests_failed_total{class="fast"}'), 1);
  assert(![...found.keys()].some((key) => key.startsWith("kumi:slo") && key.includes("slow")));
});

Deno.test("RequestMetrics puts classes that clients make up together", () => {
  const metrics = new RequestMetrics(CLASSES);
  for (let i = 0; i < 100; i++) metrics.refused({ class: `made-up-${i}`, reason: "bad_class", status: 400 });
  metrics.refused({ class: "fast", reason: "queue-full", status: 429 });
  const refused = [...samples(metrics)].filter(([name]) => name.startsWith("kumi:requests_refused_total"));
  assertEquals(refused, [
    ['kumi:requests_refused_total{class="other",reason="bad_class"}', 100],
    ['kumi:requests_refused_total{class="fast",reason="queue-full"}', 1],
  ]);
});
