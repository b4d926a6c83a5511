import type { Kernels, Region } from "../ffi/context.ts";
import { ActivationBuffer } from "./activation.ts";
import { limits } from "../ffi/symbols.ts";
import { allLayers, type DecoderShape, type LayerShape } from "./shape.ts";
import type { WorkspacePlan } from "./workspace.ts";

/** The regions that all layers of a decoder use in turn, each for the largest step and the largest layer. */
export interface Scratch {
  /** [tokensMax, hidden] f32: the residual stream. */
  x: Region;
  /** [tokensMax, hidden]: the residual stream after a norm. */
  normed: ActivationBuffer;
  /** [tokensMax, heads · keyDim] f32 */
  q: Region;
  /** [tokensMax, kvHeads · keyDim] f32 */
  k: Region;
  /** [tokensMax, kvHeads · valueDim] f32 */
  v: Region;
  /** [tokensMax, heads · valueDim]: what attention gives to the output projection. */
  mixed: ActivationBuffer;
  /** [tokensMax, ffn] f32 */
  gate: Region;
  /** [tokensMax, ffn] f32 */
  up: Region;
  /** [tokensMax, hidden] f32: what a part adds to the residual stream, before its norm. It lies where `gate` does. */
  branch: Region;
  /** [tokensMax, ffn]: activation(gate) · up. */
  gated: ActivationBuffer;
  /** What experts work in; undefined where there are none. */
  experts?: ExpertScratch;
  /** What latent attention works in beside regions of others; undefined where there is none. */
  latent?: LatentScratch;
  /** What linear attention works in beside regions of others; undefined where there is none. */
  linear?: LinearScratch;
  /** What a predictor works in beside regions of others; undefined where there is none. */
  predictor?: PredictorScratch;
  /** [rowsMax, hidden] f32: the rows whose logits are wanted. */
  picked: Region;
  /** [rowsMax, hidden]: those rows after the last norm. */
  pickedNormed: ActivationBuffer;
  /** [rowsMax, vocab] f32 */
  logits: Region;
  /** [rowsMax, hidden] f32: rows after the last norm that are wanted themselves. */
  hidden: Region;
}

/** Rows of a predictor have a multiple of so many elements: each begins where a region can. */
export const ROW_STEP: number = limits.unitBytes / Float32Array.BYTES_PER_ELEMENT;

/** Sequences of which a predictor can keep the state from one step to the next. */
export const STATE_PLACES = 4;
/** Among a predictor's rows of states: that of none, all zeros; those of sequences from 1 on; that of its own last row. */
export const NO_STATE = 0;
export const OWN_STATE: number = 1 + STATE_PLACES;
/** Rows of states before those of the step. */
export const STATES_FIRST: number = OWN_STATE + 1;

/** Regions of a predictor that no layer has. */
export interface PredictorScratch {
  readonly tokensMax: number;
  /** [places + 2 · tokensMax, hidden] f32: states that are kept, those of the step, embeddings of its tokens. */
  rows: Region;
  /** [tokensMax, 2 · hidden] f32: of each token its embedding and the state before it, and the same for the product. */
  pairs: Region;
  paired: ActivationBuffer;
  /** [tokensMax, hidden] f32: its residual stream. */
  stream: Region;
}

/** Regions of latent attention that no other layer has. */
export interface LatentScratch {
  /** [tokensMax, rank + turned] f32 */
  kv: Region;
  /** [tokensMax, queryRank] f32, and the same after its norm. */
  queryLatent: Region;
  queryNormed: ActivationBuffer;
  /** [tokensMax, heads · (plain + turned)] f32; later what heads give, [tokensMax, heads · valueDim]. */
  queries: Region;
  /** [heads · tokensMax, plain] and [heads · tokensMax, rank]: what each head multiplies. */
  plain: ActivationBuffer;
  latents: ActivationBuffer;
  /** [tokensMax, heads · rank] f32: what attention gives. */
  attended: Region;
}

/**
 * Regions of linear attention that no other layer has. What it projects and gives lies in `gate`, what it convolves in `up`, the
 * gate of its output in `q`.
 */
export interface LinearScratch {
  /** [tokensMax, heads] f32, or of betas with alphas [tokensMax, 2 · heads]. */
  alpha: Region;
  beta: Region;
}

/** Regions of experts. A row is one token's with one of its experts: of each token as many as it has experts. */
export interface ExpertScratch {
  /** [tokensMax, experts] f32: of the router. */
  logits: Region;
  /** [rows] u32: the chosen experts; [rows] f32: their weights. */
  chosen: Region;
  weights: Region;
  /** [rows, hidden]: what rows multiply, sorted by experts. */
  gathered: ActivationBuffer;
  /** [rows, ffn] f32 each. */
  gate: Region;
  up: Region;
  /** [rows, ffn]: activation(gate) · up. */
  gated: ActivationBuffer;
  /** [rows, hidden] f32: what the experts give. It lies where `gate` and `up` do. */
  products: Region;
  /** [tokensMax] f32: the gate of a shared expert. */
  sharedGate: Region;
}

/**
 * Reserves the scratch of a decoder for steps of `tokensMax` tokens of which `rowsMax` want logits. `alsoForms`: forms of the
 * matrices' inputs that somebody reads beside the matrices.
 */
