/** What files of families with experts say, and which of them are refused. */

import { assertEquals, assertThrows } from "@std/assert";
import { MetadataReader } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { checkModel, checkTensors } from "./check.ts";
import { composeModel } from "./compose.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf, supportedArchitectures } from "./registry.ts";

function fileOf(architecture: string, changes: Record<string, MetadataValue | undefined>): ModelHeader {
  const all: Record<string, MetadataValue | undefined> = {
    block_count: 4,
    context_length: 4096,
    embedding_length: 256,
    feed_forward_length: 512,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "attention.layer_norm_rms_epsilon": 1e-5,
    expert_count: 8,
    expert_used_count: 2,
    ...changes,
  };
  const own = Object.entries(all).filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, MetadataValue] => [`${architecture}.${key}`, value!]);
  const get = new MetadataReader(new Map([["general.architecture", architecture], ...own]));
  return { get, tensors: new Map([["token_embd.weight", { type: 0, dims: [256, 300] }]]) };
}

function read(
  architecture: string,
  changes: Record<string, MetadataValue | undefined> = {},
): Hyperparameters {
  const file = fileOf(architecture, changes);
  assertEquals(unknownKeys(file, familyOf(file)), []);
  return readHyperparameters(file, familyOf(file));
}

/** Of each layer: the feed-forward of every token, and of an expert, 0 where there is none. */
const sizesOf = ({ layers }: Hyperparameters) => layers.map(({ ffn, experts }) => [ffn, experts?.ffn ?? 0]);

Deno.test("experts are as large as files say, else as each family has them", () => {
  assertEquals(sizesOf(read("llama"))[3], [0, 512]);
  assertEquals(sizesOf(read("qwen3moe"))[3], [0, 256]);
  assertEquals(sizesOf(read("qwen3moe", { expert_feed_forward_length: 96 }))[3], [0, 96]);
  assertEquals(sizesOf(read("qwen2moe"))[3], [512, 256]);
  assertEquals(sizesOf(read("qwen2moe", { expert_shared_feed_forward_length: 64 }))[3], [64, 256]);
  assertEquals(sizesOf(read("hunyuan-moe"))[3], [512, 512]);
  const expert_feed_forward_length = 64;
  assertEquals(sizesOf(read("glm4moe", { expert_feed_forward_length, expert_shared_count: 3 }))[3], [
    192,
    64,
  ]);
  const sizes = { expert_feed_forward_length, expert_shared_count: 2, expert_shared_feed_forward_length: 48 };
  assertEquals(sizesOf(read("bailingmoe2", sizes))[3], [96, 64]);
});

Deno.test("SmallThinker routes what a layer reads; its first of four layers has neither window nor positions, or all have positions", () => {
  const positionsOf = ({ layers }: Hyperparameters) =>
    layers.map(({ window, rope: { dimensions } }) => [window, dimensions]);
  const windowed = read("smallthinker", { "attention.sliding_window": 4096, block_count: 6 });
  const first = [undefined, 0], other = [4096, 64];
  assertEquals(positionsOf(windowed), [first, other, other, other, first, other]);
  assertEquals(positionsOf(read("smallthinker"))[0], [undefined, 64]);
  const { decoder } = composeModel(familyOf(fileOf("smallthinker", {})), windowed);
  assertEquals(decoder.layers.map((parts) => parts.length), [3, 3, 3, 3, 3, 3]);
});

