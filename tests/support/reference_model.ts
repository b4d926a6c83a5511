/**
 * A decoder computed naively in double precision, straight from a file in f32: what families are held
 * against.
 * @module
 */

import type { GgufFile } from "../../src/gguf/mod.ts";
import type { RopeSettings } from "../../src/layers/rope_table.ts";
import type { LatentShape, LayerShape } from "../../src/layers/shape.ts";
import type { Hyperparameters } from "../../src/models/hyperparameters.ts";
import { expertWeights } from "./reference_experts.ts";
import { latentAttention } from "./reference_latent.ts";
import { linearMixer } from "./reference_linear.ts";

type Rows = Float64Array[];

/** What a family computes that neither its tensors nor the usual hyperparameters tell. From the families' papers. */
interface Habits {
  gate: (x: number) => number;
  /** Factors of embeddings, of what layers add, and of logits. */
  embedding: number;
  residual: number;
  logits: number;
  /** Queries and keys are normed after they were turned. */
  normsTurned: boolean;
  /** Queries at a position are multiplied by this. */
  sharpness: (position: number) => number;
  /** Norms are of what differs from the mean. */
  isLayerNorm: boolean;
  /** What becomes of the feed-forward's products of layer `i` where it has no gate. */
  activate: (x: number, i: number) => number;
  /** Attention and feed-forward read the same stream. */
  isParallel: boolean;
  /** Queries, keys and values stay within ± this. */
  clamp: number;
}

const LAYER_NORM_FAMILIES = [
  "gpt2",
  "starcoder",
  "starcoder2",
  "codeshell",
  "gptneox",
  "phi2",
  "falcon",
  "stablelm",
  "command-r",
  "cohere2",
  "nemotron",
  "olmo",
];
const PARALLEL_FAMILIES = ["phi2", "falcon", "command-r", "cohere2"];
/** Families whose files multiply logits by what they say; others divide. */
const COHERE = ["command-r", "cohere2"];

function habitsOf(file: GgufFile, { architecture, hidden, layers }: Hyperparameters): Habits {
  const key = (name: string, fallback: number) => file.get.f32(`${architecture}.${name}`, { fallback });
  const isGemma = architecture.startsWith("gemma");
  const original = file.get.u32(`${architecture}.rope.scaling.original_context_length`, { fallback: 1 });
  const beta = key("attention.temperature_scale", 0);
  const xielu = (name: string) => file.get.f32s(`xielu.${name}`, layers.length, { fallback: 0 });
  const alphaP = xielu("alpha_p"), alphaN = xielu("alpha_n"), slope = xielu("beta"), eps = xielu("eps");
  const activate = {
    apertus: (x: number, i: number) => {
      if (x > 0) return softplus(alphaP[i]) * x * x + slope[i] * x;
      return (Math.expm1(Math.min(x, eps[i])) - x) * (slope[i] + softplus(alphaN[i])) + slope[i] * x;
    },
    nemotron: (x: number) => Math.max(0, x) ** 2,
    nemotron_h: (x: number) => Math.max(0, x) ** 2,
    falcon: exactGelu,
  }[architecture];
  return {
    gate: isGemma ? gelu : architecture === "smallthinker" ? relu : silu,
    embedding: isGemma ? Math.sqrt(hidden) : key("embedding_scale", 1),
    residual: key("residual_scale", 1),
    logits: key("logit_scale", 1) ** (COHERE.includes(architecture) ? 1 : -1),
    normsTurned: architecture.startsWith("hunyuan-"),
    sharpness: (position) => 1 + beta * Math.log(1 + Math.floor(position / original)),
    isLayerNorm: LAYER_NORM_FAMILIES.includes(architecture),
    activate: activate ?? gelu,
    isParallel: PARALLEL_FAMILIES.includes(architecture) ||
      file.get.bool(`${architecture}.use_parallel_residual`, { fallback: false }),
    clamp: key("attention.clamp_kqv", 0) || Infinity,
  };
}

/**
 * Logits of every token of a sequence: [tokens, vocab]. Which tensors a layer has decides what it computes. `context`: what the
 * model was loaded for.
 */
export function referenceLogits(
  file: GgufFile,
  h: Hyperparameters,
  tokens: readonly number[],
  context = h.contextLength,
): Rows {
  const { states, logits } = decoderOf(file, h, context);
  return logits(states(tokens));
}

