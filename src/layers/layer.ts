import type { Arena, Kernels, States } from "../ffi/context.ts";
import type { RopeTables } from "./rope_table.ts";
import type { Scratch } from "./scratch.ts";
import type { TensorSource } from "./tensors.ts";

/** A part of a decoder that works on the residual stream. */
export interface Layer {
  /** x += f(x) for the tokens of the batch set last; x: [tokens, hidden] f32 in the scratch. */
  forward(tokens: number): void;
}

/** What layers are made with. */
export interface LayerContext {
  readonly kernels: Kernels;
  readonly scratch: Scratch;
  readonly ropes: RopeTables;
  readonly arena: Arena;
  /** Of sequences, where layers have any. */
  readonly states?: States;
  readonly tensors: TensorSource;
}

/** The states of sequences, for a layer that has one. */
export function statesOf({ states }: LayerContext): States {
  if (states === undefined) {
    throw new Error("Cannot make a layer with a state: there are no states of sequences");
  }
  return states;
}

/** A layer to be, described before there is memory for it. */
export interface LayerPlan {
  /** What it asks for that no kernel computes, as the end of a sentence; undefined where it can be made. */
  readonly lacking?: string;
  create(context: LayerContext): Layer;
}