Deno.test("first layers and every second layer may be dense, and layers that predict further tokens are left out", () => {
  const dense = [512, 0], mixed = [0, 512];
  assertEquals(sizesOf(read("ernie4_5-moe", { leading_dense_block_count: 2 })), [dense, dense, mixed, mixed]);
  assertEquals(
    sizesOf(read("ernie4_5-moe", { leading_dense_block_count: 2, interleave_moe_layer_step: 2 })),
    [dense, dense, dense, mixed],
  );
  const h = read("glm4moe", { leading_dense_block_count: 1, nextn_predict_layers: 1 });
  assertEquals(sizesOf(h), [dense, mixed, mixed]);
  const composed = composeModel(familyOf(fileOf("glm4moe", {})), h);
  const required = composed.tensors.filter((spec) => spec.required);
  const tensors = new Map(required.map(({ name, kind, rows, k, experts }) => {
    const all = experts === undefined ? [k, rows] : [k, rows, experts];
    return [name, { type: 0, dims: kind === "vector" && rows === 1 ? [k] : all }];
  }));
  tensors.set("blk.3.nextn.eh_proj.weight", { type: 0, dims: [512, 256] });
  const get = new MetadataReader(new Map());
  checkTensors({ get, tensors }, composed);
  tensors.set("blk.4.attn_norm.weight", { type: 0, dims: [256] });
  assertThrows(
    () => checkTensors({ get, tensors }, composed),
    ModelError,
    '"blk.4.attn_norm.weight" has no place',
  );
  assertThrows(() => read("glm4moe", { nextn_predict_layers: 4 }), ModelError, "nextn_predict_layers is 4");
});

Deno.test("routers follow the file, else the family", () => {
  const routing = (architecture: string, changes = {}) => {
    const { scoring, normalise, scale, groups, groupsUsed } = read(architecture, changes).layers[3].experts!;
    return [scoring, normalise, scale, groups, groupsUsed];
  };
  assertEquals(routing("llama"), ["softmax", true, 1, 1, 1]);
  assertEquals(routing("olmoe"), ["softmax", false, 1, 1, 1]);
  assertEquals(routing("gpt-oss"), ["logits", true, 1, 1, 1]);
  assertEquals(routing("glm4moe"), ["sigmoid", false, 1, 1, 1]);
  const own = {
    expert_gating_func: 1,
    expert_weights_norm: true,
    expert_weights_scale: 2.5,
    expert_group_count: 4,
    expert_group_used_count: 2,
  };
  assertEquals(routing("bailingmoe2", own), ["softmax", true, 2.5, 4, 2]);
});

Deno.test("gpt-oss sees a window in every second layer, the first one among them", () => {
  const windows = (changes = {}) => read("gpt-oss", changes).layers.map(({ window }) => window);
  assertEquals(windows(), [128, undefined, 128, undefined]);
  assertEquals(windows({ "attention.sliding_window": 64 }), [64, undefined, 64, undefined]);
});

Deno.test("experts that cannot be are refused by name and value", () => {
  const refused = (
    architecture: string,
    changes: Record<string, MetadataValue | undefined>,
    message: string,
  ) => assertThrows(() => read(architecture, changes), Error, message);
  refused("qwen3", {}, "qwen3 with experts is not supported, this one has 8");
  refused(
    "llama",
    { expert_used_count: 9 },
    "llama.expert_used_count: expected u32 from 1 to 8, current value is 9",
  );
  refused("llama", { expert_count: 2000 }, "llama.expert_count is 2000: at most 1024 are supported");
  const groups = (expert_group_count: number, expert_used_count: number) => ({
    expert_used_count,
    expert_group_count,
    expert_group_used_count: 1,
  });
  refused("llama", groups(3, 2), "2 of 8 experts cannot be chosen from 1 of 3 groups");
  refused("llama", groups(4, 3), "3 of 8 experts cannot be chosen from 1 of 4 groups");
  refused(
    "llama",
    { moe_every_n_layers: 2 },
    "llama.moe_every_n_layers is 2, which asks for experts in some layers",
  );
  refused(
    "llama",
    { expert_gating_func: 4 },
    "expert_gating_func: expected u32 of at most 3, current value is 4",
  );
  const tensors = new Map([["token_embd.weight", { type: 0, dims: [256, 300] }]]);
  const odd = { ...fileOf("qwen3moe", { expert_feed_forward_length: 40 }), tensors };
  assertThrows(() => checkModel(odd), ModelError, "feed-forwards of 40 elements: only multiples of 16");
  // What is said of experts means nothing where there are none.
  for (const architecture of supportedArchitectures.filter((name) => name === "llama" || name === "qwen3")) {
    read(architecture, { expert_count: 0, moe_every_n_layers: 2 });
  }
});
