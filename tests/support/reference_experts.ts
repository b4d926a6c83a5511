/** Which experts a token takes, naively in double precision and from a file's own words. @module */

import type { GgufFile } from "../../src/gguf/mod.ts";

/** Families whose weights stay shares of all experts' scores, unless files say otherwise. */
const OF_ALL = [
  "olmoe",
  "qwen2moe",
  "glm4moe",
  "bailingmoe2",
  "bailingmoe",
  "deepseek",
  "deepseek2",
  "dots1",
  "nemotron_h_moe",
];
const SIGMOID_FAMILIES = ["glm4moe", "nemotron_h_moe"];

/** The chosen experts and what each of them counts for. `bias` takes part in the choice alone. */
export function expertWeights(
  file: GgufFile,
  logits: Float64Array,
  bias?: Float32Array,
): Map<number, number> {
  const architecture = file.get.string("general.architecture");
  const u32 = (key: string, fallback: number) => file.get.u32(`${architecture}.${key}`, { fallback });
  const used = u32("expert_used_count", 0);
  const isSigmoid = u32("expert_gating_func", SIGMOID_FAMILIES.includes(architecture) ? 2 : 1) === 2;
  const scores = isSigmoid ? logits.map((x) => 1 / (1 + Math.exp(-x))) : softmax(logits);
  const keys = scores.map((score, i) => score + (bias?.[i] ?? 0));
  const groups = u32("expert_group_count", 1), size = keys.length / groups;
  const bestOf = (group: number) => {
    const [first, second = 0] = keys.slice(group * size, (group + 1) * size).sort().reverse();
    return first + second;
  };
  const open = Array.from({ length: groups }, (_, group) => group)
    .sort((a, b) => bestOf(b) - bestOf(a)).slice(0, u32("expert_group_used_count", groups));
  const chosen = Array.from(keys.keys())
    .filter((expert) => open.includes(Math.floor(expert / size)))
    .sort((a, b) => keys[b] - keys[a]).slice(0, used);
  // The softmax of the chosen ones' logits is the share of theirs in the softmax of all.
  const isDivided = file.get.bool(`${architecture}.expert_weights_norm`, {
    fallback: !OF_ALL.includes(architecture),
  });
  const sum = isDivided ? chosen.reduce((total, expert) => total + scores[expert], 0) : 1;
  const scale = file.get.f32(`${architecture}.expert_weights_scale`, { fallback: 1 });
  return new Map(chosen.map((expert) => [expert, scale * scores[expert] / sum]));
}

function softmax(x: Float64Array): Float64Array {
  const highest = Math.max(...x);
  const parts = x.map((value) => Math.exp(value - highest));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}
