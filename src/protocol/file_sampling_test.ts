import { assertEquals } from "@std/assert";
import type { MetadataValue } from "../gguf/value_types.ts";
import { readFileSampling } from "./file_sampling.ts";
import { resolveSampling } from "./sampling.ts";

function read(values: Record<string, MetadataValue>) {
  return readFileSampling(
    new Map(Object.entries(values).map(([key, value]) => [`general.sampling.${key}`, value])),
  );
}

Deno.test("readFileSampling() reads what authors recommend", () => {
  const { sampling, notes } = read({
    temp: Math.fround(0.6),
    top_k: 20,
    top_p: Math.fround(0.95),
    min_p: 0,
    penalty_repeat: Math.fround(1.05),
    penalty_last_n: 256,
  });
  assertEquals(notes, []);
  assertEquals(sampling, {
    temperature: 0.6,
    topK: 20,
    topP: 0.95,
    minP: 0,
    repeatPenalty: 1.05,
    penaltyTokens: 256,
  });
  assertEquals(read({}), { sampling: {}, notes: [] });
});

Deno.test("readFileSampling() tells of what it cannot use", () => {
  const { sampling, notes } = read({ temp: 11, top_k: 2.5, top_p: "all", mirostat: 2, xtc_probability: 0 });
  assertEquals(sampling, {});
  assertEquals(notes, [
    "general.sampling.temp is 11, which must be from 0 to 10: not used",
    "general.sampling.top_k is 2.5, which must be from 0 to 1048576: not used",
    'general.sampling.top_p is "all", which must be from 0 to 1: not used',
    "general.sampling.mirostat asks for Mirostat, which is not here: not used",
  ]);
});

Deno.test("resolveSampling() takes the caller's value, else the file's, else the library's", () => {
  const { temperature, topK, topP } = resolveSampling({ temperature: 0 }, 10, { temperature: 0.6, topK: 20 });
  assertEquals([temperature, topK, topP], [0, 20, 0.95]);
});
