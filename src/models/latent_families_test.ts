/** What files of families with latent attention say, and which of them are refused. */

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { MetadataReader } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { composeModel } from "./compose.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

/** As DeepSeek V2 Lite's newer files. */
const NEWER = {
  "attention.head_count_kv": 1,
  "attention.kv_lora_rank": 512,
  "attention.key_length": 576,
  "attention.value_length": 512,
  "attention.key_length_mla": 192,
  "attention.value_length_mla": 128,
};
const OLDER = {
  "attention.head_count_kv": 16,
  "attention.kv_lora_rank": 512,
  "attention.key_length": 192,
  "attention.value_length": 128,
};

function fileOf(changes: Record<string, MetadataValue>): ModelHeader {
  const all: Record<string, MetadataValue> = {
    block_count: 3,
    context_length: 4096,
    embedding_length: 256,
    feed_forward_length: 512,
    "attention.head_count": 16,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.dimension_count": 64,
    ...changes,
  };
  const own = Object.entries(all).map(([key, value]): [string, MetadataValue] => [`deepseek2.${key}`, value]);
  const get = new MetadataReader(new Map([["general.architecture", "deepseek2"], ...own]));
  return { get, tensors: new Map([["token_embd.weight", { type: 0, dims: [256, 300] }]]) };
}

function read(changes: Record<string, MetadataValue>): Hyperparameters {
  const file = fileOf(changes);
  assertEquals(unknownKeys(file, familyOf(file)), []);
  return readHyperparameters(file, familyOf(file));
}

const namesOf = (h: Hyperparameters) =>
  composeModel(familyOf(fileOf(NEWER)), h).tensors.map(({ name }) => name).filter((name) =>
    name.startsWith("blk.1.attn")
  );

Deno.test("newer and older files of DeepSeek 2 say the same: one key for all heads, whose end is the value", () => {
  const [newer, older] = [read(NEWER), read(OLDER)];
  assertEquals(newer, older);
  const { heads, kvHeads, keyDim, valueDim, valuesInKeys, latent } = newer.layers[1];
  assertEquals([heads, kvHeads, keyDim, valueDim, valuesInKeys], [16, 1, 576, 512, true]);
  assertEquals(latent, { rank: 512, queryRank: undefined, plain: 128, turned: 64, valueDim: 128 });
  assertAlmostEquals(newer.attentionScale!, 1 / Math.sqrt(192), 1e-12);
  const of = (...names: string[]) => names.map((name) => `blk.1.attn_${name}.weight`);
  assertEquals(namesOf(newer), of("norm", "q", "kv_a_mqa", "kv_a_norm", "k_b", "v_b", "output"));
  const low = read({ ...NEWER, "attention.q_lora_rank": 96 });
  assertEquals(low.layers[0].latent!.queryRank, 96);
  assertEquals(
    namesOf(low),
    of("norm", "q_a", "q_a_norm", "q_b", "kv_a_mqa", "kv_a_norm", "k_b", "v_b", "output"),
  );
});

Deno.test("where DeepSeek's files say how scores grow with YaRN's factor, cosines and sines keep their size", () => {
  const yarn = {
    ...NEWER,
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 40,
    "rope.scaling.original_context_length": 4096,
  };
  const amplitude = 1 + 0.1 * Math.log(40);
  const plain = read(yarn), grown = read({ ...yarn, "rope.scaling.yarn_log_multiplier": 0.0707 });
  const factorOf = ({ layers: [{ rope: { scaling } }] }: Hyperparameters) => scaling.attentionFactor!;
  assertEquals(factorOf(plain), 1);
  assertAlmostEquals(plain.attentionScale!, 1 / Math.sqrt(192), 1e-12);
  assertAlmostEquals(factorOf(grown) * amplitude, 1, 1e-12);
  assertAlmostEquals(grown.attentionScale!, (1 + 0.0707 * Math.log(40)) ** 2 / Math.sqrt(192), 1e-7);
});

Deno.test("latent attention whose sizes kernels do not take is refused with them", () => {
  const cases: [Record<string, MetadataValue>, string][] = [
    [{ ...NEWER, "attention.kv_lora_rank": 500 }, "latent vectors of 500 elements: only multiples of 16"],
    [{ ...NEWER, "attention.value_length_mla": 120 }, "values of 120 elements: only multiples of 16"],
    [{ ...NEWER, "attention.key_length_mla": 64 }, "keys of 64 elements of which 64 are turned"],
  ];
  for (const [changes, message] of cases) assertThrows(() => read(changes), ModelError, message);
});
