/** What kernels compute for layers that keep a state of each sequence. @module */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import { KernelContext } from "./kernel_context.ts";
import type { DeltaRuleCall, ShortConvCall } from "./linear_attention.ts";
import { type States, u32, type Vector } from "./objects.ts";
import type { Activation, Region } from "./params.ts";
import { GateFunction, GateOrder } from "./symbols.ts";

/** Short convolutions, linear attention, and the gates behind them and behind attention. */
export abstract class StatefulKernels extends KernelContext {
  /**
   * Says which slots the sequences of the batch set last read and write: {read, write} for each, in their order. What one writes no other
   * reads or writes. A sequence that begins at position 0 reads nothing. Setting a batch forgets them.
   */
  setStates(states: States, slots: Uint32Array): void {
    const status = this.native.kumi_states_set(this.id, states.id, asBuffer(slots), slots.byteLength);
    if (status < 0) check(status, "set states", { slots: slots.join(" "), of: states.slots });
  }

  /** The short convolution of the batch's tokens. */
  shortConv({ params, encoded }: ShortConvCall): void {
    const status = this.native.kumi_short_conv(this.id, encoded, encoded.byteLength);
    if (status >= 0) return;
    const { channels, taps, state: { offset, states } } = params;
    check(status, "shortConv", { channels, taps, offset, stateBytes: states.slotBytes });
  }

  /** Linear attention of the batch's tokens. */
  deltaRule({ params, encoded }: DeltaRuleCall): void {
    const status = this.native.kumi_delta_rule(this.id, encoded, encoded.byteLength);
    if (status >= 0) return;
    const { heads, keyHeads, keyDim, valueDim, state: { offset, states } } = params;
    check(status, "deltaRule", { heads, keyHeads, keyDim, valueDim, offset, stateBytes: states.slotBytes });
  }

  /**
   * y = norm(x) · weight · silu(gate) over each head, or norm(x · silu(gate)) · weight. x, gate: [n, k] f32; weight: [head] or
   * [k]; y's region is neither x nor gate.
   */
  gatedNorm(
    x: Region,
    gate: Region,
    weight: Vector,
    k: number,
    head: number,
    n: number,
    eps: number,
    order: keyof typeof GateOrder,
    y: Activation,
  ): void {
    const status = this.native.kumi_gated_norm(
      this.id,
      u32(x, "x"),
      u32(gate, "gate"),
      weight.id,
      u32(k, "k"),
      u32(head, "head"),
      u32(n, "n"),
      eps,
      GateOrder[order],
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "gatedNorm", { n, k, head, weight: weight.length, eps });
  }

  /** y = f(gate) · x. gate, x: [n, k] f32. */
  gated(
    gate: Region,
    x: Region,
    k: number,
    n: number,
    f: keyof typeof GateFunction,
    y: Activation,
  ): void {
    const status = this.native.kumi_gated(
      this.id,
      u32(gate, "gate"),
      u32(x, "x"),
      u32(k, "k"),
      u32(n, "n"),
      GateFunction[f],
      u32(y.region, "y.region"),
      u32(y.forms, "y.forms"),
    );
    if (status < 0) check(status, "gated", { n, k, f });
  }

  /** first, second: [n, heads, dim] of x: [n, heads, 2, dim]. Three different regions. */
  splitHeads(x: Region, heads: number, dim: number, n: number, first: Region, second: Region): void {
    const status = this.native.kumi_split_heads(
      this.id,
      u32(x, "x"),
      u32(heads, "heads"),
      u32(dim, "dim"),
      u32(n, "n"),
      u32(first, "first"),
      u32(second, "second"),
    );
    if (status < 0) check(status, "splitHeads", { n, heads, dim });
  }
}
