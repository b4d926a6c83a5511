import { assert, assertEquals, assertThrows } from "@std/assert";
import { shownUrl, withinCap } from "./against.ts";
import { equalsOf, rank } from "./choice.ts";
import { planRounds, roundsMs } from "./halving.ts";
import { judge } from "./highest_load.ts";
import { kumiConfig } from "./kumi_config.ts";
import { lengthAt, meanLength, TRACE_LENGTHS } from "./lengths.ts";
import { noiseOf, withStolenShare } from "./noise.ts";
import { objectivesOf, parseObjectives } from "./objectives.ts";
import { PROFILE_NAMES, PROFILES } from "./profiles.ts";
import { profileArrivals } from "./profile_load.ts";
import { profileSource, recordedSource } from "./load_source.ts";
import { sampleReport } from "../../tests/support/trial_report.ts";
import { figuresOf, parseSamples, parseWork } from "./server_figures.ts";
import { deviation, interval, isAbove, relativeSpread } from "./statistics.ts";
import { verdictOf } from "./verdict.ts";
import type { Measures, TrialReport } from "./report_data.ts";

Deno.test("lengthAt() follows its table", () => {
  const table = TRACE_LENGTHS.azureConversationPrompts;
  assertEquals([0.05, 0.5, 0.9, 0.99].map((share) => lengthAt(table, share)), [181, 1020, 2735, 4142]);
  assertEquals([lengthAt(table, 0.001), lengthAt(table, 0.9999)], [181, 4142]);
  // The trace's own mean is 1,155.
  const mean = meanLength(table);
  assert(Math.abs(mean / 1155 - 1) < 0.1, `${mean}`);
});

Deno.test("profileArrivals() gives the same requests at every rate, with the profile's classes and sharing", () => {
  for (const name of PROFILE_NAMES) {
    const slow = profileArrivals(PROFILES[name], { perSecond: 2, seconds: 200, seed: 3 });
    const fast = profileArrivals(PROFILES[name], { perSecond: 8, seconds: 50, seed: 3 });
    const what = (arrivals: typeof slow) => arrivals.map(({ atMs: _, ...each }) => each);
    assertEquals(what(slow), what(fast), name);
    assert(Math.abs(slow.length / 400 - 1) < 0.2, `${name}: ${slow.length}`);
    assert(slow.every(({ promptTokens, blocks = [] }) => blocks.length * 64 <= promptTokens), name);
    const other = profileArrivals(PROFILES[name], { perSecond: 2, seconds: 200, seed: 4 });
    assert(JSON.stringify(what(other)) !== JSON.stringify(what(slow)));
  }
  // However slow a machine is, a load has requests, within its time.
  const hardly = profileArrivals(PROFILES.chat, { perSecond: 1e-4, seconds: 5, seed: 3 });
  assertEquals([hardly.length, hardly.every(({ atMs }) => atMs <= 5000)], [2, true]);
  const rates = { requestsPerSecond: null, peakRequestsPerSecond: null, users: null };
  const shares = Object.fromEntries(PROFILE_NAMES.map((name) => {
    const source = profileSource(name, PROFILES[name], { contextLength: 8192 });
    return [name, source.describe(rates).sharedPromptShare];
  }));
  assert(shares.agents > shares.chat && shares.chat > shares.bulk && shares.bulk > 0, JSON.stringify(shares));
});

