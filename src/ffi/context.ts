/**
 * The kernels as a class: ids in handles, sizes checked, statuses turned into errors. Nothing outside this folder
 * sees a native function.
 * @module
 */

import { asBuffer } from "./buffers.ts";
import { createContext } from "./create_context.ts";
import { check } from "./errors.ts";
import type { ExpertsCall } from "./experts.ts";
import type { HeadProductsCall, LatentSplitCall } from "./latent.ts";
import { Library } from "./library.ts";
import { type Arena, idOf, type Rope, u32, type Vector, type Weights } from "./objects.ts";
import { StatefulKernels } from "./stateful_kernels.ts";
import { type Activation, type KernelsOptions, NONE, type Region, type UngatedActivation } from "./params.ts";
import { measure, type Measured } from "./measure.ts";
import {
  ActivationFunction,
  GateFunction,
  HeadNorm,
  Measurement,
  NormOrder,
  RopePairing,
} from "./symbols.ts";

export type { Measured } from "./measure.ts";
export { Arena, Rope, States, Vector, Weights } from "./objects.ts";
export { freeContext } from "./create_context.ts";
export { f32At, NONE } from "./params.ts";
export type {
  Activation,
  ArenaLayer,
  ArenaParams,
  KernelsOptions,
  Region,
  RopeParams,
  UngatedActivation,
} from "./params.ts";
export {
  type ExpertFunction,
  type ExpertRouting,
  ExpertsCall,
  gateFunction,
  plainFunction,
} from "./experts.ts";
export { HeadProductsCall, LatentSplitCall } from "./latent.ts";
export { DeltaRuleCall, ShortConvCall, type StatePart } from "./linear_attention.ts";
export { KernelError } from "./errors.ts";
export { LibraryError } from "./library.ts";

/**
 * What the library computes. It belongs to the thread that opened it; calls block that thread. Every method throws KernelError
 * when the library refuses, RangeError for numbers that are no u32, Error after {@linkcode Kernels.close}.
 */
export class Kernels extends StatefulKernels {
  /** Starts the thread team. Throws LibraryError, and KernelError for an `isa`, `cpus` or `numaNode` that there is not. */
  static open(options: KernelsOptions): Kernels {
    const library = Library.acquire(options.libraryPath);
    try {
      return new Kernels(library, createContext(library.symbols, options), options.interrupts);
    } catch (error) {
      library.release();
      throw error;
    }
  }

  /** Sets the tokens of this step: {tokens, sequences, extents, groups}, then the arrays of {@linkcode structs}. */
  setBatch(arena: Arena, descriptor: Uint32Array): void {
    const buffer = asBuffer(descriptor);
    const status = this.native.kumi_batch_set(this.id, arena.id, buffer, descriptor.byteLength);
    if (status < 0) check(status, "set batch", { tokens: descriptor[0], sequences: descriptor[1] });
  }

  /** y[i] = scale · row ids[i] of the table. y: [ids, k] f32. */
  lookUpRows(table: Weights, ids: Uint32Array, scale: number, y: Region): void {
    const status = this.native.kumi_embed(
      this.id,
      table.id,
      asBuffer(ids),
      ids.byteLength,
      scale,
      u32(y, "y"),
    );
    if (status < 0) check(status, "embed", { ids: ids.length, rows: table.rows, k: table.k, scale });
  }

  /** y[i] += the row of the table that the position of the batch's token i names. y: [tokens, k] f32. */
  addPositions(arena: Arena, table: Weights, y: Region): void {
    const status = this.native.kumi_add_positions(this.id, arena.id, table.id, u32(y, "y"));
    if (status < 0) check(status, "addPositions", { positions: table.rows, k: table.k });
  }

  /** y = x / √(mean(x²) + eps) · weight. x: [n, weight's length] f32; y's region may be x. */
  rmsNorm(x: Region, weight: Vector, n: number, eps: number, y: Activation): void {
    const status = this.native.kumi_rms_norm(
      this.id,
      u32(x, "x"),
      weight.id,
      u32(n, "n"),
      eps,
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "rmsNorm", { n, k: weight.length, eps });
  }

