/** Short convolutions and linear attention, as `kumi_short_conv` and `kumi_delta_rule` take them. @module */

import { encodeCall } from "./call.ts";
import { idOf, type States, type Vector } from "./objects.ts";
import { type Activation, NONE, type Region } from "./params.ts";
import { HeadSharing, StateRule, structs } from "./symbols.ts";

/** A part of the states of sequences that is one layer's. */
export interface StatePart {
  readonly states: States;
  /** Where it begins in each state, in bytes: a multiple of 64. */
  readonly offset: number;
}

/** A short causal convolution of each channel: kernels/src/ops/short_conv.zig has the formula. */
export interface ShortConvParams {
  /** [taps − 1, channels] f32 of each sequence. */
  readonly state: StatePart;
  /** [tokens, stride] f32, and where in a row the inputs begin, and factors of inputs and of results where there are any. */
  readonly x: Region;
  readonly stride: number;
  readonly inputsAt: number;
  readonly beforeAt?: number;
  readonly afterAt?: number;
  /** [channels, taps] */
  readonly weights: Vector;
  /** [channels] */
  readonly bias?: Vector;
  /** A multiple of 16. */
  readonly channels: number;
  readonly taps: number;
  /** Whether results go through SiLU. */
  readonly silu: boolean;
  /** Heads of the first channels whose length becomes `scale`, and of those behind them whose length becomes 1. Default: none. */
  readonly norm?: {
    readonly head: number;
    readonly queryHeads: number;
    readonly keyHeads: number;
    readonly scale: number;
    readonly eps: number;
  };
  /** [tokens, channels] */
  readonly y: Activation;
}

/** Linear attention: kernels/src/ops/delta_rule.zig has the formulas. */
export interface DeltaRuleParams {
  /** [heads, valueDim / 16, keyDim, 16] f32 of each sequence. */
  readonly state: StatePart;
  /** [tokens, row] f32, and where in a row the queries, keys and values begin. */
  readonly x: Region;
  readonly row: number;
  readonly queriesAt: number;
  readonly keysAt: number;
  readonly valuesAt: number;
  /** [tokens, gateRow] f32, and where in a row they begin: those of `gateGroup` heads, then as many of something else. */
  readonly alpha: { readonly region: Region; readonly at: number };
  /** Of the delta rule. */
  readonly beta?: { readonly region: Region; readonly at: number };
  readonly gateRow: number;
  readonly gateGroup: number;
  /** [heads] each. */
  readonly decay: Vector;
  readonly dt: Vector;
  readonly skip?: Vector;
  readonly heads: number;
  readonly keyHeads: number;
  /** Multiples of 16. */
  readonly keyDim: number;
  readonly valueDim: number;
  readonly sharing: keyof typeof HeadSharing;
  readonly rule: keyof typeof StateRule;
  /** [tokens, heads, valueDim] f32 */
  readonly y: Region;
}

/** A call of {@linkcode Kernels.shortConv}, made once for a layer. */
export class ShortConvCall {
  readonly params: ShortConvParams;
  readonly encoded: Uint8Array<ArrayBuffer>;

  constructor(params: ShortConvParams) {
    this.params = params;
    const { state, norm, y } = params;
    this.encoded = encodeCall(structs.ShortConvCall, {
      states: state.states.id,
      stateOffset: state.offset,
      x: params.x,
      stride: params.stride,
      xFirst: params.inputsAt,
      beforeFirst: params.beforeAt ?? NONE,
      afterFirst: params.afterAt ?? NONE,
      weights: params.weights.id,
      bias: idOf(params.bias),
      channels: params.channels,
      taps: params.taps,
      silu: params.silu ? 1 : 0,
      head: norm?.head ?? 16,
      queryHeads: norm?.queryHeads ?? 0,
      keyHeads: norm?.keyHeads ?? 0,
      y: y.region,
      yForms: y.forms,
    }, { scale: norm?.scale ?? 1, eps: norm?.eps ?? 0 });
  }
}

/** A call of {@linkcode Kernels.deltaRule}, made once for a layer. */
export class DeltaRuleCall {
  readonly params: DeltaRuleParams;
  readonly encoded: Uint8Array<ArrayBuffer>;

  constructor(params: DeltaRuleParams) {
    this.params = params;
    const { state, alpha, beta, heads, keyHeads, keyDim, valueDim } = params;
    this.encoded = encodeCall(structs.DeltaRuleCall, {
      states: state.states.id,
      stateOffset: state.offset,
      x: params.x,
      row: params.row,
      queryFirst: params.queriesAt,
      keyFirst: params.keysAt,
      valueFirst: params.valuesAt,
      alpha: alpha.region,
      alphaFirst: alpha.at,
      beta: beta?.region ?? NONE,
      betaFirst: beta?.at ?? 0,
      gateRow: params.gateRow,
      gateGroup: params.gateGroup,
      decay: params.decay.id,
      dt: params.dt.id,
      skip: idOf(params.skip),
      heads,
      keyHeads,
      keyDim,
      valueDim,
      sharing: HeadSharing[params.sharing],
      rule: StateRule[params.rule],
      y: params.y,
    }, {});
  }
}