/**
 * Logits of the file's predictor behind every token: of token t they are for t + 1 as it is guessed from the state behind the tokens
 * before t, of the first one from zeros. `shape`: its layer's. `guesses`: tokens behind them, of which only the predictor's own state is
 * known. DeepSeek-AI 2024.
 */
export function referencePredictions(
  file: GgufFile,
  h: Hyperparameters,
  shape: LayerShape,
  tokens: readonly number[],
  guesses: readonly number[] = [],
): Rows {
  const i = h.layers.length, nextn = (name: string) => optional(file, `blk.${i}.nextn.${name}.weight`);
  const { embed, states } = decoderOf(file, h, h.contextLength);
  const { layer, logits } = decoderOf(file, { ...h, layers: [...h.layers, shape] }, h.contextLength);
  const before = states(tokens).slice(0, -1);
  const own = norm(embed([...tokens, ...guesses], nextn("embed_tokens")), nextn("enorm")!, h.normEps);
  const last = nextn("shared_head_norm") ?? read(file, "output_norm.weight");
  for (;;) {
    const normed = norm(before, nextn("hnorm")!, h.normEps);
    const pairs = own.slice(0, before.length + 1).map((row, t) => {
      const pair = new Float64Array(2 * h.hidden);
      pair.set(row);
      if (t > 0) pair.set(normed[t - 1], h.hidden);
      return pair;
    });
    const x = product(pairs, nextn("eh_proj")!);
    layer(x, i);
    const found = norm(x, last, h.normEps);
    if (pairs.length === own.length) return logits(found, nextn("shared_head_head"));
    before.push(found.at(-1)!);
  }
}

