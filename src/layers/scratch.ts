import type { Kernels, Region } from "../ffi/context.ts";
import { ActivationBuffer } from "./activation.ts";
import type { WorkspacePlan } from "./workspace.ts";

/** Sizes of a decoder, in elements. */
export interface DecoderShape {
  hidden: number;
  ffn: number;
  vocab: number;
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** The regions that all layers of a decoder use in turn, each for the largest step. */
export interface Scratch {
  /** [tokensMax, hidden] f32: the residual stream. */
  x: Region;
  /** [tokensMax, hidden]: the residual stream after a norm. */
  normed: ActivationBuffer;
  /** [tokensMax, heads · headDim] f32 */
  q: Region;
  /** [tokensMax, kvHeads · headDim] f32 */
  k: Region;
  /** [tokensMax, kvHeads · headDim] f32 */
  v: Region;
  /** [tokensMax, heads · headDim]: what attention gives to the output projection. */
  mixed: ActivationBuffer;
  /** [tokensMax, ffn] f32 */
  gate: Region;
  /** [tokensMax, ffn] f32 */
  up: Region;
  /** [tokensMax, ffn]: silu(gate) · up. */
  gated: ActivationBuffer;
  /** [rowsMax, hidden] f32: the rows whose logits are wanted. */
  picked: Region;
  /** [rowsMax, hidden]: those rows after the last norm. */
  pickedNormed: ActivationBuffer;
  /** [rowsMax, vocab] f32 */
  logits: Region;
  /** [rowsMax, hidden] f32: rows after the last norm that are wanted themselves. */
  hidden: Region;
}

/** Reserves the scratch of a decoder for steps of `tokensMax` tokens of which `rowsMax` want logits. */
export function planScratch(
  kernels: Kernels,
  plan: WorkspacePlan,
  shape: DecoderShape,
  tokensMax: number,
  rowsMax: number,
): Scratch {
  const { hidden, ffn, vocab, heads, kvHeads, headDim } = shape;
  return {
    x: plan.takeF32(tokensMax, hidden),
    normed: new ActivationBuffer(kernels, plan, tokensMax, hidden),
    q: plan.takeF32(tokensMax, heads * headDim),
    k: plan.takeF32(tokensMax, kvHeads * headDim),
    v: plan.takeF32(tokensMax, kvHeads * headDim),
    mixed: new ActivationBuffer(kernels, plan, tokensMax, heads * headDim),
    gate: plan.takeF32(tokensMax, ffn),
    up: plan.takeF32(tokensMax, ffn),
    gated: new ActivationBuffer(kernels, plan, tokensMax, ffn),
    picked: plan.takeF32(rowsMax, hidden),
    pickedNormed: new ActivationBuffer(kernels, plan, rowsMax, hidden),
    logits: plan.takeF32(rowsMax, vocab),
    hidden: plan.takeF32(rowsMax, hidden),
  };
}
