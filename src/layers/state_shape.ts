/** What layers keep of a sequence in place of keys and values: how large it is and where it lies in the sequence's state. @module */

import { limits } from "../ffi/symbols.ts";
import { allLayers, type DecoderShape, type LayerShape, type LinearShape } from "./shape.ts";

const F32_BYTES = 4;

/** Bytes of the last inputs of a layer's short convolution. */
export function inputsBytes({ taps, channels }: LinearShape): number {
  return aligned((taps - 1) * channels * F32_BYTES);
}

/** Bytes of the matrices of a layer's heads. */
export function matricesBytes({ heads, keyDim, valueDim }: LinearShape): number {
  return aligned(heads * keyDim * valueDim * F32_BYTES);
}

/** Bytes of the state of one sequence over all layers; 0 where all keep keys and values. */
export function stateBytesOf(layers: readonly Pick<LayerShape, "linear">[]): number {
  return stateOffset(layers, layers.length);
}

/** Where layer `i` has its part in a sequence's state, in bytes: first its convolution's inputs, then its matrices. */
export function stateOffset(layers: readonly Pick<LayerShape, "linear">[], i: number): number {
  return layers.slice(0, i).reduce(
    (sum, { linear }) => linear === undefined ? sum : sum + inputsBytes(linear) + matricesBytes(linear),
    0,
  );
}

/** What tells whether a layer keeps keys and values. */
type Keeping = Pick<LayerShape, "linear"> & Partial<Pick<LayerShape, "kvHeads">>;

/** The layers that keep keys and values, in their order: a KV cache has one for each. */
export function kvLayersOf<T extends Keeping>(layers: readonly T[]): T[] {
  return layers.filter(({ linear, kvHeads }) => linear === undefined && kvHeads !== 0);
}

/** … of a whole decoder: those of its layers, and behind them that of its predictor. */
export function cacheLayersOf(shape: Pick<DecoderShape, "layers" | "predictor">): LayerShape[] {
  return kvLayersOf(allLayers(shape));
}

/** Which layer of the KV cache is that of layer `i`. */
export function kvLayerOf(layers: readonly Keeping[], i: number): number {
  return kvLayersOf(layers.slice(0, i)).length;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / limits.stateAlignment) * limits.stateAlignment;
}
