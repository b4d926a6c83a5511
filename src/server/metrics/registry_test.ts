import { assertEquals, assertThrows } from "@std/assert";
import { MetricsText } from "./exposition.ts";
import { Registry } from "./registry.ts";

Deno.test("MetricsText writes families, labels and escapes as the text format has them", () => {
  const text = new MetricsText({ model_name: 'a"b\\c\nd' });
  text.family("up", "gauge", "one\ntwo \\ three").sample(1).sample(-0.5, { x: "ä" });
  text.family("odd", "gauge", "o").sample(NaN).sample(Infinity).sample(-Infinity);
  assertEquals(
    `${text}`,
    '# HELP up one\\ntwo \\\\ three\n# TYPE up gauge\nup{model_name="a\\"b\\\\c\\nd"} 1\n' +
      'up{model_name="a\\"b\\\\c\\nd",x="ä"} -0.5\n# HELP odd o\n# TYPE odd gauge\n' +
      ["NaN", "+Inf", "-Inf"].map((value) => `odd{model_name="a\\"b\\\\c\\nd"} ${value}\n`).join(""),
  );
});

Deno.test("MetricsText writes histograms with cumulative buckets, the last one for all", () => {
  const text = new MetricsText().family("t_seconds", "histogram", "T.");
  text.histogram({ bounds: [0.5, 2], counts: [3, 0, 4], sum: 77.5 }, { class: "a" });
  assertEquals(
    `${text}`.split("\n").slice(2, -1),
    [
      't_seconds_bucket{class="a",le="0.5"} 3',
      't_seconds_bucket{class="a",le="2"} 3',
      't_seconds_bucket{class="a",le="+Inf"} 7',
      't_seconds_sum{class="a"} 77.5',
      't_seconds_count{class="a"} 7',
    ],
  );
});

Deno.test("Registry writes members that were used, and metrics without labels from the start", () => {
  const registry = new Registry();
  const requests = registry.counter("requests_total", "R.", ["class", "code"]);
  registry.counter("restarts_total", "S.");
  registry.histogram("unused_seconds", "U.", [1], ["class"]);
  requests.of("a", "200").add();
  requests.of("a", "200").add(2);
  requests.of("b", "429").add();
  const text = new MetricsText();
  registry.write(text);
  assertEquals(`${text}`.split("\n").filter((line) => line !== "" && !line.startsWith("#")), [
    'requests_total{class="a",code="200"} 3',
    'requests_total{class="b",code="429"} 1',
    "restarts_total 0",
  ]);
});

Deno.test("Registry refuses names that the format does not have, and the same one twice", () => {
  const registry = new Registry();
  registry.counter("a_total", "A.");
  assertThrows(() => registry.counter("a_total", "A."), RangeError, "Two metrics are called a_total");
  assertThrows(() => registry.counter("a-b", "A."), RangeError, "a-b");
  assertThrows(() => registry.histogram("c", "C.", [1], ["le"]), RangeError, "le");
  assertThrows(() => registry.counter("d", "D.", ["x"]).of(), RangeError, "x");
});
