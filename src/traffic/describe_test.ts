import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { describeTraffic } from "./describe.ts";
import { drawTraffic, trafficPage } from "./draw.ts";
import { readTraffic } from "./read.ts";

const HEAD = '{"kumi_traffic":1,"recording":"r","started":"2026-01-01T08:30:00.000Z","block_tokens":16}';

function recording(lines: readonly object[]) {
  return readTraffic([HEAD, ...lines.map((line) => JSON.stringify(line))].join("\n"));
}

Deno.test("describeTraffic() says how many come when, and how long they are", () => {
  const lines = Array.from({ length: 130 }, (_, i) => ({
    at_ms: 60_000 * i,
    class: i % 13 === 0 ? "batch" : "interactive",
    prompt_tokens: 100 + i,
    answer_tokens: 10,
  }));
  // Ten in one minute, an hour after the beginning.
  const burst = Array.from({ length: 10 }, (_, i) => ({
    at_ms: 3_600_000 + 1000 * i,
    class: "batch",
    prompt_tokens: 1000,
    answer_tokens: 50,
  }));
  const summary = describeTraffic(recording([...lines, ...burst]));
  assertEquals([summary.all.requests, summary.seconds, summary.started], [
    140,
    7740,
    "2026-01-01T08:30:00.000Z",
  ]);
  assertEquals(summary.classes.map((each) => [each.class, each.requests]), [["batch", 20], [
    "interactive",
    120,
  ]]);
  assertEquals(summary.classes[0].answerTokens.max, 50);
  // The lone request of that minute and the next one's are in it.
  assertEquals([summary.peakMinute.fromMs, summary.peakMinute.requests], [3_600_000, 12]);
  assertEquals(summary.peakHour?.requests, 71);
  assertEquals(summary.hours?.reduce((sum, n) => sum + n), 140);
  assertEquals([summary.hours?.[8], summary.hours?.[9]], [30, 70]);
  assertEquals(summary.bins.reduce((sum, { requests }) => sum + requests, 0), 140);
  assert(summary.bins.length <= 96 && summary.binSeconds === 120);
  assertAlmostEquals(summary.all.promptTokensPerSecond, (130 * 100 + 129 * 65 + 10_000) / 7740, 1e-9);
  assert(summary.burstiness! < 1);
});

Deno.test("describeTraffic() counts what a cache without end would have had", () => {
  const { sharing } = describeTraffic(recording([
    { at_ms: 0, prompt_tokens: 40, answer_tokens: 1, cached_tokens: 0, blocks: ["a", "b"] },
    { at_ms: 1, prompt_tokens: 40, answer_tokens: 1, cached_tokens: 16, blocks: ["a", "c"] },
    { at_ms: 2, prompt_tokens: 20, answer_tokens: 1, cached_tokens: 4, blocks: ["a"] },
    { at_ms: 3, prompt_tokens: 100, answer_tokens: 1, cached_tokens: 20, blocks: ["d", "e", "f"] },
  ]));
  assertEquals(sharing.sharedShare, 32 / 200);
  assertEquals(sharing.cachedShare, 40 / 200);
  assertEquals(sharing.sharingRequests, 0.5);
  assertEquals(sharing.common, [{ requests: 3, tokens: 16 }]);
  const csv = describeTraffic(readTraffic("at_ms,prompt_tokens,max_tokens\n1,2,3\n"));
  assertEquals([csv.sharing.sharedShare, csv.sharing.cachedShare, csv.burstiness, csv.started], [
    null,
    null,
    null,
    null,
  ]);
  assertEquals(csv.bins.length, 1);
});

Deno.test("drawTraffic() draws any traffic, and the page hides nothing in it", () => {
  for (
    const traffic of [
      readTraffic("at_ms,prompt_tokens,max_tokens\n1,0,0\n"),
      // More than a call has arguments.
      readTraffic(`at_ms,prompt_tokens,max_tokens\n${"1,5,0\n".repeat(150_000)}`),
      recording(
        Array.from({ length: 50 }, (_, i) => ({ at_ms: i ** 2, prompt_tokens: i ** 2, answer_tokens: i })),
      ),
    ]
  ) {
    const svg = drawTraffic(traffic, describeTraffic(traffic));
    assert(svg.startsWith("<svg") && !/NaN|undefined|Infinity/.test(svg), svg.slice(0, 200));
    const page = trafficPage("<b>&", ["<i>"], svg);
    assert(page.includes("&lt;b>&amp;") && page.includes("&lt;i>") && !page.includes("<script"));
  }
});