  /** y += x / √(mean(x²) + eps) · weight. x, y: [n, weight's length] f32, not the same region. */
  rmsNormAdd(x: Region, weight: Vector, n: number, eps: number, y: Region): void {
    const status = this.native.kumi_rms_norm_add(
      this.id,
      u32(x, "x"),
      weight.id,
      u32(n, "n"),
      eps,
      u32(y, "y"),
    );
    if (status < 0) check(status, "rmsNormAdd", { n, k: weight.length, eps });
  }

  /** y = (x − mean(x)) / √(var(x) + eps) · weight + bias. x: [n, k] f32; y's region is not x. */
  layerNorm(
    x: Region,
    weight: Vector | undefined,
    bias: Vector | undefined,
    k: number,
    n: number,
    eps: number,
    y: Activation,
  ): void {
    const status = this.native.kumi_layer_norm(
      this.id,
      u32(x, "x"),
      idOf(weight),
      idOf(bias),
      u32(k, "k"),
      u32(n, "n"),
      eps,
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "layerNorm", { n, k, eps });
  }

  /** Quantises x: [n, k] f32 in the forms of y; f32 among them is a copy. y's region is not x. */
  quantizeActivations(x: Region, k: number, n: number, y: Activation): void {
    const status = this.native.kumi_quantize_activations(
      this.id,
      u32(x, "x"),
      u32(k, "k"),
      u32(n, "n"),
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "quantizeActivations", { n, k });
  }

  /**
   * Up to three products of the same x: y = x · wᵀ + b, or y += … with `accumulate`. x: [columns, k] in the forms
   * that the weights' formats read; y: [columns, rows] f32.
   */
  matmul(
    x: Activation,
    columns: number,
    accumulate: boolean,
    w0: Weights,
    b0: Vector | undefined,
    y0: Region,
    w1?: Weights,
    b1?: Vector,
    y1: Region = NONE,
    w2?: Weights,
    b2?: Vector,
    y2: Region = NONE,
  ): void {
    const status = this.native.kumi_matmul(
      this.id,
      u32(x.region, "x.region"),
      u32(x.forms, "x.forms"),
      u32(columns, "columns"),
      accumulate ? 1 : 0,
      w0.id,
      idOf(b0),
      u32(y0, "y0"),
      idOf(w1),
      idOf(b1),
      u32(y1, "y1"),
      idOf(w2),
      idOf(b2),
      u32(y2, "y2"),
    );
    if (status < 0) {
      check(status, "matmul", {
        columns,
        weights: [w0, w1, w2].filter((w) => w !== undefined).join(" and "),
      });
    }
  }

  /**
   * y = f(x · gateᵀ + gateBias) · (x · upᵀ + upBias) in the forms of y; the scratch regions hold [columns, rows] f32 each.
   */
  gateUp(
    x: Activation,
    columns: number,
    gate: Weights,
    gateBias: Vector | undefined,
    up: Weights,
    upBias: Vector | undefined,
    scratchGate: Region,
    scratchUp: Region,
    f: keyof typeof GateFunction,
    y: Activation,
  ): void {
    const status = this.native.kumi_gate_up(
      this.id,
      u32(x.region, "x.region"),
      u32(x.forms, "x.forms"),
      u32(columns, "columns"),
      gate.id,
      idOf(gateBias),
      up.id,
      idOf(upBias),
      u32(scratchGate, "scratchGate"),
      u32(scratchUp, "scratchUp"),
      GateFunction[f],
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "gateUp", { columns, gate, up });
  }

  /** y = f(x · upᵀ + bias) in the forms of y; scratch holds [columns, rows] f32, and may be where y is f32. */
  upActivate(
    x: Activation,
    columns: number,
    up: Weights,
    bias: Vector | undefined,
    scratch: Region,
    f: UngatedActivation,
    y: Activation,
  ): void {
    const { alphaP, alphaN, beta, eps } = f.function === "xielu" ? f : NO_XIELU;
    const status = this.native.kumi_up_activate(
      this.id,
      u32(x.region, "x.region"),
      u32(x.forms, "x.forms"),
      u32(columns, "columns"),
      up.id,
      idOf(bias),
      u32(scratch, "scratch"),
      ActivationFunction[f.function],
      alphaP,
      alphaN,
      beta,
      eps,
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "upActivate", { columns, up, ...f });
  }

