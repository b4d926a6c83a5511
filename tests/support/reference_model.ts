/**
 * A decoder computed naively in double precision, straight from a file in f32: what families are held
 * against.
 * @module
 */

import type { GgufFile } from "../../src/gguf/mod.ts";
import type { RopeSettings } from "../../src/layers/rope_table.ts";
import type { LayerShape } from "../../src/layers/shape.ts";
import type { Hyperparameters } from "../../src/models/hyperparameters.ts";

type Rows = Float64Array[];

/**
 * Logits of every token of a sequence: [tokens, vocab]. Which tensors a layer has decides what it computes.
 */
export function referenceLogits(file: GgufFile, h: Hyperparameters, tokens: readonly number[]): Rows {
  const table = read(file, "token_embd.weight");
  const isGemma = h.architecture.startsWith("gemma");
  const gateOf = isGemma ? gelu : silu;
  const x = tokens.map((id) => {
    const row = Float64Array.from(table.subarray(id * h.hidden, (id + 1) * h.hidden));
    return isGemma ? row.map((value) => value * Math.sqrt(h.hidden)) : row;
  });
  for (const [i, layer] of h.layers.entries()) {
    const tensor = (name: string) => optional(file, `blk.${i}.${name}`);
    const addNormed = (y: Rows, weight?: Float32Array) => add(x, weight ? norm(y, weight, h.normEps) : y);
    const mixed = attention(norm(x, tensor("attn_norm.weight")!, h.normEps), layer, h, tensor);
    addNormed(mixed, tensor("post_attention_norm.weight"));
    const normed = norm(x, tensor("ffn_norm.weight")!, h.normEps);
    const gate = product(normed, tensor("ffn_gate.weight")!), up = product(normed, tensor("ffn_up.weight")!);
    const gated = gate.map((row, t) => row.map((value, j) => gateOf(value) * up[t][j]));
    addNormed(product(gated, tensor("ffn_down.weight")!), tensor("post_ffw_norm.weight"));
  }
  const last = norm(x, read(file, "output_norm.weight"), h.normEps);
  const logits = product(last, optional(file, "output.weight") ?? table);
  return logits.map((row) => row.map((value) => capped(value, h.logitCap)));

  function attention(
    normed: Rows,
    { heads, kvHeads, keyDim, valueDim, window = Infinity, rope }: LayerShape,
    { normEps, attentionScale = 1 / Math.sqrt(keyDim), scoreCap }: Hyperparameters,
    tensor: (name: string) => Float32Array | undefined,
  ): Rows {
    const factors = optional(file, "rope_freqs.weight");
    const turned = (name: string, count: number) => {
      const rows = product(normed, tensor(`${name}.weight`)!, tensor(`${name}.bias`));
      const weight = tensor(`${name}_norm.weight`);
      return rows.map((row, position) =>
        Array.from({ length: count }, (_, head) => {
          const part = row.slice(head * keyDim, (head + 1) * keyDim);
          return turn(
            weight === undefined ? part : norm([part], weight, normEps)[0],
            position,
            rope,
            factors,
          );
        })
      );
    };
    const q = turned("attn_q", heads), k = turned("attn_k", kvHeads);
    const v = product(normed, tensor("attn_v.weight")!, tensor("attn_v.bias"));
    const mixed = q.map((queries, position) => {
      const y = new Float64Array(heads * valueDim);
      for (const [head, query] of queries.entries()) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const first = Math.max(0, position - window + 1);
        const scores = Array.from({ length: position + 1 - first }, (_, t) => {
          return capped(dot(query, k[first + t][kvHead]) * attentionScale, scoreCap);
        });
        const highest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - highest));
        const sum = weights.reduce((a, b) => a + b, 0);
        for (const [t, weight] of weights.entries()) {
          for (let j = 0; j < valueDim; j++) {
            y[head * valueDim + j] += weight / sum * v[first + t][kvHead * valueDim + j];
          }
        }
      }
      return y;
    });
    return product(mixed, tensor("attn_output.weight")!);
  }
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

/** The form with tanh. */
function gelu(x: number): number {
  return x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function capped(x: number, cap?: number): number {
  return cap === undefined ? x : cap * Math.tanh(x / cap);
}

function turn(
  head: Float64Array,
  position: number,
  rope: RopeSettings,
  factors?: Float32Array,
): Float64Array {
  const { pairing, dimensions, base, scaling } = rope;
  if (scaling.type === "yarn") throw new Error("the reference knows no YaRN");
  const stretch = scaling.type === "linear" ? scaling.factor : 1;
  const turned = head.slice();
  for (let i = 0; i < dimensions / 2; i++) {
    const angle = position * base ** (-2 * i / dimensions) / stretch / (factors?.[i] ?? 1);
    const [a, b] = pairing === "interleaved" ? [2 * i, 2 * i + 1] : [i, i + dimensions / 2];
    turned[a] = head[a] * Math.cos(angle) - head[b] * Math.sin(angle);
    turned[b] = head[a] * Math.sin(angle) + head[b] * Math.cos(angle);
  }
  return turned;
}

function norm(x: Rows, weight: Float32Array, eps: number): Rows {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + eps);
    return row.map((value, i) => value * scale * weight[i]);
  });
}

/** x · wᵀ + bias; w: as many rows as fit, of the length of x's. */
function product(x: Rows, w: Float32Array, bias?: Float32Array): Rows {
  return x.map((row) => {
    const y = new Float64Array(w.length / row.length);
    for (let r = 0; r < y.length; r++) {
      y[r] = dot(row, w.subarray(r * row.length, (r + 1) * row.length)) + (bias?.[r] ?? 0);
    }
    return y;
  });
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function add(x: Rows, y: Rows): void {
  for (const [t, row] of y.entries()) for (const [i, value] of row.entries()) x[t][i] += value;
}

function read(file: GgufFile, name: string): Float32Array {
  const bytes = new Uint8Array(file.tensor(name).bytes);
  file.readInto(name, 0, bytes);
  return new Float32Array(bytes.buffer);
}

function optional(file: GgufFile, name: string): Float32Array | undefined {
  return file.tensors.has(name) ? read(file, name) : undefined;
}
