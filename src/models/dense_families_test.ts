/** What files of the families with RMSNorm may say, and what comes of it. */

import { assertEquals, assertThrows } from "@std/assert";
import { MetadataReader } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { unknownKeys } from "./keys.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";
import { familyOf } from "./registry.ts";

/** What a file of the family says with these keys beside those that all have. */
function fileOf(architecture: string, changes: Record<string, MetadataValue> = {}) {
  const all = {
    block_count: 4,
    embedding_length: 512,
    feed_forward_length: 512,
    context_length: 4096,
    "attention.head_count": 8,
    "attention.layer_norm_rms_epsilon": 1e-5,
    ...changes,
  };
  const own = Object.entries(all).map(([key, value]): [string, MetadataValue] => [
    `${architecture}.${key}`,
    value,
  ]);
  const get = new MetadataReader(new Map([["general.architecture", architecture], ...own]));
  return { get, tensors: new Map([["token_embd.weight", { type: 0, dims: [512, 300] }]]) };
}

function read(architecture: string, changes: Record<string, MetadataValue> = {}): Hyperparameters {
  const file = fileOf(architecture, changes);
  assertEquals(unknownKeys(file, familyOf(file)), []);
  return readHyperparameters(file, familyOf(file));
}

const windowsOf = ({ layers }: Hyperparameters) => layers.map(({ window = 0 }) => window);
const turnedOf = ({ layers }: Hyperparameters) => layers.map(({ rope }) => rope.dimensions);

Deno.test("Phi 3 sees a window in all layers where the file has one, and RoPE's amplitude", () => {
  const h = read("phi3", {
    "attention.sliding_window": 2047,
    "rope.dimension_count": 48,
    "rope.scaling.original_context_length": 1024,
    "rope.scaling.attn_factor": 1.25,
  });
  assertEquals([windowsOf(h), turnedOf(h), h.originalContext], [
    [2047, 2047, 2047, 2047],
    [48, 48, 48, 48],
    1024,
  ]);
  assertEquals(h.layers[0].rope.scaling, { type: "none", attentionFactor: 1.25 });
  assertEquals(windowsOf(read("phi3", { "attention.sliding_window": 0 })), [0, 0, 0, 0]);
  assertEquals(read("phi3", { "rope.scaling.type": "longrope" }).layers[0].rope.scaling, { type: "none" });
  assertEquals(read("phi3").originalContext, 4096);
});

Deno.test("an amplitude of RoPE counts in every scaling, and long RoPE is refused where there are no factors", () => {
  const scaling = (changes: Record<string, MetadataValue>) =>
    read("internlm2", changes).layers[0].rope.scaling;
  const amplitude = { "rope.scaling.attn_factor": 1.5 };
  assertEquals(scaling(amplitude), { type: "none", attentionFactor: 1.5 });
  const linear = { "rope.scaling.type": "linear", "rope.scaling.factor": 2 };
  assertEquals(scaling({ ...linear, ...amplitude }), { type: "linear", factor: 2, attentionFactor: 1.5 });
  const message = '"longrope"; supported are none, linear, yarn';
  assertThrows(() => read("internlm2", { "rope.scaling.type": "longrope" }), ModelError, message);
});

Deno.test("Granite's and MiniCPM's factors are the file's, and MiniCPM's otherwise follow from its sizes", () => {
  const scalesOf = ({ embeddingScale, residualScale, attentionScale, logitScale }: Hyperparameters) => [
    embeddingScale,
    residualScale,
    attentionScale,
    logitScale,
  ];
  assertEquals(scalesOf(read("granite")), [1, 1, undefined, 1]);
  const file = { embedding_scale: 12, residual_scale: 0.25, "attention.scale": 0.125, logit_scale: 8 };
  assertEquals(scalesOf(read("granite", file)), [12, 0.25, 0.125, 0.125]);
  assertEquals(scalesOf(read("minicpm", file)), [12, 0.25, 0.125, 0.125]);
  assertEquals(scalesOf(read("minicpm")), [12, 0.7, undefined, 0.5]);
  assertThrows(() => read("granite", { residual_scale: -1 }), Error, "granite.residual_scale: expected f32");
  assertThrows(() => read("internlm2", { residual_scale: 0.5 }), ModelError, "scaled residuals");
});

Deno.test("layers without RoPE: every fourth of SmolLM3, those without a window of EXAONE 4, all of a Granite that says so", () => {
  assertEquals(turnedOf(read("smollm3")), [64, 64, 64, 0]);
  assertEquals(turnedOf(read("exaone4")), [64, 64, 64, 64]);
  const hybrid = read("exaone4", { "attention.sliding_window": 128 });
  assertEquals([windowsOf(hybrid), turnedOf(hybrid)], [[128, 128, 128, 0], [64, 64, 64, 0]]);
  assertEquals(
    windowsOf(read("exaone4", { block_count: 64 })).filter((window) => window === 4096).length,
    48,
  );
  assertEquals(turnedOf(read("granite", { "rope.scaling.finetuned": false })), [0, 0, 0, 0]);
  assertEquals(turnedOf(read("granite", { "rope.scaling.finetuned": true })), [64, 64, 64, 64]);
});

Deno.test("OLMo 3's windowed layers are not stretched, and PLaMo 3's have a base of their own and are", () => {
  const yarn = { "rope.scaling.type": "yarn", "rope.scaling.factor": 4 };
  const window = { "attention.sliding_window": 128, "attention.sliding_window_pattern": 2 };
  const ropeOf = (h: Hyperparameters) =>
    h.layers.slice(0, 2).map(({ rope }) => [rope.base, rope.scaling.type]);
  assertEquals(ropeOf(read("olmo2", { ...yarn, ...window })), [[10_000, "none"], [10_000, "yarn"]]);
  assertEquals(ropeOf(read("olmo2", yarn)), [[10_000, "yarn"], [10_000, "yarn"]]);
  assertEquals(windowsOf(read("olmo2", { "attention.sliding_window": 128 })), [128, 128, 128, 0]);
  const plamo = read("plamo3", { ...yarn, ...window, "rope.freq_base": 1e6 });
  assertEquals(ropeOf(plamo), [[10_000, "yarn"], [1e6, "yarn"]]);
});

Deno.test("Ministral 3 sharpens attention where the file asks for it, and takes back part of YaRN's amplitude", () => {
  const yarn = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": Math.E,
    "rope.scaling.original_context_length": 1024,
  };
  const plain = read("mistral3", yarn);
  assertEquals([plain.sharpening, plain.layers[0].rope.scaling], [undefined, {
    type: "yarn",
    factor: Math.E,
    originalContext: 1024,
    attentionFactor: 1,
    extFactor: 1,
    betaFast: 32,
    betaSlow: 1,
  }]);
  const keys = { "attention.temperature_scale": 0.1, "rope.scaling.yarn_log_multiplier": 1 };
  const { sharpening, layers } = read("mistral3", { ...yarn, ...keys });
  const { scaling } = layers[0].rope;
  assertEquals([sharpening, scaling.attentionFactor], [{ by: 0.1, length: 1024 }, 1 / 1.1]);
  assertThrows(() => read("internlm2", keys), ModelError, "sharpens with the position");
});

Deno.test("Baichuan of 13B is refused for its ALiBi", () => {
  const message = "baichuan.block_count is 40, which asks for ALiBi: not supported";
  assertThrows(() => read("baichuan", { block_count: 40 }), ModelError, message);
});
