import { assertEquals } from "@std/assert";
import { limits } from "../ffi/symbols.ts";
import { SampleBatch } from "./sample_batch.ts";
import { resolveSampling } from "../protocol/sampling.ts";

const tokens = Array.from({ length: 100 }, (_, i) => i);

Deno.test("SampleBatch.encode() writes parameters, history and biases where the kernels look for them", () => {
  const batch = new SampleBatch(2);
  const plain = resolveSampling({ temperature: 0, seed: 2 ** 33 + 5, logprobs: 3 }, 1000);
  const biased = resolveSampling(
    { frequencyPenalty: 1, penaltyTokens: 3, seed: 1, logitBias: { 7: 0.5 } },
    1000,
  );
  const { params, data, out } = batch.encode([
    { params: plain, tokens },
    { params: biased, tokens, constraint: { grammar: 7, state: 9 } },
  ]);
  const words = new Uint32Array(params.buffer), floats = new Float32Array(params.buffer);
  assertEquals(floats[0], 0);
  assertEquals([...words.subarray(6, 16)], [40, 5, 2, 100, 3, 0, 0, 0, 0, 0]);
  assertEquals([words[16], words[17]], [limits.none, 0]);
  assertEquals(floats[18 + 5], 1);
  assertEquals([...words.subarray(24, 34)], [40, 1, 0, 100, 0, 0, 3, 3, 1, 1]);
  assertEquals([words[34], words[35]], [7, 9]);
  assertEquals([...data.subarray(0, 4)], [97, 98, 99, 7]);
  assertEquals(new Float32Array(data.buffer)[4], 0.5);
  assertEquals(data.length, 5);
  assertEquals(out.length, 2 * 43 * 4);
});

Deno.test("SampleBatch.encode() gives at least one word of data and grows when there are many", () => {
  const batch = new SampleBatch(1);
  assertEquals(batch.encode([{ params: resolveSampling({}, 10), tokens }]).data.length, 1);
  const many = Array.from({ length: 3000 }, (_, i) => i);
  const params = resolveSampling({ presencePenalty: 1, penaltyTokens: 2500 }, 10);
  const { data } = batch.encode([{ params, tokens: many }]);
  assertEquals([data.length, data[0], data[2499]], [2500, 500, 2999]);
});

Deno.test("SampleBatch.decode() reads results row by row", () => {
  const batch = new SampleBatch(2);
  const { out } = batch.encode([{ params: resolveSampling({}, 10), tokens }, {
    params: resolveSampling({}, 10),
    tokens,
  }]);
  const words = new Uint32Array(out.buffer), floats = new Float32Array(out.buffer);
  words.set([5, 0, 0], 0);
  words.set([6, 0, 1, 9], 43);
  floats.set([-0.5], 1);
  floats.set([-0.25], 44);
  floats.set([-1.5], 47);
  assertEquals(batch.decode(2), [
    { id: 5, logprob: -0.5, top: [] },
    { id: 6, logprob: -0.25, top: [{ id: 9, logprob: -1.5 }] },
  ]);
});