  /** y += what the experts give that the router's logits choose for each token. */
  experts({ params, encoded }: ExpertsCall, tokens: number): void {
    const status = this.native.kumi_experts(this.id, encoded, encoded.byteLength, u32(tokens, "tokens"));
    if (status >= 0) return;
    const { gate, up, down, routing: { experts, used } } = params;
    check(status, "experts", {
      tokens,
      experts,
      used,
      gate: gate?.weights,
      up: up.weights,
      down: down.weights,
    });
  }

  /** Keys of latent vectors, and the turned part of each query at its front. */
  latentSplit({ params, encoded }: LatentSplitCall, tokens: number): void {
    const status = this.native.kumi_latent_split(this.id, encoded, encoded.byteLength, u32(tokens, "tokens"));
    if (status >= 0) return;
    const { heads, latent, turned, plain } = params;
    check(status, "latentSplit", { tokens, heads, latent, turned, plain });
  }

  /** y[token, head] = W[head] · x[token, head], of parts of rows. */
  headProducts({ params, encoded }: HeadProductsCall, tokens: number): void {
    const status = this.native.kumi_head_products(
      this.id,
      encoded,
      encoded.byteLength,
      u32(tokens, "tokens"),
    );
    if (status >= 0) return;
    const { heads, weights, x, y } = params;
    check(status, "headProducts", { tokens, heads, weights, from: x.width, to: y.width });
  }

  /**
   * Rotates the heads of q and k by their tokens' positions, q in place, and stores k and v in the arena; without a `rope` nothing
   * is rotated. q: [tokens, heads, keyDim]; k: [tokens, kvHeads, keyDim]; v: [tokens, kvHeads, valueDim], as the arena's layer
   * has them; qNorm, kNorm: weights of each head's norm, before the rotation or after it, [keyDim] or one such row for each head.
   * `sharpening` other than 0: queries are multiplied by 1 + sharpening · ln(⌊position / sharpeningLength⌋ + 1). `clamp` other
   * than 0: before all that q, k and v are kept within ±clamp.
   */
  ropeAppend(
    rope: Rope | undefined,
    arena: Arena,
    layer: number,
    q: Region,
    k: Region,
    v: Region,
    heads: number,
    qNorm: Vector | undefined,
    kNorm: Vector | undefined,
    pairing: keyof typeof RopePairing,
    eps: number,
    normOrder: keyof typeof NormOrder = "before",
    sharpening = 0,
    sharpeningLength = 1,
    norm: keyof typeof HeadNorm = "rms",
    clamp = 0,
  ): void {
    const status = this.native.kumi_rope_append(
      this.id,
      idOf(rope),
      arena.id,
      u32(layer, "layer"),
      u32(q, "q"),
      u32(k, "k"),
      u32(v, "v"),
      u32(heads, "heads"),
      idOf(qNorm),
      idOf(kNorm),
      RopePairing[pairing],
      eps,
      NormOrder[normOrder],
      sharpening,
      u32(sharpeningLength, "sharpeningLength"),
      HeadNorm[norm],
      clamp,
    );
    if (status < 0) {
      check(status, "ropeAppend", { layer, heads, rotatedDims: rope?.rotatedDims, norm, clamp });
    }
  }

  /**
   * Causal attention of the batch's tokens in the layer's window; scores become softcap · tanh(score / softcap) unless that is 0.
   * q: [tokens, heads, keyDim]; y: [tokens, heads, valueDim], its region not q. sinks: a score of each head that takes part in its
   * softmax and has no value.
   */
  attention(
    arena: Arena,
    layer: number,
    q: Region,
    heads: number,
    scale: number,
    softcap: number,
    y: Activation,
    sinks?: Vector,
  ): void {
    const status = this.native.kumi_attention(
      this.id,
      arena.id,
      u32(layer, "layer"),
      u32(q, "q"),
      u32(heads, "heads"),
      scale,
      softcap,
      idOf(sinks),
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "attention", { layer, heads, softcap });
  }