Deno.test("recordedSource() plays a recording at any rate, and cuts what the model cannot take", () => {
  const recorded = Array.from({ length: 100 }, (_, i) => ({
    atMs: 5000 + 1000 * i + (i % 10 === 0 ? 300 : 0),
    class: i % 4 === 0 ? "batch" : "interactive",
    promptTokens: 100 + i,
    maxTokens: i === 7 ? 100_000 : 20,
  }));
  const source = recordedSource("day.jsonl", recorded, { contextLength: 512 });
  assertEquals(source.classes, ["batch", "interactive"]);
  const arrivals = source.arrivals({ perSecond: 10, seconds: 5, seed: 1 });
  assertEquals([arrivals.length, arrivals[0].atMs], [50, 0]);
  const last = arrivals[49].atMs;
  assert(last > 4500 && last < 5000, `${last}`);
  assert(arrivals.every(({ promptTokens, maxTokens }) => promptTokens + maxTokens <= 480));
  // Longer than the recording: it begins anew.
  const long = source.arrivals({ perSecond: 10, seconds: 30, seed: 1 });
  assertEquals(long.length, 300);
  assert(long.every(({ atMs }, i) => i === 0 || atMs >= long[i - 1].atMs));
  const said = source.describe({ requestsPerSecond: null, peakRequestsPerSecond: null, users: 50 });
  assertEquals([said.seconds, said.peakRequestsPerSecond], [98.7, 1]);
  assert(Math.abs(said.requestsPerUserSecond! - 100 / 98.7 / 50) < 1e-9);
});

Deno.test("objectives are read, and are the class's, then all's, then the profile's", () => {
  assertEquals(parseObjectives("ttft=2s,itl=150,bulk:none,chat:itl-p95=90ms"), [
    { ttftMs: 2000, itlMs: 150, itlStat: "mean" },
    { class: "bulk", ttftMs: null, itlMs: null, itlStat: "mean" },
    { class: "chat", itlMs: 90, itlStat: "p95" },
  ]);
  for (const wrong of ["ttft", "ttft=0", "tpot=3", "a:b:ttft=1", "itl=2h"]) {
    assertThrows(() => parseObjectives(wrong), RangeError, wrong);
  }
  const found = objectivesOf(["interactive", "batch", "code"], {
    given: parseObjectives("ttft=1s,code:itl=20"),
    defaults: [{ class: "interactive", ttftMs: 5000, itlMs: 200, itlStat: "mean" }],
    share: 0.9,
  });
  assertEquals(found.classes.map(({ ttftMs, itlMs, from }) => [ttftMs, itlMs, from]), [
    [1000, 200, "given"],
    // Nobody waits for it, and nobody said that anybody does.
    [null, null, "default"],
    [1000, 20, "given"],
  ]);
  const given = parseObjectives("chta:ttft=1s");
  assertThrows(() => objectivesOf(["chat"], { given, defaults: [], share: 1 }), RangeError, "chta");
});

Deno.test("planRounds() fills its budget and no more, with fewer points for slow runs", () => {
  const points: number[] = [];
  for (const budgetMs of [20_000, 60_000, 300_000, 1_200_000]) {
    for (const overheadMs of [500, 10_000]) {
      const rounds = planRounds({ budgetMs, overheadMs, runMsMin: 3000, pointsMax: 300 });
      assert(roundsMs(rounds, overheadMs) <= budgetMs * 1.0001, `${budgetMs} ${overheadMs}`);
      assert(rounds.every(({ points }, i) => i === 0 || points < rounds[i - 1].points));
      points.push(rounds[0].points);
    }
  }
  assert(points[6] >= 48 && points[6] > points[2] && points[2] > points[3], points.join());
});

const measures = (goodPerSecond: number, itlMs = 50): Measures => {
  const report = sampleReport();
  const base = report.chosen!.measures;
  const times = (ms: number) => ({ p50: ms, p90: ms, p95: ms, p99: ms });
  const change = { goodPerSecond, answerTokensPerSecond: 100 * goodPerSecond, itlMs: times(itlMs) };
  return {
    ...base,
    all: { ...base.all, ...change },
    classes: base.classes.map((each) => ({ ...each, ...change })),
  };
};

Deno.test("rank() goes by goodput, and by times where that is alike", () => {
  const { objectives, chosen } = sampleReport();
  const of = (id: number, runs: Measures[]) => ({ id, settings: chosen!.settings, runs });
  const field = [of(1, [measures(9, 40)]), of(2, [measures(10, 90)]), of(3, [measures(9.9, 50)])];
  assertEquals(rank(field, objectives).map(({ id }) => id), [3, 2, 1]);
});

