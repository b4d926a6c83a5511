/** Sizes of a decoder and of its layers, in elements. No two layers need be alike. @module */

import type { ExpertRouting } from "../ffi/context.ts";
import type { RopeSettings } from "./rope_table.ts";

/** What one layer keeps of a token in the KV cache, and who sees it. */
export interface KvLayerShape {
  kvHeads: number;
  /** Elements of one key. */
  keyDim: number;
  /** Elements of one value. */
  valueDim: number;
  /** Whether a value is the end of its key, and kept once. Default: both are kept. */
  valuesInKeys?: boolean;
  /** How many tokens a query sees, its own among them; undefined: all up to its own. */
  window?: number;
}

/** One decoder layer: attention and feed-forward. */
export interface LayerShape extends KvLayerShape {
  /** Query heads. */
  heads: number;
  /** Of the feed-forward that every token passes; beside experts of the shared one, 0 where there is none. */
  ffn: number;
  /** Experts, of which each token takes some. Default: none. */
  experts?: ExpertsShape;
  rope: RopeSettings;
  /** Whether attention's output is gated by as many values as it has, which stand beside the queries. Default: it is not. */
  isGated?: boolean;
  /**
   * Attention over a latent vector that all heads share: to the KV cache it is one head whose keys are what is turned and the vector,
   * and whose values are the vector.
   */
  latent?: LatentShape;
  /** What the layer has in place of attention. Then it keeps a state of each sequence, and no keys and values. */
  linear?: LinearShape;
}

/** Latent attention. DeepSeek-AI 2024. */
export interface LatentShape {
  /** Elements of the vector that keys and values are made of. */
  readonly rank: number;
  /** Elements of the vector that queries are made of; undefined: they are made of the stream. */
  readonly queryRank?: number;
  /** Of a head's query and key, elements that are not turned, and those that are. */
  readonly plain: number;
  readonly turned: number;
  /** Elements of a head's value. */
  readonly valueDim: number;
}

/** A short convolution, and the linear attention behind it where there are heads. */
export interface LinearShape {
  /** Of the convolution, each by itself. */
  readonly channels: number;
  /** How many tokens it sees, the newest among them. */
  readonly taps: number;
  /** Heads with a matrix [keyDim, valueDim] each; 0: the convolution is all there is. */
  readonly heads: number;
  /** Heads of queries and keys, of which several heads share each. */
  readonly keyHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
}

/** The experts of a layer. */
export interface ExpertsShape extends ExpertRouting {
  /** Of one of them. */
  readonly ffn: number;
}

/** A whole decoder. */
export interface DecoderShape {
  hidden: number;
  vocab: number;
  /** In the order in which a token passes them. */
  layers: readonly LayerShape[];
  /** A layer behind them that guesses what comes after the next token. Default: there is none. */
  predictor?: LayerShape;
}

/** The layers, and behind them the predictor where there is one. */
export function allLayers(
  { layers, predictor }: Pick<DecoderShape, "layers" | "predictor">,
): readonly LayerShape[] {
  return predictor === undefined ? layers : [...layers, predictor];
}
