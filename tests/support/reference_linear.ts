/** Layers with a state, computed naively in double precision over a whole sequence. @module */

import type { LinearShape } from "../../src/layers/shape.ts";

type Rows = Float64Array[];
type Tensor = (name: string) => Float32Array | undefined;
type Product = (x: Rows, w: Float32Array) => Rows;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const silu = (x: number) => x * sigmoid(x);
const softplus = (x: number) => Math.log1p(Math.exp(x));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** What the layer gives for its normed input, before it is added to the residual stream. */
export function linearMixer(
  x: Rows,
  shape: LinearShape,
  { architecture, normEps }: { architecture: string; normEps: number },
  tensor: Tensor,
  product: Product,
): Rows {
  if (["granitehybrid", "nemotron_h", "nemotron_h_moe"].includes(architecture)) {
    return mamba2(x, shape, normEps, tensor, product);
  }
  if (shape.heads > 0) return deltaRule(x, shape, architecture === "qwen3next", normEps, tensor, product);
  const projected = product(x, tensor("shortconv.in_proj.weight")!), { channels } = shape;
  const part = (row: Float64Array, i: number) => row.subarray(i * channels, (i + 1) * channels);
  const inputs = projected.map((row) => part(row, 2).map((u, c) => u * part(row, 0)[c]));
  const mixed = convolved(inputs, tensor("shortconv.conv.weight")!, shape.taps);
  const gated = mixed.map((row, t) => row.map((value, c) => value * part(projected[t], 1)[c]));
  return product(gated, tensor("shortconv.out_proj.weight")!);
}

/** Each channel by itself: Σ w[j] · x[t − taps + 1 + j]. */
function convolved(x: Rows, w: Float32Array, taps: number): Rows {
  return x.map((row, t) =>
    row.map((_, c) => {
      let sum = 0;
      for (let j = 0; j < taps; j++) sum += w[c * taps + j] * (x[t - taps + 1 + j]?.[c] ?? 0);
      return sum;
    })
  );
}

/** S ← g·S + β·k·(v − g·Sᵀk)ᵀ; o = Sᵀq (Yang et al. 2024), with matrices [keyDim, valueDim]. */
function deltaRule(
  x: Rows,
  { taps, heads, keyHeads, keyDim, valueDim }: LinearShape,
  isJoint: boolean,
  eps: number,
  tensor: Tensor,
  product: Product,
): Rows {
  const mixed = convolved(product(x, tensor("attn_qkv.weight")!), tensor("ssm_conv1d.weight")!, taps)
    .map((row) => row.map(silu));
  const z = product(x, tensor("attn_gate.weight")!);
  const gates = isJoint ? product(x, tensor("ssm_ba.weight")!) : product(x, tensor("ssm_beta.weight")!);
  const alphas = isJoint ? gates : product(x, tensor("ssm_alpha.weight")!);
  const group = heads / keyHeads;
  const y = x.map(() => new Float64Array(heads * valueDim));
  for (let head = 0; head < heads; head++) {
    const keyHead = isJoint ? Math.floor(head / group) : head % keyHeads;
    // Of two heads a and b that share a key head a row of both has βa, βb, αa, αb.
    const place = isJoint ? keyHead * 2 * group + head % group : head;
    const matrix = Array.from({ length: keyDim }, () => new Float64Array(valueDim));
    for (const [t, row] of mixed.entries()) {
      const part = (first: number, count: number) => row.subarray(first, first + count);
      const unit = (v: Float64Array) => v.map((value) => value / Math.sqrt(dot(v, v) + 1e-6));
      const q = unit(part(keyHead * keyDim, keyDim)).map((value) => value / Math.sqrt(keyDim));
      const k = unit(part((keyHeads + keyHead) * keyDim, keyDim));
      const v = part(2 * keyHeads * keyDim + head * valueDim, valueDim);
      const keep = Math.exp(
        tensor("ssm_a")![head] *
          softplus(alphas[t][isJoint ? place + group : place] + tensor("ssm_dt.bias")![head]),
      );
      for (const line of matrix) line.forEach((value, j) => line[j] = value * keep);
      const beta = sigmoid(gates[t][place]);
      const written = v.map((value, j) => beta * (value - dot(k, matrix.map((line) => line[j]))));
      for (const [i, line] of matrix.entries()) line.forEach((_, j) => line[j] += k[i] * written[j]);
      const o = v.map((_, j) => dot(q, matrix.map((line) => line[j])));
      const scale = 1 / Math.sqrt(dot(o, o) / valueDim + eps), weight = tensor("ssm_norm.weight")!;
      o.forEach((value, j) => {
        const at = head * valueDim + j;
        y[t][at] = value * scale * weight[j] * silu(z[t][at]);
      });
    }
  }
  return product(y, tensor("ssm_out.weight")!);
}

/** S ← g·S + Δ·B·xᵀ; y = Sᵀ·C + D·x (Dao & Gu 2024), of which x · silu(z) is normed in parts as many as there are groups. */
function mamba2(
  x: Rows,
  { taps, channels, heads, keyHeads, keyDim, valueDim }: LinearShape,
  eps: number,
  tensor: Tensor,
  product: Product,
): Rows {
  const inner = heads * valueDim, bias = tensor("ssm_conv1d.bias")!;
  const projected = product(x, tensor("ssm_in.weight")!);
  const mixed = convolved(
    projected.map((row) => row.subarray(inner, inner + channels)),
    tensor("ssm_conv1d.weight")!,
    taps,
  ).map((row) => row.map((value, c) => silu(value + bias[c])));
  const y = x.map(() => new Float64Array(inner));
  for (let head = 0; head < heads; head++) {
    const group = Math.floor(head / (heads / keyHeads));
    const matrix = Array.from({ length: keyDim }, () => new Float64Array(valueDim));
    for (const [t, row] of mixed.entries()) {
      const of = (first: number, count: number) => row.subarray(first, first + count);
      const v = of(head * valueDim, valueDim), k = of(inner + group * keyDim, keyDim);
      const q = of(inner + (keyHeads + group) * keyDim, keyDim);
      const step = softplus(projected[t][inner + channels + head] + tensor("ssm_dt.bias")![head]);
      const keep = Math.exp(step * tensor("ssm_a")![head]);
      for (const [i, line] of matrix.entries()) {
        line.forEach((value, j) => line[j] = value * keep + step * k[i] * v[j]);
      }
      v.forEach((value, j) => {
        y[t][head * valueDim + j] = dot(q, matrix.map((line) => line[j])) + tensor("ssm_d")![head] * value;
      });
    }
  }
  const length = inner / keyHeads, weight = tensor("ssm_norm.weight")!;
  for (const [t, row] of y.entries()) {
    row.forEach((value, j) => row[j] = value * silu(projected[t][j]));
    for (let first = 0; first < inner; first += length) {
      const part = row.subarray(first, first + length);
      const scale = 1 / Math.sqrt(dot(part, part) / length + eps);
      part.forEach((value, j) => part[j] = value * scale * weight[first + j]);
    }
  }
  return product(y, tensor("ssm_out.weight")!);
}