Deno.test("equalsOf() finds what cannot be told from the first", () => {
  const { chosen } = sampleReport();
  const of = (id: number, values: number[]) => ({
    id,
    settings: chosen!.settings,
    runs: values.map((v) => measures(v)),
  });
  // The load's own luck, which all share, does not hide a difference.
  const first = of(1, [10, 14, 9, 12]);
  const others = [of(2, [9.4, 13.4, 8.5, 11.3]), of(3, [10.2, 13.8, 9.1, 11.7])];
  assertEquals(equalsOf(first, others, 0.05).map(({ id }) => id), [3]);
});

Deno.test("statistics: deviation, interval, pairs", () => {
  assertEquals(deviation([2, 4, 6]), 2);
  const { mean, low, high } = interval([2, 4, 6]);
  assert(mean === 4 && Math.abs(high - 4 - 4.303 * 2 / Math.sqrt(3)) < 1e-9 && low + high === 8);
  // One run alone is as sure as runs are alike.
  assert(Math.abs(interval([10], 1).high - 11.96) < 1e-9);
  assert(isAbove([10, 20, 30], [9, 19.1, 28.9], 0.1));
  assert(!isAbove([10, 20, 30], [9, 21, 29], 0.1));
  assert(!isAbove([10], [9.9], 1) && !isAbove([], [], 1));
  assertEquals(relativeSpread([[1], [2]]), null);
  assert(Math.abs(relativeSpread([[9, 11], [90, 110]])! - Math.SQRT2 / 10) < 1e-12);
});

Deno.test("noiseOf() takes out what loads and points differ in", () => {
  const quiet = noiseOf([], [[10, 20, 15], [5, 10, 7.5]].map((runs) => runs.map((value) => measures(value))));
  assert(quiet.throughputSpread! < 1e-9 && !quiet.isNoisy);
  assert(noiseOf([[measures(10), measures(13)]]).isNoisy);
  assertEquals(noiseOf([]).throughputSpread, null);
  const run = (cpuShare: number, goodShare: number) => ({
    ...measures(10),
    cpuShare,
    all: { ...measures(10).all, goodShare },
  });
  // Where there is little to do, CPUs that wait are nobody's.
  assertEquals(withStolenShare(noiseOf([]), [run(0.1, 1)]).stolenShare, null);
  const shared = withStolenShare(noiseOf([]), [run(0.1, 1), run(0.5, 0.7), run(0.75, 0.7), run(1.1, 0.7)]);
  assertEquals(shared.stolenShare, 0.25);
});

Deno.test("judge() wants every class's share, and that the server kept up", () => {
  const { objectives, chosen } = sampleReport();
  const { measures } = chosen!;
  const shares = (share: number) => measures.classes.map((each) => ({ ...each, goodShare: share }));
  assert(judge({ ...measures, classes: shares(0.95) }, measures.seconds, objectives).held);
  assert(!judge({ ...measures, classes: shares(0.94) }, measures.seconds, objectives).held);
  const late = { ...measures, classes: shares(1), seconds: 200 };
  assertEquals(judge(late, 60, objectives).held, false);
});

