import { assertAlmostEquals, assertEquals } from "@std/assert";
import { bandwidthByThreads, onMachine, type StepModel, withWorkers } from "./step_model.ts";

const STEP: StepModel = {
  fixedMs: 12,
  msPerToken: 2,
  msPerKvEntry: 0.001,
  relativeError: 0.05,
  requestMs: 1,
  tokenMs: 1,
};
/** 100 MB at 10 GB/s are 10 of the 12 ms. */
const NEEDS = { matrixBytes: 100e6 };

Deno.test("onMachine() scales reading by the memory and multiplying by the processors", () => {
  const to = onMachine(STEP, NEEDS, { readGBps: 10, peakGmacps: 100 }, { readGBps: 40, peakGmacps: 800 });
  assertAlmostEquals(to.fixedMs, 10 / 4 + 2, 1e-9);
  assertAlmostEquals(to.msPerToken, 2 / 8, 1e-9);
  assertAlmostEquals(to.msPerKvEntry, 0.001 / 4, 1e-12);
  assertEquals([to.requestMs, to.relativeError], [1, 0.05]);
  // Weights that lie in caches: no more than all of the fixed time can be reading.
  const small = onMachine(STEP, { matrixBytes: 1e9 }, { readGBps: 10, peakGmacps: 1 }, {
    readGBps: 5,
    peakGmacps: 1,
  });
  assertEquals(small.fixedMs, 24);
});

Deno.test("withWorkers() divides the memory among workers, and gives each its threads", () => {
  const read = bandwidthByThreads({ 1: 10, 2: 16, 4: 20 }, null)!;
  assertEquals([1, 2, 3, 4, 8].map(read), [10, 16, 18, 20, 20]);
  const two = withWorkers(STEP, NEEDS, { workers: 1, threadsPerWorker: 1 }, {
    workers: 2,
    threadsPerWorker: 1,
  }, read);
  // Each reads 8 instead of 10 GB/s.
  assertAlmostEquals(two.fixedMs, 12.5 + 2, 1e-9);
  assertAlmostEquals(two.msPerToken, 2, 1e-9);
  const wide = withWorkers(STEP, NEEDS, { workers: 1, threadsPerWorker: 1 }, {
    workers: 1,
    threadsPerWorker: 2,
  }, read);
  assertAlmostEquals(wide.fixedMs, 10 * 10 / 16 + 2, 1e-9);
  assertAlmostEquals(wide.msPerToken, 1, 1e-9);
  assertEquals(bandwidthByThreads({}, 30)!(7), 30);
  assertEquals(bandwidthByThreads({}, null), null);
});
