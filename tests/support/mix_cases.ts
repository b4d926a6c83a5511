/** Shapes of models whose tensors take their formats from rules: names, dimensions and metadata, without weights. */

import type { TensorSpec } from "../../src/gguf/encode.ts";
import { scalarEntry } from "../../src/gguf/mod.ts";
import type { MetadataEntry } from "../../src/gguf/value_types.ts";

export interface MixCase {
  readonly name: string;
  readonly entries: readonly MetadataEntry[];
  readonly tensors: readonly TensorSpec[];
}

interface Shape {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly ffn: number;
  readonly experts?: number;
  readonly isTied?: boolean;
  /** Queries, keys and values are one matrix. */
  readonly isFused?: boolean;
  readonly extra?: readonly MetadataEntry[];
  readonly positions?: boolean;
}

// No rule asks for the number of rows.
const ROWS = 4;
const F32 = 0;

const SHAPES: Readonly<Record<string, Shape>> = {
  "llama 1B": { architecture: "llama", layers: 16, heads: 32, kvHeads: 8, hidden: 2048, ffn: 8192 },
  "llama 70B": { architecture: "llama", layers: 80, heads: 64, kvHeads: 8, hidden: 1024, ffn: 1024 },
  "smollm 135M": {
    architecture: "llama",
    layers: 30,
    heads: 9,
    kvHeads: 3,
    hidden: 576,
    ffn: 1536,
    isTied: true,
  },
  "rows of 80": { architecture: "llama", layers: 5, heads: 2, kvHeads: 2, hidden: 80, ffn: 96 },
  "mixtral": { architecture: "llama", layers: 32, heads: 32, kvHeads: 8, hidden: 512, ffn: 512, experts: 8 },
  "qwen2 7B": { architecture: "qwen2", layers: 28, heads: 28, kvHeads: 4, hidden: 3584, ffn: 18944 },
  "qwen2 72B": { architecture: "qwen2", layers: 80, heads: 64, kvHeads: 8, hidden: 1024, ffn: 1024 },
  "qwen3 0.6B": {
    architecture: "qwen3",
    layers: 28,
    heads: 16,
    kvHeads: 8,
    hidden: 1024,
    ffn: 3072,
    isTied: true,
  },
  "qwen3moe": {
    architecture: "qwen3moe",
    layers: 48,
    heads: 32,
    kvHeads: 4,
    hidden: 512,
    ffn: 256,
    experts: 128,
  },
  "gemma3 1B": {
    architecture: "gemma3",
    layers: 26,
    heads: 4,
    kvHeads: 1,
    hidden: 1152,
    ffn: 6912,
    isTied: true,
  },
  "phi3": {
    architecture: "phi3",
    layers: 32,
    heads: 32,
    kvHeads: 32,
    hidden: 3072,
    ffn: 8192,
    isFused: true,
  },
  "falcon": {
    architecture: "falcon",
    layers: 32,
    heads: 71,
    kvHeads: 1,
    hidden: 1024,
    ffn: 1024,
    isFused: true,
  },
  "gpt2": {
    ...{ architecture: "gpt2", layers: 12, heads: 12, kvHeads: 12, hidden: 768, ffn: 3072 },
    ...{ isFused: true, isTied: true, positions: true },
  },
};

/** All of them. */
export const mixCases: readonly MixCase[] = Object.entries(SHAPES).map(([name, shape]) => ({
  name,
  entries: entriesOf(shape),
  tensors: tensorsOf(shape),
}));

function entriesOf(shape: Shape): MetadataEntry[] {
  const { architecture, layers, heads, kvHeads, hidden, ffn, experts = 0 } = shape;
  const u32 = (key: string, value: number) => scalarEntry("u32", `${architecture}.${key}`, value);
  return [
    scalarEntry("string", "general.architecture", architecture),
    u32("block_count", layers),
    u32("context_length", 512),
    u32("embedding_length", hidden),
    u32("feed_forward_length", ffn),
    u32("attention.head_count", heads),
    u32("attention.head_count_kv", kvHeads),
    scalarEntry("f32", `${architecture}.attention.layer_norm_rms_epsilon`, 1e-5),
    scalarEntry("f32", `${architecture}.attention.layer_norm_epsilon`, 1e-5),
    ...(experts > 0
      ? [u32("expert_count", experts), u32("expert_used_count", 2), u32("expert_feed_forward_length", ffn)]
      : []),
    ...(architecture === "gemma3" ? [u32("attention.sliding_window", 512)] : []),
  ];
}

function tensorsOf(shape: Shape): TensorSpec[] {
  const { layers, hidden, ffn, experts = 0, isTied = false, isFused = false, positions = false } = shape;
  const matrix = (name: string, k: number, ...more: number[]) => ({
    name,
    type: F32,
    dims: [k, ROWS, ...more],
  });
  const vector = (name: string, k: number) => ({ name, type: F32, dims: [k] });
  const layer = (i: number): TensorSpec[] => {
    const at = (name: string) => `blk.${i}.${name}.weight`;
    const qkv = isFused ? ["attn_qkv"] : ["attn_q", "attn_k", "attn_v"];
    const suffix = experts > 0 ? "_exps" : "";
    const more = experts > 0 ? [experts] : [];
    return [
      vector(at("attn_norm"), hidden),
      vector(`blk.${i}.ffn_down.bias`, hidden),
      ...qkv.map((name) => matrix(at(name), hidden)),
      matrix(at("attn_output"), hidden),
      ...(experts > 0 ? [matrix(at("ffn_gate_inp"), hidden)] : []),
      matrix(at(`ffn_gate${suffix}`), hidden, ...more),
      matrix(at(`ffn_up${suffix}`), hidden, ...more),
      matrix(at(`ffn_down${suffix}`), ffn, ...more),
    ];
  };
  return [
    matrix("token_embd.weight", hidden),
    ...(positions ? [matrix("position_embd.weight", hidden)] : []),
    vector("output_norm.weight", hidden),
    ...(isTied ? [] : [matrix("output.weight", hidden)]),
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
  ];
}

/**
 * Types by tensor as a line for each kind of tensor: those of all layers in order, equal ones counted. `blk.*.attn_v.weight: 2 Q6_K,
 * 14 Q4_K`.
 */
export function typeLines(types: ReadonlyMap<string, string>): Record<string, string> {
  const kinds = new Map<string, [layer: number, type: string][]>();
  for (const [name, type] of types) {
    const layer = Number(/^blk\.(\d+)/.exec(name)?.[1] ?? 0);
    const kind = name.replace(/^blk\.\d+/, "blk.*");
    kinds.set(kind, [...kinds.get(kind) ?? [], [layer, type]]);
  }
  const lines: Record<string, string> = {};
  for (const kind of [...kinds.keys()].sort()) {
    const runs: [count: number, type: string][] = [];
    for (const [, type] of kinds.get(kind)!.sort(([a], [b]) => a - b)) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    lines[kind] = runs.map(([count, type]) => `${count} ${type}`).join(", ");
  }
  return lines;
}