/** The parts of a decoder, each of rows of tokens. */
function decoderOf(file: GgufFile, h: Hyperparameters, context: number) {
  const table = read(file, "token_embd.weight");
  const habits = habitsOf(file, h);
  return { embed, layer, states, logits };

  function embed(tokens: readonly number[], rows = table): Rows {
    return tokens.map((id) =>
      Float64Array.from(
        rows.subarray(id * h.hidden, (id + 1) * h.hidden),
        (value) => value * habits.embedding,
      )
    );
  }

  /** After the last norm. */
  function states(tokens: readonly number[]): Rows {
    const x = embed(tokens);
    const positions = optional(file, "position_embd.weight");
    if (positions !== undefined) {
      for (const [t, row] of x.entries()) row.forEach((_, j) => row[j] += positions[t * h.hidden + j]);
    }
    for (const i of h.layers.keys()) layer(x, i);
    const lastWeight = optional(file, "output_norm.weight") ?? optional(file, "token_embd_norm.weight");
    return habits.isLayerNorm
      ? layerNorm(x, lastWeight, optional(file, "output_norm.bias"), h.normEps)
      : norm(x, lastWeight!, h.normEps);
  }

  function logits(last: Rows, weight = optional(file, "output.weight") ?? table): Rows {
    const logits = product(last, weight, optional(file, "output.bias"));
    return logits.map((row) => row.map((value) => capped(value * habits.logits, h.logitCap)));
  }

  /** x becomes what it is behind layer `i`. */
  function layer(x: Rows, i: number): void {
    const layer = h.layers[i];
    const tensor = (name: string) => tensorOf(file, h, i, name);
    const behind = (name: string) => tensor(`${name}.weight`) ?? tensor(name);
    const normed = (rows: Rows, weight?: Float32Array, bias?: Float32Array) => {
      if (habits.isLayerNorm) return layerNorm(rows, weight, bias, h.normEps);
      return weight === undefined ? rows : norm(rows, weight, h.normEps);
    };
    const named = (name: string) => normed(x, tensor(`${name}.weight`), tensor(`${name}.bias`));
    if (habits.isParallel) {
      const shared = named("attn_norm");
      const ownInput = tensor("attn_norm_2.weight") === undefined ? shared : named("attn_norm_2");
      const fed = feedForward(
        tensor("ffn_norm.weight") === undefined ? shared : named("ffn_norm"),
        i,
        tensor,
      );
      add(x, attention(ownInput, layer, h, tensor), 1);
      add(x, fed, 1);
      return;
    }
    if (h.architecture.startsWith("nemotron_h")) {
      const input = named("attn_norm"), has = (name: string) => tensor(`${name}.weight`) !== undefined;
      if (layer.linear !== undefined) add(x, linearMixer(input, layer.linear, h, tensor, product), 1);
      else if (has("attn_q")) add(x, attention(input, layer, h, tensor), 1);
      else add(x, has("ffn_gate_inp") ? mixture(input, input, tensor) : feedForward(input, i, tensor), 1);
      return;
    }
    const addNormed = (y: Rows, weight?: Float32Array) =>
      add(x, weight === undefined ? y : normed(y, weight), habits.residual);
    const layerInput = x.map((row) => row.slice());
    const mixed = layer.linear === undefined
      ? layer.latent === undefined
        ? attention(named("attn_norm"), layer, h, tensor)
        : latent(named("attn_norm"), layer, layer.latent, tensor)
      : linearMixer(named("attn_norm"), layer.linear, h, tensor, product);
    // Some call the norm before their feed-forward as others call the one behind attention.
    const isBefore = [tensor("ffn_norm.weight"), behind("post_ffw_norm")].every((norm) => norm === undefined);
    addNormed(mixed, isBefore ? undefined : behind("post_attention_norm"));
    const input = isBefore ? normed(x, behind("post_attention_norm")) : named("ffn_norm");
    const routed = tensor("ffn_gate_inp.weight") !== undefined;
    const routerInput = h.architecture === "smallthinker" ? layerInput : input;
    addNormed(
      routed ? mixture(input, routerInput, tensor) : feedForward(input, i, tensor),
      behind("post_ffw_norm"),
    );
  }

  function feedForward(
    input: Rows,
    i: number,
    tensor: (name: string) => Float32Array | undefined,
  ): Rows {
    const up = product(input, tensor("ffn_up.weight")!, tensor("ffn_up.bias"));
    const gateWeight = tensor("ffn_gate.weight");
    const gate = gateWeight && product(input, gateWeight);
    const activated = up.map((row, t) =>
      row.map((value, j) => gate ? habits.gate(gate[t][j]) * value : habits.activate(value, i))
    );
    return product(activated, tensor("ffn_down.weight")!, tensor("ffn_down.bias"));
  }

  /** The experts that each token's router chooses, and those that every token takes. */
  function mixture(
    input: Rows,
    routerInput: Rows,
    tensor: (name: string) => Float32Array | undefined,
  ): Rows {
    const logits = product(routerInput, tensor("ffn_gate_inp.weight")!, tensor("ffn_gate_inp.bias"));
    const part = (name: string, expert: number) => {
      const whole = tensor(name), size = whole && whole.length / logits[0].length;
      return whole?.subarray(expert * size!, (expert + 1) * size!);
    };
    const y = input.map((row) => new Float64Array(row.length));
    for (const [t, row] of input.entries()) {
      for (const [expert, weight] of expertWeights(file, logits[t], tensor("exp_probs_b.bias"))) {
        const of = (name: string) =>
          [part(`ffn_${name}_exps.weight`, expert)!, part(`ffn_${name}_exps.bias`, expert)] as const;
        const up = product([row], ...of("up"))[0];
        const gate = part("ffn_gate_exps.weight", expert) && product([row], ...of("gate"))[0];
        const inner = gate === undefined ? up.map((value) => relu(value) ** 2) : gate.map((value, j) => {
          if (h.architecture !== "gpt-oss") return habits.gate(value) * up[j];
          const bounded = Math.min(7, value);
          return bounded / (1 + Math.exp(-1.702 * bounded)) * (Math.max(-7, Math.min(7, up[j])) + 1);
        });
        add([y[t]], product([inner], ...of("down")), weight);
      }
    }
    const sharedUp = tensor("ffn_up_shexp.weight");
    if (sharedUp === undefined) return y;
    const sharedGate = tensor("ffn_gate_shexp.weight");
    const up = product(input, sharedUp), gate = sharedGate && product(input, sharedGate);
    const inner = up.map((row, t) =>
      row.map((value, j) => gate === undefined ? relu(value) ** 2 : silu(gate[t][j]) * value)
    );
    const factor = tensor("ffn_gate_inp_shexp.weight");
    for (const [t, row] of product(inner, tensor("ffn_down_shexp.weight")!).entries()) {
      add([y[t]], [row], factor === undefined ? 1 : 1 / (1 + Math.exp(-dot(input[t], factor))));
    }
    return y;
  }

  function attention(
    normed: Rows,
    { heads, kvHeads, keyDim, valueDim, window = Infinity, rope, isGated = false }: LayerShape,
    { normEps, attentionScale = 1 / Math.sqrt(keyDim), scoreCap, originalContext }: Hyperparameters,
    tensor: (name: string) => Float32Array | undefined,
  ): Rows {
    const range = context > originalContext ? "long" : "short";
    const factors = optional(file, "rope_freqs.weight") ?? optional(file, `rope_factors_${range}.weight`);
    const both = isGated ? product(normed, tensor("attn_q.weight")!) : [];
    const half = (row: Float64Array, which: number) =>
      row.filter((_, j) => Math.floor(j / keyDim) % 2 === which);
    const turned = (name: string, count: number) => {
      const weight = tensor(`${name}_norm.weight`);
      const isOfRows = weight !== undefined && weight.length > keyDim && !habits.isLayerNorm;
      const plain = isGated && name === "attn_q"
        ? both.map((row) => half(row, 0))
        : clamped(product(normed, tensor(`${name}.weight`)!, tensor(`${name}.bias`)));
      const rows = isOfRows ? norm(plain, weight, normEps) : plain;
      const normedHead = (part: Float64Array, head: number) => {
        if (weight === undefined || isOfRows) return part;
        if (habits.isLayerNorm) {
          return layerNorm(
            [part],
            weight.subarray(head * keyDim, (head + 1) * keyDim),
            undefined,
            normEps,
          )[0];
        }
        return norm([part], weight, normEps)[0];
      };
      return rows.map((row, position) =>
        Array.from({ length: count }, (_, head) => {
          const part = row.slice(head * keyDim, (head + 1) * keyDim);
          if (habits.normsTurned) return normedHead(turn(part, position, rope, factors), head);
          return turn(normedHead(part, head), position, rope, factors);
        })
      );
    };
    const q = turned("attn_q", heads), k = turned("attn_k", kvHeads);
    const v = clamped(product(normed, tensor("attn_v.weight")!, tensor("attn_v.bias")));
    const mixed = q.map((queries, position) => {
      const y = new Float64Array(heads * valueDim);
      const scale = attentionScale * habits.sharpness(position);
      for (const [head, query] of queries.entries()) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const first = Math.max(0, position - window + 1);
        const scores = Array.from({ length: position + 1 - first }, (_, t) => {
          return capped(dot(query, k[first + t][kvHead]) * scale, scoreCap);
        });
        const sink = tensor("attn_sinks.weight")?.[head] ?? -Infinity;
        const highest = Math.max(sink, ...scores);
        const weights = scores.map((score) => Math.exp(score - highest));
        const sum = weights.reduce((a, b) => a + b, Math.exp(sink - highest));
        for (const [t, weight] of weights.entries()) {
          for (let j = 0; j < valueDim; j++) {
            y[head * valueDim + j] += weight / sum * v[first + t][kvHead * valueDim + j];
          }
        }
      }
      if (!isGated) return y;
      const gate = half(both[position], 1);
      return y.map((value, j) => value / (1 + Math.exp(-gate[j])));
    });
    return product(mixed, tensor("attn_output.weight")!, tensor("attn_output.bias"));
  }

  function latent(
    rows: Rows,
    { heads, rope }: LayerShape,
    shape: LatentShape,
    tensor: (name: string) => Float32Array | undefined,
  ): Rows {
    const mixed = latentAttention(file, rows, heads, shape, {
      product,
      norm: (x, weight) => norm(x, weight, h.normEps),
      // Cosines and sines keep their size where the scores grow.
      turn: (vector, position) =>
        turn(vector, position, rope).map((value) => value / amplitude(rope.scaling)),
      tensor,
    });
    return product(mixed, tensor("attn_output.weight")!);
  }

  function clamped(rows: Rows): Rows {
    return rows.map((row) => row.map((value) => Math.max(-habits.clamp, Math.min(habits.clamp, value))));
  }
}

