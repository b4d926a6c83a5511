/** What deploy/ gives to those who watch: alerts and a dashboard, beside what a server really tells. */
import { assert, assertEquals } from "@std/assert";
import { serve } from "../mod.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { testWithPrograms } from "./support/optional.ts";
import { Prometheus } from "./support/prometheus.ts";

const FOLDER = `${ROOT}/deploy`;
/** Of Prometheus itself and of node_exporter. */
const OTHERS = new Set(["up", "node_memory_MemTotal_bytes"]);
/** Told only where something counts it. */
const SOMETIMES = new Set(["kumi:energy_joules_total"]);
/** Without data on a server of one machine that works: nothing is counted, nothing has failed. */
const QUIET = /kumi:energy_joules_total|kumi:requests_failed_total/;
/** What PromQL has beside metrics: words that are followed by no metric's braces or range. */
const METRIC = /\b((?:kumi|vllm|process|node)[:_][a-zA-Z0-9_:]+|up)\b/g;

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

async function readPanels(): Promise<readonly Panel[]> {
  return JSON.parse(await Deno.readTextFile(`${FOLDER}/grafana/kumi.json`)).panels;
}

function expressionsOf(panels: readonly Panel[]): string[] {
  return panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []);
}

/** A request that is answered, and one that is refused. */
async function ask(url: string): Promise<void> {
  for (const temperature of [1, -5]) {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Once", max_tokens: 4, temperature }),
    });
    await response.body?.cancel();
  }
}

/** Metrics that a server tells of after a request. */
async function toldMetrics(): Promise<Set<string>> {
  await using server = serve({ model: "demo", port: 0, canaryMs: 0 });
  await server.ready;
  await ask(server.url);
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
  const panels = await readPanels();
  const expressions = expressionsOf(panels);
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

testWithPrograms(
  "a Prometheus that scrapes a server has data for every panel, and evaluates every alert",
  ["prometheus"],
  async ([path]) => {
    await using server = serve({ model: "demo", port: 0, canaryMs: 0 });
    await server.ready;
    await using prometheus = await Prometheus.start(path, server.port, `${FOLDER}/prometheus/alerts.yaml`);
    const expressions = expressionsOf(await readPanels());
    let open = new Set(expressions.filter((each) => !QUIET.test(each)));
    // Rates want samples between which something happened.
    for (let round = 0; open.size > 0 && round < 60; round++) {
      await ask(server.url);
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (round < 6) continue;
      const without = [];
      for (const each of open) {
        if (!(await prometheus.numbers(each)).some(Number.isFinite)) without.push(each);
      }
      open = new Set(without);
    }
    assertEquals([...open], [], "panels that stay empty");
    for (const each of expressions.filter((each) => QUIET.test(each))) await prometheus.numbers(each);
    assertEquals(await prometheus.labels("instance", "kumi:ready"), [`127.0.0.1:${server.port}`]);
    const rules = await prometheus.rules();
    const alerts = await Deno.readTextFile(`${FOLDER}/prometheus/alerts.yaml`);
    assertEquals(
      rules.map(({ name }) => name),
      Array.from(alerts.matchAll(/- alert: (\w+)/g), ([, name]) => name),
    );
    for (const { name, health, lastError, state } of rules) {
      assertEquals([health, lastError ?? "", state], ["ok", "", "inactive"], name);
    }
  },
);
