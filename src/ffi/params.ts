/**
 * What the kernels' operations take besides handles.
 * @module
 */

import { idOf, u32, type Vector } from "./objects.ts";
import {
  activationForms,
  type ActivationFunction,
  KvValues,
  limits,
  RopeScaling,
  structs,
} from "./symbols.ts";

/** "No region" or "no object", where an argument allows that. */
export const NONE: number = limits.none;

/** Where a matrix lies in the workspace, in units of 64 bytes. */
export type Region = number;

/**
 * One [rows, k] matrix in each form that somebody reads, one after another in a region. Where each begins
 * depends on the number of rows: who reads an activation with several forms reads as many rows as were
 * written.
 */
export interface Activation {
  readonly region: Region;
  /** A mask of {@linkcode activationForms}, at least one. */
  readonly forms: number;
}

/** A region of f32 rows as an activation. */
export function f32At(region: Region): Activation {
  return { region, forms: activationForms.f32 };
}

/**
 * What a feed-forward without a gate does to its products; kernels/src/ops/activate.zig has the formulas. xIELU's numbers are
 * those of files: the alphas before their softplus, beta, and the bound eps ≤ 0.
 */
export type UngatedActivation =
  | { readonly function: Exclude<keyof typeof ActivationFunction, "xielu"> }
  | {
    readonly function: "xielu";
    readonly alphaP: number;
    readonly alphaN: number;
    readonly beta: number;
    readonly eps: number;
  };

/** How kernels are opened. */
export interface KernelsOptions {
  /**
   * Threads of the team, the caller's included; default: `cpus`, or the cores this process may use, as the
   * quota allows.
   */
  threads?: number;
  /**
   * The CPUs that the team may use, of {@linkcode MachineInfo.nodes}. The calling thread keeps to them too
   * until the kernels are closed. Default: as the system likes.
   */
  cpus?: readonly number[];
  /**
   * The memory node where workspace, weights and KV cache should lie, and whose CPUs are used where `cpus`
   * names none. On a machine with one node this changes nothing.
   */
  numaNode?: number;
  /** Name of an instruction set level; default: KUMI_ISA, else the best that this machine has. */
  isa?: string;
  /** Size of the workspace; contents are lost when it is resized. */
  workspaceBytes: number;
  /** Shared memory whose first word may interrupt ops: {@linkcode Kernels.interruptible}. */
  interrupts?: Int32Array;
  /** The library's file; default: KUMI_LIBRARY, else the one of this checkout. */
  libraryPath?: string;
}

/** What a RoPE table is made from: kernels/src/ops/rope.zig has the formulas. */
export interface RopeParams {
  /** Dimensions of each head that are rotated; even. */
  rotatedDims: number;
  /** Positions 0 to maxPositions − 1 can be used. */
  maxPositions: number;
  base: number;
  scaling?: keyof typeof RopeScaling;
  /** Context extension, 1 for none. */
  factor?: number;
  /** Divides each frequency: rotatedDims / 2 values. */
  freqFactors?: Vector;
  /** Positions the model was trained on, for yarn and llama3. */
  originalContext?: number;
  /** YaRN's first and last turning dimension; for llama3 the high and low frequency factors. */
  betaFast?: number;
  betaSlow?: number;
  /** Multiplies the table. */
  attentionFactor?: number;
  /** YaRN's share of extrapolation, 0 to 1. */
  extFactor?: number;
}

/** What one layer keeps of a token in a KV cache. */
export interface ArenaLayer {
  kvHeads: number;
  /** Elements of a key, and of a value: multiples of 8 up to 576, of 32 up to 256 in q8_0. */
  keyDim: number;
  valueDim: number;
  /** Whether a value is the last `valueDim` elements of its key, which are kept once; not in q8_0. Default: it is kept beside it. */
  valuesInKeys?: boolean;
  /** Tokens that a query sees, its own among them; default: all up to its own. */
  window?: number;
  /** Layers of one group share the blocks of a sequence, so they have one window; default 0. */
  group?: number;
}

/** Shape of a KV cache. */
export interface ArenaParams {
  layers: readonly ArenaLayer[];
  /** Tokens it can hold, a multiple of 16. */
  slots: number;
  /** Type id of f32, f16, bf16 or q8_0. */
  format: number;
}

/** The structs that `kumi_arena_create` reads. */
export function encodeArenaLayers(layers: readonly ArenaLayer[]): Uint8Array<ArrayBuffer> {
  const { bytes, fields } = structs.ArenaLayer;
  const desc = new DataView(new ArrayBuffer(layers.length * bytes));
  layers.forEach(({ kvHeads, keyDim, valueDim, valuesInKeys = false, window = 0, group = 0 }, i) => {
    const where = valuesInKeys ? KvValues.inKeys : KvValues.own;
    const values = { kvHeads, keyDim, valueDim, window, group, values: where };
    for (const [name, { offset }] of Object.entries(fields)) {
      desc.setUint32(i * bytes + offset, u32(values[name as keyof typeof fields], name), true);
    }
  });
  return new Uint8Array(desc.buffer);
}

/** The struct that `kumi_rope_create` reads. */
export function encodeRope(params: RopeParams): Uint8Array<ArrayBuffer> {
  const { bytes, fields } = structs.RopeDesc;
  const desc = new DataView(new ArrayBuffer(bytes));
  const word = (field: keyof typeof fields, value: number) =>
    desc.setUint32(fields[field].offset, u32(value, field), true);
  const float = (field: keyof typeof fields, value: number) =>
    desc.setFloat32(fields[field].offset, value, true);
  word("nRot", params.rotatedDims);
  word("maxPositions", params.maxPositions);
  word("scaling", RopeScaling[params.scaling ?? "none"]);
  word("freqFactors", idOf(params.freqFactors));
  float("base", params.base);
  float("factor", params.factor ?? 1);
  float("originalContext", params.originalContext ?? params.maxPositions);
  float("lowFreq", params.betaSlow ?? 1);
  float("highFreq", params.betaFast ?? 32);
  float("attnFactor", params.attentionFactor ?? 1);
  float("extFactor", params.extFactor ?? 1);
  return new Uint8Array(desc.buffer);
}
