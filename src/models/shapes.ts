/** Sizes of models that can be made of random numbers. @module */

import { scalarEntry } from "../gguf/entries.ts";
import { GgufError } from "../gguf/error.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { EXPERT_SHAPES } from "./expert_shapes.ts";
import { LINEAR_SHAPES } from "./linear_shapes.ts";
import { BLOCK_SHAPES, RMS_NORM_SHAPES, TINY } from "./tiny_shapes.ts";

/** Sizes of a decoder; everything a random model needs to know. */
export interface ModelShape {
  /** One of the supported architectures. */
  readonly family: string;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Elements of a value; default: as many as a key has. */
  readonly valueDim?: number;
  readonly vocab: number;
  /** Ends of the names of tensors that a file may leave out, and that this model has. Default: none of them. */
  readonly optional?: readonly string[];
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly ropeBase: number;
  /** Longest context in tokens. */
  readonly context: number;
  readonly eps: number;
  /** Metadata that the family reads beside what all have, or in its place: another count of heads for each layer. */
  readonly entries?: readonly MetadataEntry[];
  /** Frequency scaling as Llama 3.x, written as one factor for each pair of dimensions. */
  /** RoPE's factors for long contexts and for short ones grow from 1 to these along the pairs of a head. */
  readonly longRope?: { long: number; short: number };
  readonly ropeScaling?: { factor: number; lowFactor: number; highFactor: number; originalContext: number };
}

const SHAPES = {
  "llama-tiny": { ...TINY, family: "llama", headDim: 64, tied: false, ropeBase: 10000, eps: 1e-5 },
  "qwen2-tiny": { ...TINY, family: "qwen2", headDim: 64, tied: true, ropeBase: 1e6, eps: 1e-6 },
  // The heads' dimensions add up to twice the hidden size: nothing may assume that they are equal.
  "qwen3-tiny": { ...TINY, family: "qwen3", headDim: 128, tied: true, ropeBase: 1e6, eps: 1e-6 },
  "gemma-tiny": { ...TINY, family: "gemma", headDim: 96, tied: true, ropeBase: 10000, eps: 1e-6 },
  // Caps of about the size of what they bound.
  "gemma2-tiny": {
    ...TINY,
    family: "gemma2",
    headDim: 64,
    tied: true,
    ropeBase: 10000,
    eps: 1e-6,
    entries: [
      scalarEntry("u32", "gemma2.attention.sliding_window", 40),
      scalarEntry("f32", "gemma2.attn_logit_softcapping", 2),
      scalarEntry("f32", "gemma2.final_logit_softcapping", 3),
    ],
  },
  // Of the layers one sees a window that is shorter than the tests' prompts, one everything.
  "gemma3-tiny": {
    ...TINY,
    family: "gemma3",
    headDim: 128,
    kvHeads: 1,
    tied: true,
    ropeBase: 1e6,
    eps: 1e-6,
    entries: [
      scalarEntry("u32", "gemma3.attention.sliding_window", 24),
      scalarEntry("u32", "gemma3.attention.sliding_window_pattern", 2),
    ],
  },
  ...RMS_NORM_SHAPES,
  ...BLOCK_SHAPES,
  ...EXPERT_SHAPES,
  ...LINEAR_SHAPES,
  "gemma3-1b": {
    family: "gemma3",
    hidden: 1152,
    feedForward: 6912,
    layers: 26,
    heads: 4,
    kvHeads: 1,
    headDim: 256,
    vocab: 262144,
    tied: true,
    ropeBase: 1e6,
    context: 32768,
    eps: 1e-6,
    entries: [scalarEntry("u32", "gemma3.attention.sliding_window", 512)],
  },
  // StarCoderBase 3B and Code Llama 7B.
  "starcoder-3b": {
    family: "starcoder",
    hidden: 2816,
    feedForward: 11264,
    layers: 36,
    heads: 22,
    kvHeads: 1,
    headDim: 128,
    vocab: 49152,
    tied: true,
    ropeBase: 10000,
    context: 8192,
    eps: 1e-5,
    entries: [scalarEntry("f32", "starcoder.attention.layer_norm_epsilon", 1e-5)],
  },
  "codellama-7b": {
    family: "llama",
    hidden: 4096,
    feedForward: 11008,
    layers: 32,
    heads: 32,
    kvHeads: 32,
    headDim: 128,
    vocab: 32016,
    tied: false,
    ropeBase: 1e6,
    context: 16384,
    eps: 1e-5,
  },
  "smollm-135m": {
    family: "llama",
    hidden: 576,
    feedForward: 1536,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    vocab: 49152,
    tied: true,
    ropeBase: 100000,
    context: 8192,
    eps: 1e-5,
  },
  "qwen3-0.6b": {
    family: "qwen3",
    hidden: 1024,
    feedForward: 3072,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    vocab: 151936,
    tied: true,
    ropeBase: 1e6,
    context: 40960,
    eps: 1e-6,
  },
  "llama-1b": {
    family: "llama",
    hidden: 2048,
    feedForward: 8192,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    vocab: 128256,
    tied: true,
    ropeBase: 500000,
    context: 131072,
    eps: 1e-5,
    ropeScaling: { factor: 32, lowFactor: 1, highFactor: 4, originalContext: 8192 },
  },
} satisfies Record<string, ModelShape>;

/** Names of the shapes that {@linkcode modelShape} knows. */
export type ShapeName = keyof typeof SHAPES;

export const shapeNames: readonly ShapeName[] = Object.keys(SHAPES) as ShapeName[];

/** The shape of this name. Throws {@linkcode GgufError} that lists the names. */
export function modelShape(name: string): ModelShape {
  if (!Object.hasOwn(SHAPES, name)) {
    throw new GgufError(`expected one of the shapes ${shapeNames.join(", ")}, current value is ${name}`);
  }
  return SHAPES[name as ShapeName];
}