  /** x = cap · tanh(scale · x / cap) in place, or scale · x with a cap of 0. x: [n, k] f32. */
  capLogits(x: Region, k: number, n: number, scale: number, cap: number): void {
    const status = this.native.kumi_cap_logits(this.id, u32(x, "x"), u32(k, "k"), u32(n, "n"), scale, cap);
    if (status < 0) check(status, "capLogits", { n, k, scale, cap });
  }

  /** y[i] = row index[i] of x. x, y: rows of k f32 values that do not overlap. */
  gatherRows(x: Region, k: number, index: Uint32Array, y: Region): void {
    const status = this.native.kumi_gather_rows(
      this.id,
      u32(x, "x"),
      u32(k, "k"),
      asBuffer(index),
      index.byteLength,
      u32(y, "y"),
    );
    if (status < 0) check(status, "gatherRows", { rows: index.length, k });
  }

  /** Chooses a token per row. logits: [n, vocab]; params: n SampleParams; data: u32; out: n SampleResults. */
  sample(
    logits: Region,
    vocab: number,
    n: number,
    params: Uint8Array,
    data: Uint32Array,
    out: Uint8Array,
  ): void {
    const status = this.native.kumi_sample(
      this.id,
      u32(logits, "logits"),
      u32(vocab, "vocab"),
      u32(n, "n"),
      asBuffer(params),
      params.byteLength,
      asBuffer(data),
      data.byteLength,
      asBuffer(out),
      out.byteLength,
    );
    if (status < 0) check(status, "sample", { vocab, n });
  }

  /** Log-probability of a target per row, and the likeliest token. logits: [n, vocab]; out: n ScoreResults. */
  score(logits: Region, vocab: number, n: number, targets: Uint32Array, out: Uint8Array): void {
    const status = this.native.kumi_score(
      this.id,
      u32(logits, "logits"),
      u32(vocab, "vocab"),
      u32(n, "n"),
      asBuffer(targets),
      targets.byteLength,
      asBuffer(out),
      out.byteLength,
    );
    if (status < 0) check(status, "score", { vocab, n });
  }

  /** Copies from a region of the workspace. */
  read(region: Region, target: Uint8Array): void {
    const status = this.native.kumi_read(
      this.id,
      u32(region, "region"),
      asBuffer(target),
      target.byteLength,
    );
    if (status < 0) check(status, "read", { region, bytes: target.byteLength });
  }

  /** Copies into a region of the workspace. */
  write(region: Region, source: Uint8Array): void {
    const status = this.native.kumi_write(
      this.id,
      u32(region, "region"),
      asBuffer(source),
      source.byteLength,
    );
    if (status < 0) check(status, "write", { region, bytes: source.byteLength });
  }

  /**
   * Encodes values, a whole number of the format's blocks, to GGUF blocks that fill `target` exactly. `importance`: how much each
   * column matters, at least 0; then the values are whole rows of as many.
   */
  quantize(format: number, source: Float32Array, target: Uint8Array, importance?: Float32Array): void {
    const id = u32(format, "format"), values = source.length, bytes = target.byteLength;
    const [from, to] = [asBuffer(source), asBuffer(target)];
    const status = importance === undefined
      ? this.native.kumi_quantize(this.id, id, from, values, to, bytes)
      : this.native.kumi_quantize_weighted(
        this.id,
        id,
        from,
        values,
        asBuffer(importance),
        importance.length,
        to,
        bytes,
      );
    check(status, "quantize", { format, values, bytes, row: importance?.length });
  }

  /** Decodes GGUF blocks; `target` takes exactly as many values as `source` holds. */
  dequantize(format: number, source: Uint8Array, target: Float32Array): void {
    const status = this.native.kumi_dequantize(
      this.id,
      u32(format, "format"),
      asBuffer(source),
      source.byteLength,
      asBuffer(target),
      target.length,
    );
    check(status, "dequantize", { format, values: target.length, bytes: source.byteLength });
  }

  /** One pass of a measurement of what the machine does with this team; {@linkcode measure} says which. */
  measure(what: keyof typeof Measurement, variant?: number, matrices?: readonly number[]): Measured {
    return measure(this.native, this.id, what, variant, matrices);
  }
}

const NO_XIELU = { alphaP: 0, alphaN: 0, beta: 0, eps: 0 };
