/** What files of families with linear attention and short convolutions say, and which of them are refused. */

import { assertEquals, assertThrows } from "@std/assert";
import { MetadataReader } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { kvLayerOf, kvLayersOf, stateBytesOf, stateOffset } from "../layers/state_shape.ts";
import { checkModel } from "./check.ts";
import { composeModel } from "./compose.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

const DELTA = {
  "ssm.conv_kernel": 4,
  "ssm.inner_size": 256,
  "ssm.state_size": 32,
  "ssm.time_step_rank": 8,
  "ssm.group_count": 4,
};

function fileOf(architecture: string, changes: Record<string, MetadataValue | undefined>): ModelHeader {
  const all: Record<string, MetadataValue | undefined> = {
    block_count: 8,
    context_length: 4096,
    embedding_length: 256,
    feed_forward_length: 512,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "attention.layer_norm_rms_epsilon": 1e-5,
    ...changes,
  };
  const own = Object.entries(all).filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, MetadataValue] => [`${architecture}.${key}`, value!]);
  const get = new MetadataReader(new Map([["general.architecture", architecture], ...own]));
  return { get, tensors: new Map([["token_embd.weight", { type: 0, dims: [256, 300] }]]) };
}

function read(architecture: string, changes: Record<string, MetadataValue | undefined>): Hyperparameters {
  const file = fileOf(architecture, changes);
  assertEquals(unknownKeys(file, familyOf(file)), []);
  return readHyperparameters(file, familyOf(file));
}

/** Numbers of the layers with attention. */
const attending = ({ layers }: Hyperparameters) =>
  layers.flatMap(({ linear }, i) => linear === undefined ? [i] : []);

Deno.test("every fourth layer of Qwen 3.5 has attention, or as files say", () => {
  assertEquals(attending(read("qwen35", DELTA)), [3, 7]);
  assertEquals(attending(read("qwen35", { ...DELTA, full_attention_interval: 2 })), [1, 3, 5, 7]);
  const recurrent = [true, false, false, true, true, true, true, true];
  assertEquals(attending(read("qwen35", { ...DELTA, "attention.recurrent_layers": recurrent })), [1, 2]);
  assertEquals(read("qwen35", DELTA).layers.map(({ isGated = false }) => isGated)[3], true);
  const short = { ...DELTA, "attention.recurrent_layers": [true, false] };
  assertThrows(() => read("qwen35", short), ModelError, "has 2 values for 8 layers");
});