/** A layer's tensor, or its rows in the one that has it with others: queries, keys and values; gate and up. */
function tensorOf(
  file: GgufFile,
  { hidden, layers }: Hyperparameters,
  i: number,
  name: string,
): Float32Array | undefined {
  const { heads, kvHeads, keyDim, valueDim, ffn } = layers[i];
  const [part, end] = name.split(".");
  const q = heads * keyDim, k = kvHeads * keyDim, v = kvHeads * valueDim;
  const rows = { attn_q: [0, q], attn_k: [q, k], attn_v: [q + k, v], ffn_gate: [0, ffn], ffn_up: [ffn, ffn] };
  const whole = part.startsWith("ffn_") ? `blk.${i}.ffn_up.${end}` : `blk.${i}.attn_qkv.${end}`;
  const isFused = Object.hasOwn(rows, part) && file.tensors.has(whole) &&
    (!part.startsWith("ffn_") || file.tensor(whole).dims[1] === 2 * ffn);
  if (!isFused) return optional(file, `blk.${i}.${name}`);
  const [first, count] = rows[part as keyof typeof rows];
  const width = end === "bias" ? 1 : hidden;
  return read(file, whole).subarray(first * width, (first + count) * width);
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function relu(x: number): number {
  return Math.max(0, x);
}

/** The form with tanh. */
function gelu(x: number): number {
  return x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** x times the normal distribution, by the series of the error function. */
function exactGelu(x: number): number {
  if (Math.abs(x) > 8) return Math.max(0, x);
  let term = x, sum = x;
  for (let n = 1; n < 200; n++) sum += term *= x * x / (2 * n + 1);
  return x * (0.5 + Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * sum);
}

function softplus(x: number): number {
  return Math.log1p(Math.exp(x));
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
  const turned = head.slice();
  const length = amplitude(scaling);
  for (let i = 0; i < dimensions / 2; i++) {
    const angle = position * frequency(i, rope) / (factors?.[i] ?? 1);
    const [a, b] = pairing === "interleaved" ? [2 * i, 2 * i + 1] : [i, i + dimensions / 2];
    turned[a] = length * (head[a] * Math.cos(angle) - head[b] * Math.sin(angle));
    turned[b] = length * (head[a] * Math.sin(angle) + head[b] * Math.cos(angle));
  }
  return turned;

  function frequency(i: number, { scaling }: RopeSettings): number {
    const plain = base ** (-2 * i / dimensions);
    if (scaling.type === "none") return plain;
    if (scaling.type === "linear") return plain / scaling.factor;
    // Peng et al. 2023: pairs that turn often within the original context stay, those that turn seldom are interpolated.
    const { factor, originalContext, betaFast, betaSlow } = scaling;
    const pairOf = (turns: number) =>
      dimensions * Math.log(originalContext / (2 * Math.PI * turns)) / (2 * Math.log(base));
    const low = Math.max(0, Math.floor(pairOf(betaFast)));
    const high = Math.min(dimensions - 1, Math.ceil(pairOf(betaSlow)));
    const stretched = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    return plain * (1 - stretched) + plain / factor * stretched;
  }
}

/** What the turned part of a head is multiplied by. */
function amplitude(scaling: RopeSettings["scaling"]): number {
  const { attentionFactor = 1 } = scaling;
  return scaling.type === "yarn" ? attentionFactor * (1 + 0.1 * Math.log(scaling.factor)) : attentionFactor;
}

function norm(x: Rows, weight: Float32Array, eps: number): Rows {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + eps);
    return row.map((value, i) => value * scale * weight[i]);
  });
}

function layerNorm(
  x: Rows,
  weight: Float32Array | undefined,
  bias: Float32Array | undefined,
  eps: number,
): Rows {
  return x.map((row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const centred = row.map((value) => value - mean);
    const scale = 1 / Math.sqrt(dot(centred, centred) / row.length + eps);
    return centred.map((value, i) => value * scale * (weight?.[i] ?? 1) + (bias?.[i] ?? 0));
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

function add(x: Rows, y: Rows, scale: number): void {
  for (const [t, row] of y.entries()) for (const [i, value] of row.entries()) x[t][i] += scale * value;
}

function read(file: GgufFile, name: string): Float32Array {
  const bytes = new Uint8Array(file.tensor(name).bytes);
  file.readInto(name, 0, bytes);
  return new Float32Array(bytes.buffer);
}

function optional(file: GgufFile, name: string): Float32Array | undefined {
  return file.tensors.has(name) ? read(file, name) : undefined;
}
