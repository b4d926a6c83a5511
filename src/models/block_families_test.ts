/** What files of the families that follow GPT may say, and what comes of it. */

import { assertEquals, assertThrows } from "@std/assert";
import { MetadataReader } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { checkTensors } from "./check.ts";
import { composeModel } from "./compose.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

/** What a file of the family says with these keys beside those that all have. */
function fileOf(
  architecture: string,
  changes: Record<string, MetadataValue> = {},
  tensors: Record<string, number[]> = {},
): ModelHeader {
  const all = {
    block_count: 4,
    embedding_length: 512,
    feed_forward_length: 512,
    context_length: 4096,
    "attention.head_count": 8,
    "attention.layer_norm_epsilon": 1e-5,
    ...changes,
  };
  const own = Object.entries(all).map(([key, value]): [string, MetadataValue] => [
    key.startsWith("xielu.") ? key : `${architecture}.${key}`,
    value,
  ]);
  const get = new MetadataReader(new Map([["general.architecture", architecture], ...own]));
  const dims = { "token_embd.weight": [512, 300], ...tensors };
  return {
    get,
    tensors: new Map(Object.entries(dims).map(([name, dims]) => [name, { type: 0, dims }])),
  };
}

function read(...[architecture, changes, tensors]: Parameters<typeof fileOf>): Hyperparameters {
  const file = fileOf(architecture, changes, tensors);
  assertEquals(unknownKeys(file, familyOf(file)), []);
  return readHyperparameters(file, familyOf(file));
}

/** The names of what a file of the family must have, or may, in its first layer and outside of layers. */
function namesOf(...[architecture, changes, tensors]: Parameters<typeof fileOf>): string[] {
  const file = fileOf(architecture, changes, tensors);
  const family = familyOf(file);
  const composed = composeModel(family, readHyperparameters(file, family));
  return composed.tensors.filter(({ name }) => !/^blk\.[1-9]/.test(name)).map(({ name }) => name);
}

Deno.test("a LayerNorm's epsilon is asked for under its own name", () => {
  assertEquals(read("gpt2", { "attention.layer_norm_epsilon": 0.25 }).normEps, 0.25);
  const file = fileOf("gpt2", { "attention.layer_norm_epsilon": -1 });
  assertThrows(() => readHyperparameters(file, familyOf(file)), Error, "gpt2.attention.layer_norm_epsilon");
});

Deno.test("GPT-2 and StarCoder turn nothing and have a row for each position", () => {
  for (const family of ["gpt2", "starcoder"]) {
    assertEquals(read(family).layers.map(({ rope }) => rope.dimensions), [0, 0, 0, 0]);
    const file = fileOf(family);
    const { decoder } = composeModel(familyOf(file), readHyperparameters(file, familyOf(file)));
    assertEquals([decoder.positions?.rows, decoder.positions?.k], [4096, 512]);
  }
});

Deno.test("GPT-NeoX says whether its parts are parallel", () => {
  for (const isParallel of [true, false]) {
    const file = fileOf("gptneox", { use_parallel_residual: isParallel });
    const { decoder } = composeModel(familyOf(file), readHyperparameters(file, familyOf(file)));
    assertEquals(decoder.layers[0].length, isParallel ? 1 : 2);
  }
  assertThrows(() => read("gptneox"), Error, "gptneox.use_parallel_residual: expected bool");
  assertThrows(() => read("llama", { use_parallel_residual: true }), Error);
});

Deno.test("StableLM's parts are parallel where no norm lies before the feed-forward", () => {
  const says = { use_parallel_residual: true };
  assertEquals(read("stablelm").isParallel, false);
  assertEquals(read("stablelm", says).isParallel, true);
  // Converters write the key for models that have the norm, too.
  assertEquals(read("stablelm", says, { "blk.0.ffn_norm.weight": [512] }).isParallel, false);
  assertEquals(namesOf("stablelm", says).includes("blk.0.ffn_norm.weight"), false);
});

Deno.test("a norm of queries has weights for each head", () => {
  const file = fileOf("command-r", { block_count: 1 });
  const family = familyOf(file);
  const composed = composeModel(family, readHyperparameters(file, family));
  const required = composed.tensors.filter((tensor) => tensor.required).map(({ name, kind, rows, k }) => {
    return [name, { type: 0, dims: kind === "matrix" ? [k, rows] : [k] }] as const;
  });
  const check = (dims: number[]) => {
    const tensors = new Map([...required, ["blk.0.attn_q_norm.weight", { type: 0, dims }] as const]);
    checkTensors({ ...file, tensors }, composed);
  };
  check([64, 8]);
  const message = '"blk.0.attn_q_norm.weight" must be [8, 64], it is [64]';
  assertThrows(() => check([64]), ModelError, message);
});

Deno.test("Cohere 2 turns in windowed layers alone, and both Cohere families multiply logits", () => {
  const keys = { "attention.sliding_window": 128, logit_scale: 0.25 };
  const { layers, logitScale } = read("cohere2", keys);
  assertEquals(logitScale, 0.25);
  assertEquals(layers.map(({ window = 0, rope }) => [window, rope.dimensions]), [
    [128, 64],
    [128, 64],
    [128, 64],
    [0, 0],
  ]);
  assertThrows(() => read("cohere2"), Error, "cohere2.attention.sliding_window");
  assertEquals(read("command-r", { logit_scale: 0.0625 }).logitScale, 0.0625);
  assertEquals(read("command-r").logitScale, 1);
});

Deno.test("OLMo bounds queries, keys and values where the file says so, and others refuse to", () => {
  assertEquals([read("olmo").qkvClamp, read("olmo", { "attention.clamp_kqv": 8 }).qkvClamp], [0, 8]);
  assertEquals(namesOf("olmo").some((name) => name.includes("norm")), false);
  const message = "starcoder2.attention.clamp_kqv is 8, which asks for clamped queries, keys and values";
  assertThrows(() => read("starcoder2", { "attention.clamp_kqv": 8 }), ModelError, message);
});

Deno.test("Apertus has the numbers of its activation for each layer, or once for all", () => {
  const rms = { "attention.layer_norm_rms_epsilon": 1e-5 };
  const numbers = (beta: MetadataValue, eps = -1e-6) => ({
    ...rms,
    "xielu.alpha_p": 0.5,
    "xielu.alpha_n": 0.25,
    "xielu.beta": beta,
    "xielu.eps": eps,
  });
  const betas = (h: Hyperparameters) => h.activations?.map((f) => f.function === "xielu" ? f.beta : NaN);
  assertEquals(betas(read("apertus", numbers(0.5))), [0.5, 0.5, 0.5, 0.5]);
  assertEquals(betas(read("apertus", numbers(Float32Array.of(1, 2, 3, 4)))), [1, 2, 3, 4]);
  const three = numbers(Float32Array.of(1, 2, 3));
  assertThrows(() => read("apertus", three), Error, "xielu.beta: expected f32 or an array of 4");
  assertThrows(() => read("apertus", numbers(0.5, 1)), Error, "xielu.eps: expected f32");
  assertThrows(() => read("apertus", rms), Error, "xielu.alpha_p");
});

Deno.test("Falcon's second norm is one that files may have", () => {
  const file = fileOf("falcon");
  const { tensors } = composeModel(familyOf(file), readHyperparameters(file, familyOf(file)));
  const required = (name: string) => tensors.find((tensor) => tensor.name === name)?.required;
  assertEquals([required("blk.0.attn_norm.weight"), required("blk.0.attn_norm_2.weight")], [true, false]);
});
