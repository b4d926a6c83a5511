import { assertEquals, assertThrows } from "@std/assert";
import { samplingDefaults } from "./options/sampling.ts";
import { resolveSampling } from "./sampling.ts";

Deno.test("resolveSampling() fills in the defaults and a random seed", () => {
  const { seed, logitBias, logprobs, ...ruled } = resolveSampling({}, 10);
  assertEquals({ ...ruled }, { ...samplingDefaults });
  assertEquals(logitBias, []);
  assertEquals(logprobs, undefined);
  assertEquals(Number.isInteger(seed), true);
});

Deno.test("resolveSampling() throws a RangeError or a TypeError with the current value", () => {
  const bad: [object, string][] = [
    [{ temperature: -1 }, "current value is -1"],
    [{ temperature: NaN }, "current value is NaN"],
    [{ topK: 1.5 }, `"topK" must be an integer`],
    [{ topP: 1.01 }, "from 0 to 1"],
    [{ seed: -1 }, `"seed"`],
    [{ logprobs: 21 }, "from 0 to 20"],
    [{ repeatPenalty: 0 }, `"repeatPenalty"`],
    [{ logitBias: { 10: 1 } }, "current value is 10"],
    [{ logitBias: { x: 1 } }, "current value is NaN"],
    [{ logitBias: { 1: Infinity } }, "current value is Infinity"],
  ];
  for (const [options, message] of bad) assertThrows(() => resolveSampling(options, 10), RangeError, message);
  assertThrows(
    () => resolveSampling({ minP: "0.1" } as object, 10),
    TypeError,
    '"minP" must be a number from 0 to 1',
  );
});

Deno.test("resolveSampling() keeps biases as pairs", () => {
  assertEquals(resolveSampling({ logitBias: { 3: -100, 7: 2.5 } }, 10).logitBias, [[3, -100], [7, 2.5]]);
});
