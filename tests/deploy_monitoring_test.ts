/** What deploy/ gives to those who watch: alerts and a dashboard, beside what a server really tells. */
import { assert, assertEquals } from "@std/assert";
import { serve } from "../mod.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { testWithPrograms } from "./support/optional.ts";

const FOLDER = `${ROOT}/deploy`;
/** Of Prometheus itself and of node_exporter. */
const OTHERS = new Set(["up", "node_memory_MemTotal_bytes"]);
/** Told only where something counts it. */
const SOMETIMES = new Set(["kumi:energy_joules_total"]);
/** What PromQL has beside metrics: words that are followed by no metric's braces or range. */
const METRIC = /\b((?:kumi|vllm|process|node)[:_][a-zA-Z0-9_:]+|up)\b/g;

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Metrics that a server tells of after a request. */
async function toldMetrics(): Promise<Set<string>> {
  await using server = serve({ model: "demo", port: 0, canaryMs: 0 });
  await server.ready;
  // One that is answered, and one that is refused.
  for (const temperature of [1, -5]) {
    const response = await fetch(`${server.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Once", max_tokens: 4, temperature }),
    });
    await response.body?.cancel();
  }
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
    type === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
  );
  return new Set(families);
}

testWithPrograms(
  "alerts are valid, and fire when they should and not otherwise",
  ["promtool"],
  async ([path]) => {
    for (const args of [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]]) {
      const done = await capture([path, ...args], { cwd: `${FOLDER}/prometheus` });
      assertEquals(done?.code, 0, `${done?.stdout}${done?.stderr}`);
    }
  },
);

Deno.test("alerts and the dashboard ask for what a server tells, and every alert has a test", async () => {
  const told = await toldMetrics();
  const alerts = await Deno.readTextFile(`${FOLDER}/prometheus/alerts.yaml`);
  const { panels }: { panels: readonly Panel[] } = JSON.parse(
    await Deno.readTextFile(`${FOLDER}/grafana/kumi.json`),
  );
  const expressions = panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []);
  assert(expressions.length > 20);
  const rules = alerts.split("\n").filter((line) => !/^ *(#|summary:|description:)/.test(line)).join("\n");
  const asked = [...[...expressions, rules].join("\n").matchAll(METRIC)].map(([name]) => name);
  const unknown = asked.filter((name) => !told.has(name) && !OTHERS.has(name) && !SOMETIMES.has(name));
  assertEquals([...new Set(unknown)], []);
  const tests = await Deno.readTextFile(`${FOLDER}/prometheus/alerts_test.yaml`);
  for (const [, name] of alerts.matchAll(/- alert: (\w+)/g)) {
    assert(
      new RegExp(`alertname: ${name}\\b[^]*?exp_labels`).test(tests),
      `${name} never fires in its tests`,
    );
  }
  const titles = panels.map(({ title }) => title);
  assertEquals(new Set(titles).size, titles.length);
});