Deno.test("a layer of Nemotron H has a state, a feed-forward or attention, and nothing beside it", () => {
  const h = read("nemotron_h", {
    ...DELTA,
    block_count: 4,
    feed_forward_length: Int32Array.of(0, 512, 0, 0),
    "attention.head_count_kv": Int32Array.of(0, 0, 2, 0),
  });
  assertEquals(h.layers.map(({ linear }) => linear !== undefined), [true, false, false, true]);
  assertEquals(kvLayersOf(h.layers).map(({ kvHeads, rope }) => [kvHeads, rope.dimensions]), [[2, 0]]);
  assertEquals([2, 3].map((i) => kvLayerOf(h.layers, i)), [0, 1]);
  const { decoder, tensors } = composeModel(familyOf(fileOf("nemotron_h", DELTA)), h);
  assertEquals(decoder.layers.map((parts) => parts.length), [1, 1, 1, 1]);
  const names = (i: number) =>
    tensors.flatMap(({ name }) => name.startsWith(`blk.${i}.`) ? [name.slice(6, -".weight".length)] : []);
  assertEquals(names(1), ["attn_norm", "ffn_up", "ffn_down"]);
  assertEquals(names(2), ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"]);
});

Deno.test("Nemotron H with experts has them in place of feed-forwards, without gates", () => {
  const file = {
    ...DELTA,
    block_count: 3,
    feed_forward_length: Int32Array.of(0, 96, 0),
    "attention.head_count_kv": Int32Array.of(0, 0, 2),
    expert_count: 8,
    expert_used_count: 2,
    expert_feed_forward_length: 96,
    expert_shared_feed_forward_length: 160,
  };
  const h = read("nemotron_h_moe", file);
  assertEquals(h.layers.map(({ linear, experts }) => [linear !== undefined, experts?.ffn]), [
    [true, undefined],
    [false, 96],
    [false, undefined],
  ]);
  const { tensors } = composeModel(familyOf(fileOf("nemotron_h_moe", DELTA)), h);
  const own = tensors.flatMap(({ name }) => name.startsWith("blk.1.") ? [name.slice(6)] : []);
  assertEquals(own, [
    "attn_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_up_exps.weight",
    "ffn_down_exps.weight",
    "exp_probs_b.bias",
    "ffn_up_shexp.weight",
    "ffn_down_shexp.weight",
  ]);
  assertThrows(() => read("nemotron_h_moe", { ...file, moe_latent_size: 64 }), ModelError, "latent experts");
});

Deno.test("layers that predict further tokens are neither attention nor linear attention", () => {
  const h = read("qwen35", { ...DELTA, block_count: 9, nextn_predict_layers: 1 });
  assertEquals([h.layers.length, attending(h)], [8, [3, 7]]);
});

Deno.test("sizes of linear attention that kernels do not take are refused", () => {
  const refused = (changes: Record<string, MetadataValue | undefined>, message: string) =>
    assertThrows(() => read("qwen35", { ...DELTA, ...changes }), Error, message);
  refused({ "ssm.group_count": 3 }, "8 heads of linear attention cannot share 3 key heads");
  refused({ "ssm.inner_size": 512 }, "qwen35.ssm.inner_size is 512, and 8 heads of 32 elements have 256");
  refused({ "ssm.state_size": 24, "ssm.inner_size": 192 }, "qwen35.ssm.state_size is 24: supported are");
  refused({ "ssm.conv_kernel": 1 }, "qwen35.ssm.conv_kernel");
  refused({ "ssm.conv_kernel": 9 }, "qwen35.ssm.conv_kernel");
  refused({ "ssm.state_size": undefined }, "qwen35.ssm.state_size: expected u32, and the key is missing");
  refused({ "attention.value_length": 32 }, "gated attention with keys of 64 elements and values of 32");
  const message = "llama.ssm.conv_kernel is 4, which asks for state space layers: not supported";
  assertThrows(() => read("llama", { "ssm.conv_kernel": 4 }), ModelError, message);
});

Deno.test("a model without attention is refused", () => {
  const file = fileOf("qwen35", { ...DELTA, full_attention_interval: 9 });
  assertThrows(() => checkModel(file), ModelError, "the model has no layer with attention");
});

Deno.test("layers of LFM2 without heads of keys and values have short convolutions", () => {
  const heads = Int32Array.of(0, 0, 2, 0, 2, 0, 0, 0);
  const says = { "attention.head_count_kv": heads, "shortconv.l_cache": 3 };
  const h = read("lfm2", says);
  assertEquals(attending(h), [2, 4]);
  assertEquals(h.layers[0].linear, { channels: 256, taps: 3, heads: 0, keyHeads: 0, keyDim: 0, valueDim: 0 });
  assertThrows(
    () => read("qwen2", { "attention.head_count_kv": heads }),
    Error,
    "attention.head_count_kv[0]",
  );
  assertThrows(() => read("lfm2", { ...says, "shortconv.l_cache": undefined }), Error, "shortconv.l_cache");
});

Deno.test("states of layers follow each other, and keys and values have layers of their own", () => {
  const { layers } = read("qwen35", DELTA);
  const inputs = 3 * (2 * 4 * 32 + 256) * 4, matrices = 8 * 32 * 32 * 4;
  assertEquals(stateBytesOf(layers), 6 * (inputs + matrices));
  assertEquals([0, 1, 3, 4].map((i) => stateOffset(layers, i) / (inputs + matrices)), [0, 1, 3, 3]);
  assertEquals([3, 7].map((i) => kvLayerOf(layers, i)), [0, 1]);
  assertEquals(stateBytesOf(read("qwen2", {}).layers), 0);
});

Deno.test("Qwen 3 Next has alphas and betas in one tensor, Qwen 3.5 in two", () => {
  const names = (architecture: string, more = {}) => {
    const file = fileOf(architecture, { ...DELTA, ...more });
    const family = familyOf(file);
    return composeModel(family, readHyperparameters(file, family)).tensors
      .flatMap(({ name }) => /^blk\.0\.ssm_(ba|alpha|beta)\.weight$/.exec(name)?.[1] ?? []);
  };
  assertEquals(names("qwen35"), ["beta", "alpha"]);
  const experts = { expert_count: 8, expert_used_count: 2 };
  assertEquals(names("qwen35moe", experts), ["beta", "alpha"]);
  assertEquals(names("qwen3next", experts), ["ba"]);
});