Deno.test("verdictOf() counts machines for the peak, and says what to move elsewhere", () => {
  const report = sampleReport();
  const verdict = (change: Partial<TrialReport>) =>
    verdictOf({ ...report, ...change, hasPrices: false, wasShort: false });
  assertEquals([verdict({}).carries, verdict({}).machines], ["yes", 3]);
  const exact = {
    ...report.traffic,
    peakRequestsPerSecond: 2 * report.chosen!.highestLoad.requestsPerSecond!,
  };
  assertEquals(verdict({ traffic: exact }).machines, 2);
  const none = { ...report.chosen!, highestLoad: { ...report.chosen!.highestLoad, requestsPerSecond: null } };
  const partly = {
    ...none,
    measures: {
      ...none.measures,
      classes: none.measures.classes.map((each) => ({
        ...each,
        goodShare: each.class === "batch" ? 1 : 0.2,
      })),
    },
  };
  assertEquals(verdict({ chosen: partly }).classesElsewhere, ["interactive"]);
  assertEquals(verdict({ chosen: partly }).carries, "partly");
  assertEquals(verdict({ chosen: null }).carries, "no");
  assert(verdict({ quality: null }).next.includes("test quality"));
  const promptLimits = [{ class: "interactive", tokens: 2000, share: 0.5, ttftMsForAll: 9000 }];
  const short = verdict({ traffic: { ...report.traffic, promptLimits } });
  assertEquals([short.carries, short.classesElsewhere, short.machines], ["partly", [], 2]);
  assertEquals(short.next.slice(0, 3), [
    "serve with the configuration",
    "add machines",
    "move long prompts elsewhere",
  ]);
});

Deno.test("kumiConfig() names settings as kumi serve does", () => {
  const { chosen, objectives } = sampleReport();
  const config = kumiConfig("m.gguf", { ...chosen!.settings, prefixCache: false, cpus: "0-3" }, objectives);
  assertEquals([config.noPrefixCache, config.cpus, config.kv], [true, "0-3", "f16"]);
  const classes = config.classes as {
    name: string;
    ttftSloMs?: number;
    maxWaitMs: number;
    preemptible: boolean;
  }[];
  assertEquals(classes[0].ttftSloMs, 2000);
  assert(!classes[0].preemptible && classes[0].maxWaitMs === 0);
});

Deno.test("a server's metrics are read: sums of workers, growth, phases", () => {
  const text = (cpu: number, used: number) =>
    `# HELP x y\nprocess_cpu_seconds_total{model_name="a{b}"} ${cpu}\nkumi:kv_reserved_bytes{engine="0"} 100\n` +
    `kumi:kv_reserved_bytes{engine="1"} 100\nkumi:kv_allocated_bytes{engine="0"} ${
      used + 10
    }\nkumi:kv_used_bytes{engine="0"} ${used}\n` +
    `kumi:kv_cached_bytes{engine="0"} 10\nvllm:num_preemptions_total{engine="0"} ${cpu}\nbroken\n`;
  const looks = [text(1, 20), text(2, 60), text(4, 40)].map(parseSamples);
  const figures = figuresOf(looks, 2, 2);
  assertEquals([figures.cpuShare, figures.preemptions, figures.residentBytes], [0.75, 3, null]);
  assertEquals([figures.kv?.reservedBytes, figures.kv?.allocatedBytes, figures.kv?.usedBytes], [200, 60, 50]);
  const phases = `kumi:phase_seconds_total{model_name="m",engine="0",class="chat",phase="prefill"} 1.5
kumi:phase_tokens_total{engine="0",class="chat",phase="decode"} 7
kumi:phase_tokens_total{engine="1",class="chat",phase="decode"} 3`;
  assertEquals(parseWork(phases), [
    { class: "chat", prefillMs: 1500, decodeMs: 0, prefillTokens: 0, decodeTokens: 10 },
  ]);
});

Deno.test("withinCap() never lets more be asked for than the cap", () => {
  const arrivals = Array.from(
    { length: 5 },
    (_, i) => ({ atMs: i, class: "a", promptTokens: 100, maxTokens: 50 }),
  );
  assertEquals(withinCap(arrivals, 1e6).capped, false);
  const some = withinCap(arrivals, 600);
  assertEquals([some.arrivals.length, some.tokens, some.capped], [2, 500, true]);
  assertEquals(withinCap(arrivals, 10).arrivals.length, 0);
  assertEquals(shownUrl("https://user:pw@host.example/v1?key=1#x"), "https://host.example/v1");
});
