import { assert, assertEquals, assertThrows } from "@std/assert";
import { sampleReport } from "../../../tests/support/trial_report.ts";
import { checkedConfig } from "./folder.ts";
import { cachesIn } from "./machine.ts";
import { renderTrialProgress } from "./progress.ts";
import { renderTrial } from "./summary.ts";

Deno.test("renderTrial() says what is carried, by how many machines, and what to know", () => {
  const text = renderTrial(sampleReport());
  for (
    const part of [
      "Up to 2.40 requests/s, 240 users: 95 % of the requests keep their objectives.",
      "5.50 requests/s take 3 machines like this.",
      "energy is estimated from the TDP, not measured",
      "1 other point cannot be told from this one.",
      "next: add machines",
    ]
  ) assert(text.includes(part), `${part}\n${text}`);
  const { chosen } = sampleReport();
  const none = { ...chosen!.highestLoad, requestsPerSecond: null };
  const no = renderTrial(sampleReport({ chosen: { ...chosen!, highestLoad: none } }));
  assert(no.includes("No: the objectives do not hold for 95 % of the requests even at 1.50 requests/s"), no);
  assert(renderTrial(sampleReport({ chosen: null })).includes("No: the objectives do not hold"));
  const { noise } = sampleReport();
  const shared = renderTrial(sampleReport({ noise: { ...noise, stolenShare: 0.4 } }));
  assert(shared.includes("other programs had 40 % of the CPUs meanwhile"), shared);
});

Deno.test("renderTrialProgress() has the time left, the place and the point", () => {
  const now = { phase: "round 1 of 3", done: 4, of: 12, what: "1 × 2 threads" };
  assertEquals(renderTrialProgress(now, 492_000), "8 min 12 s left, round 1 of 3, 5 of 12: 1 × 2 threads");
  assertEquals(renderTrialProgress({ ...now, of: 1 }, -5), "0 ms left, round 1 of 3: 1 × 2 threads");
});

Deno.test("cachesIn() reads what getconf tells, and leaves out what it does not know", () => {
  const text =
    "LEVEL1_DCACHE_SIZE                 49152\nLEVEL2_CACHE_SIZE 2097152\nLEVEL3_CACHE_SIZE 0\nLEVEL4_CACHE_SIZE   \n";
  assertEquals(cachesIn(text), [
    { level: 1, kind: "data", bytes: 49_152 },
    { level: 2, kind: "unified", bytes: 2_097_152 },
  ]);
});

Deno.test("checkedConfig() gives nothing that kumi serve would refuse", () => {
  assertEquals(JSON.parse(checkedConfig({ model: "demo", noPrefixCache: true })), {
    model: "demo",
    noPrefixCache: true,
  });
  assertThrows(() => checkedConfig({ sequencesMax: 0 }), Error, "sequencesMax");
});