export function planScratch(
  kernels: Kernels,
  plan: WorkspacePlan,
  shape: DecoderShape,
  tokensMax: number,
  rowsMax: number,
  alsoForms = 0,
): Scratch {
  const { hidden, vocab } = shape;
  const layers = allLayers(shape);
  const largest = (size: (layer: LayerShape) => number) => Math.max(1, ...layers.map(size));
  const ffn = largest((layer) => layer.ffn);
  const channels = largest(({ linear }) =>
    linear === undefined ? 0 : linear.channels * (linear.heads > 0 ? 1 : 3)
  );
  const gated = largest(({ isGated, heads, keyDim }) => isGated ? heads * keyDim : 0);
  const linearOut = ({ linear }: LayerShape) =>
    linear === undefined ? 0 : linear.heads * linear.valueDim || linear.channels;
  const attentionOut = ({ heads, valueDim, latent }: LayerShape) => heads * (latent?.valueDim ?? valueDim);
  const buffer = (k: number) => new ActivationBuffer(kernels, plan, tokensMax, k, alsoForms);
  // The gate is used up when there is something to add.
  const gate = plan.takeF32(tokensMax, Math.max(ffn, hidden, channels, 2 * gated));
  return {
    x: plan.takeF32(tokensMax, hidden),
    normed: buffer(hidden),
    q: plan.takeF32(tokensMax, largest((layer) => Math.max(layer.heads * layer.keyDim, linearOut(layer)))),
    k: plan.takeF32(tokensMax, largest(({ kvHeads, keyDim }) => kvHeads * keyDim)),
    v: plan.takeF32(tokensMax, largest(({ kvHeads, valueDim }) => kvHeads * valueDim)),
    mixed: buffer(largest((layer) => Math.max(attentionOut(layer), linearOut(layer)))),
    gate,
    branch: gate,
    up: plan.takeF32(tokensMax, Math.max(ffn, channels, gated)),
    gated: buffer(ffn),
    experts: planExperts(kernels, plan, hidden, layers, tokensMax, alsoForms),
    latent: planLatent(kernels, plan, layers, tokensMax, alsoForms),
    linear: planLinear(plan, layers, tokensMax),
    predictor: shape.predictor && planPredictor(kernels, plan, hidden, tokensMax),
    picked: plan.takeF32(rowsMax, hidden),
    pickedNormed: new ActivationBuffer(kernels, plan, rowsMax, hidden, alsoForms),
    logits: plan.takeF32(rowsMax, vocab),
    hidden: plan.takeF32(rowsMax, hidden),
  };
}

function planPredictor(
  kernels: Kernels,
  plan: WorkspacePlan,
  hidden: number,
  tokensMax: number,
): PredictorScratch {
  return {
    tokensMax,
    rows: plan.takeF32(STATES_FIRST + 2 * tokensMax, hidden),
    pairs: plan.takeF32(tokensMax, 2 * hidden),
    paired: new ActivationBuffer(kernels, plan, tokensMax, 2 * hidden),
    stream: plan.takeF32(tokensMax, hidden),
  };
}

function planLatent(
  kernels: Kernels,
  plan: WorkspacePlan,
  layers: readonly LayerShape[],
  tokensMax: number,
  alsoForms: number,
): LatentScratch | undefined {
  const all = layers.flatMap(({ heads, latent }) => latent === undefined ? [] : [{ ...latent, heads }]);
  if (all.length === 0) return undefined;
  const largest = (size: (layer: typeof all[number]) => number) => Math.max(...all.map(size));
  const rows = tokensMax * largest(({ heads }) => heads);
  const queryRank = largest((layer) => layer.queryRank ?? 1);
  const buffer = (n: number, k: number) => new ActivationBuffer(kernels, plan, n, k, alsoForms);
  return {
    kv: plan.takeF32(tokensMax, largest(({ rank, turned }) => rank + turned)),
    queryLatent: plan.takeF32(tokensMax, queryRank),
    queryNormed: buffer(tokensMax, queryRank),
    queries: plan.takeF32(
      tokensMax,
      largest(({ heads, plain, turned, valueDim }) => heads * Math.max(plain + turned, valueDim)),
    ),
    plain: buffer(rows, largest(({ plain }) => plain)),
    latents: buffer(rows, largest(({ rank }) => rank)),
    attended: plan.takeF32(tokensMax, largest(({ heads, rank }) => heads * rank)),
  };
}

function planLinear(
  plan: WorkspacePlan,
  layers: readonly LayerShape[],
  tokensMax: number,
): LinearScratch | undefined {
  const heads = Math.max(0, ...layers.map(({ linear }) => linear?.heads ?? 0));
  if (heads === 0) return undefined;
  return { alpha: plan.takeF32(tokensMax, heads), beta: plan.takeF32(tokensMax, 2 * heads) };
}

function planExperts(
  kernels: Kernels,
  plan: WorkspacePlan,
  hidden: number,
  layers: readonly LayerShape[],
  tokensMax: number,
  alsoForms: number,
): ExpertScratch | undefined {
  const all = layers.flatMap(({ experts }) => experts ?? []);
  if (all.length === 0) return undefined;
  const rows = tokensMax * Math.max(...all.map(({ used }) => used));
  const ffn = Math.max(...all.map((experts) => experts.ffn));
  // Whole cache lines for any number of rows, so that both regions are one for what comes after them.
  const gate = plan.takeF32(rows, ffn), up = plan.takeF32(rows, Math.max(ffn, hidden - ffn));
  return {
    logits: plan.takeF32(tokensMax, Math.max(...all.map(({ experts }) => experts))),
    chosen: plan.takeF32(rows, 1),
    weights: plan.takeF32(rows, 1),
    gathered: new ActivationBuffer(kernels, plan, rows, hidden),
    gate,
    up,
    gated: new ActivationBuffer(kernels, plan, rows, ffn, alsoForms),
    products: gate,
    sharedGate: plan.takeF32(tokensMax, 1),
  };
}
