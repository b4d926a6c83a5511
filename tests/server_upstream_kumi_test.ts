/** A server whose upstream is another kumi: forecasts of a real engine, metrics, models, answers alike. */

import { assert, assertEquals } from "@std/assert";
import { ANSWER, CHAT, errorOf, eventsOf, QUESTION, startServer } from "./support/server.ts";

const upstreamAt = (url: string) => ({
  name: "other",
  url: `${url}/v1`,
  kind: "kumi" as const,
  models: [{ name: "kumi", there: "demo" }, { name: "elsewhere", there: "demo" }],
  data: "internal" as const,
  price: { promptPerMillion: 1e6, answerPerMillion: 1e6 },
  healthMs: 0,
});

/** The value of a sample with these labels. */
function sample(text: string, name: string, labels: Record<string, string>): number | undefined {
  const line = text.split("\n").find((each) =>
    each.startsWith(`${name}{`) &&
    Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`))
  );
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

Deno.test("two servers answer alike, and the first one's metrics say who did", async () => {
  await using other = await startServer();
  const lines: string[] = [];
  const routing = {
    upstreams: [upstreamAt(other.url)],
    rules: [{ classes: ["batch"], way: "there" as const }],
  };
  await using server = await startServer({
    modelName: "kumi",
    routing,
    accessLog: (line) => lines.push(line),
  });
  const body = { model: "kumi", messages: QUESTION, temperature: 0 };
  const here = await (await server.post(CHAT, body)).json();
  const there = await (await server.post(CHAT, { ...body, class: "batch" })).json();
  assertEquals([here, there].map(({ choices }) => choices[0].message.content), [ANSWER, ANSWER]);
  assertEquals([here.model, there.model], ["kumi", "demo"]);
  const stream = await eventsOf(await server.post(CHAT, { ...body, model: "elsewhere", stream: true })) as {
    choices: { delta: { content?: string } }[];
  }[];
  assertEquals(stream.slice(0, -1).map(({ choices }) => choices[0]?.delta.content ?? "").join(""), ANSWER);
  const ids = (await (await server.get("/v1/models")).json()).data.map(({ id }: { id: string }) => id);
  assertEquals(ids, ["kumi", "elsewhere"]);
  const said = lines.map((line) => JSON.parse(line))
    .flatMap(({ place_reason, cost }) => place_reason === undefined ? [] : [[place_reason, cost > 0]]);
  assertEquals(said, [["soon", false], ["rule", true], ["only-there", true]]);
  const text = await (await server.get("/metrics")).text();
  assertEquals(sample(text, "kumi:route_requests_total", { route: "here", reason: "soon" }), 1);
  assertEquals(
    sample(text, "kumi:route_requests_total", { route: "other", reason: "rule", class: "batch" }),
    1,
  );
  assertEquals(sample(text, "kumi:route_up", { route: "other" }), 1);
  assertEquals(sample(text, "kumi:route_running", { route: "other" }), 0);
  const cost = sample(text, "kumi:route_cost_total", { route: "other" })!;
  assert(cost > 20, `${cost}`);
  assertEquals(sample(text, "kumi:route_spent", { route: "other", window: "hour" }), cost);
  const told = (kind: string) => sample(text, "kumi:route_tokens_total", { kind, source: "told" });
  assertEquals(told("prompt")! + told("answer")!, cost);
  assertEquals(sample(text, "kumi:route_time_to_first_token_seconds_count", { route: "other" }), 1);
  assertEquals(sample(text, "vllm:request_success_total", { class: "batch", finished_reason: "stop" }), 1);
  // What came from a server goes to no further one.
  const hop = { headers: { "x-kumi-hop": "1" } };
  assertEquals((await errorOf(server.post(CHAT, { ...body, model: "elsewhere" }, hop), 404)).param, "model");
});

Deno.test("an engine that has more to do than it promises says so before, and the next request goes elsewhere", async () => {
  await using other = await startServer();
  const routing = { upstreams: [upstreamAt(other.url)], waitMs: 1, margin: 0, holdMs: 60_000 };
  const classes = [
    {
      name: "interactive",
      priority: 1,
      maxBatch: 1,
      maxWaitMs: 0,
      ttftSloMs: 60_000,
      queueLimit: { requests: 100, tokens: 100_000 },
      preemptible: false,
    },
  ];
  await using server = await startServer({ modelName: "kumi", routing, classes, page: false });
  const endless = { model: "kumi", prompt: "Once", ignore_eos: true, max_tokens: 300 };
  // The first ones teach the engine how long steps take.
  for (let i = 0; i < 3; i++) {
    await (await server.post("/v1/completions", { ...endless, max_tokens: 20 })).text();
  }
  const { refuses, ttftMs } = server.model.outlook({ class: "interactive", promptUnits: 4 });
  assertEquals([refuses, ttftMs! > 0], [false, true]);
  assertEquals(server.model.outlook({ class: "none", promptUnits: 4 }), { refuses: false });
  const all = await Promise.all(
    Array.from({ length: 8 }, async () => await (await server.post("/v1/completions", endless)).json()),
  );
  const models = all.map(({ model }) => model);
  assert(models.includes("demo"), `all were answered by ${models}`);
  assertEquals(new Set(all.map(({ usage }) => usage.completion_tokens)), new Set([300]));
});
