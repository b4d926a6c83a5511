/** Latent attention, naively in double precision: keys and values of each head are made of every token's latent vector. @module */

import type { GgufFile } from "../../src/gguf/mod.ts";
import type { LatentShape } from "../../src/layers/shape.ts";

type Rows = Float64Array[];

/** What it computes with: products of rows with a tensor, a norm, RoPE of one vector at a position. */
export interface LatentTools {
  product: (rows: Rows, weight: Float32Array) => Rows;
  norm: (rows: Rows, weight: Float32Array) => Rows;
  turn: (vector: Float64Array, position: number) => Float64Array;
  tensor: (name: string) => Float32Array | undefined;
}

/** What a layer's attention gives for rows after their norm, before its output matrix: [tokens, heads · valueDim]. DeepSeek-AI 2024. */
export function latentAttention(
  file: GgufFile,
  rows: Rows,
  heads: number,
  { rank, plain, turned, valueDim }: LatentShape,
  { product, norm, turn, tensor }: LatentTools,
): Rows {
  const low = tensor("attn_q_a.weight");
  const queries = low === undefined
    ? product(rows, tensor("attn_q.weight")!)
    : product(norm(product(rows, low), tensor("attn_q_a_norm.weight")!), tensor("attn_q_b.weight")!);
  const both = product(rows, tensor("attn_kv_a_mqa.weight")!);
  const latents = norm(both.map((row) => row.slice(0, rank)), tensor("attn_kv_a_norm.weight")!);
  const shared = both.map((row, position) => turn(row.slice(rank), position));
  const scale = scoreScale(file, plain + turned);
  const mixed = rows.map(() => new Float64Array(heads * valueDim));
  for (let head = 0; head < heads; head++) {
    const [keyMatrix, valueMatrix] = matricesOf(head);
    const keys = product(latents, keyMatrix), values = product(latents, valueMatrix);
    for (const [position, row] of queries.entries()) {
      const query = row.slice(head * (plain + turned), (head + 1) * (plain + turned));
      const own = query.slice(0, plain), seen = turn(query.slice(plain), position);
      const scores = keys.slice(0, position + 1).map((key, t) =>
        scale * (dot(own, key) + dot(seen, shared[t]))
      );
      const highest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - highest));
      const sum = weights.reduce((a, b) => a + b);
      for (const [t, weight] of weights.entries()) {
        values[t].forEach((value, j) => mixed[position][head * valueDim + j] += weight / sum * value);
      }
    }
  }
  return mixed;

  /** [plain, rank] and [valueDim, rank] of a head. */
  function matricesOf(head: number): [Float32Array, Float32Array] {
    const whole = tensor("attn_kv_b.weight");
    if (whole !== undefined) {
      const first = head * (plain + valueDim) * rank, middle = first + plain * rank;
      return [whole.subarray(first, middle), whole.subarray(middle, middle + valueDim * rank)];
    }
    // Newer files have what makes keys for the other side: [rank, plain].
    const given = tensor("attn_k_b.weight")!.subarray(head * rank * plain, (head + 1) * rank * plain);
    const keys = Float32Array.from(
      { length: given.length },
      (_, i) => given[i % rank * plain + Math.floor(i / rank)],
    );
    const values = tensor("attn_v_b.weight")!;
    return [keys, values.subarray(head * valueDim * rank, (head + 1) * valueDim * rank)];
  }
}

/** 1/√(elements of a key), and with YaRN what the authors' mscale_all_dim asks for: files have a tenth of it. */
function scoreScale(file: GgufFile, length: number): number {
  const key = (name: string) => `deepseek2.rope.scaling.${name}`;
  const growth = file.get.f32(key("yarn_log_multiplier"), { fallback: 0 });
  const factor = file.get.f32(key("factor"), { fallback: 1 });
  return (1 + growth * Math.log(factor)) ** 2 / Math.sqrt(length);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
