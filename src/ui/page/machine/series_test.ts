import { assertEquals } from "@std/assert";
import type { FeedFrame } from "../../feed.ts";
import { cpuShare, energyUse, hitShare, latencies, quantile, tokenRates } from "./series.ts";

function frame(
  at: number,
  generatedTokens: number,
  ttft: number[],
  change: Partial<FeedFrame> = {},
): FeedFrame {
  const zero = { running: 0, waiting: 0, waitingTokens: 0, refused: 0, prefillTokens: 0, decodeTokens: 0 };
  return {
    ...{ type: "frame", at, ready: true, restarts: 0, pending: 0, residentBytes: 0, cpuSeconds: at / 500 },
    classes: [{ name: "a", ...zero, generatedTokens, ttft, itl: [] }],
    workers: [],
    ...change,
  };
}

Deno.test("tokenRates() gives what was generated between two frames, by the time between them", () => {
  const frames = [frame(0, 10, []), frame(1000, 60, []), frame(1500, 160, []), frame(2500, 160, [])];
  assertEquals(tokenRates(frames, "a"), [null, 50, 200, 0]);
  assertEquals(tokenRates(frames, "b"), [null, null, null, null]);
});

Deno.test("quantile() spreads values evenly over their bucket, as Prometheus does", () => {
  assertEquals(quantile([0, 10, 0], [1, 3], 0.5), 2);
  assertEquals(quantile([5, 5, 0], [1, 3], 0.5), 1);
  assertEquals(quantile([0, 0, 4], [1, 3], 0.95), 3);
  assertEquals(quantile([0, 0, 0], [1, 3], 0.95), null);
});

Deno.test("latencies() are of what came since some frames ago, in ms", () => {
  const frames = [frame(0, 0, [100, 0, 0]), frame(1000, 0, [100, 10, 0])];
  assertEquals(latencies(frames, "a", "ttft", [1, 3], 0.5), [null, 2000]);
});

Deno.test("cpuShare() is in cores, hitShare() of prompts' tokens", () => {
  assertEquals(cpuShare([frame(0, 0, []), frame(1000, 0, [])]), 2);
  assertEquals(cpuShare([frame(0, 0, [])]), null);
  const engine = { promptTokens: 200, cachedTokens: 50 };
  assertEquals(
    hitShare(frame(0, 0, [], { workers: [{ worker: 0, state: "ready", engine }] as never })),
    0.25,
  );
  assertEquals(hitShare(frame(0, 0, [])), null);
});

Deno.test("energyUse() is of the last frames, and of nothing where nothing counts", () => {
  const frames = [frame(0, 10, [], { joules: 100 }), frame(2000, 60, [], { joules: 300 })];
  assertEquals(energyUse(frames), { watts: 100, joulesPerToken: 4 });
  assertEquals(energyUse(frames.slice(0, 1)), null);
  assertEquals(energyUse([frame(0, 0, []), frame(1000, 9, [])]), null);
  const idle = [frame(0, 10, [], { joules: 100 }), frame(1000, 10, [], { joules: 120 })];
  assertEquals(energyUse(idle), { watts: 20, joulesPerToken: null });
});
